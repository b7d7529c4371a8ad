"""Who is let in: in every reading of how Iterable may send the token (api.md 7), and nobody else."""

import base64
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from iterable_pipelines.webhooks.authentication import Authentication
from iterable_pipelines_tests.webhooks.receiving import TOKEN, Running, answer, event, head, running_receiver


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


GOOD = [
    TOKEN,
    f"Bearer {TOKEN}",
    f"bearer  {TOKEN} ",
    f"OAuth2 {TOKEN}",
    f"Basic {TOKEN}",
    f"Basic {encoded(TOKEN)}",
    f"Basic {encoded(f'iterable:{TOKEN}')}",
    f"BASIC {encoded(f':{TOKEN}')}",
]
BAD = [
    "",
    "Bearer",
    "Bearer ",
    TOKEN[:-1],
    f"{TOKEN}x",
    TOKEN.upper(),
    f"Digest {TOKEN}",
    f"Bearer {encoded(TOKEN)}",
    f"Basic {encoded(f'{TOKEN}:iterable')}",
    f"Basic {encoded(TOKEN)}=",
    "Basic ===",
    f"Bearer Bearer {TOKEN}",
    f"{TOKEN} {TOKEN}",
    "\xff\xfe",
    "Basic \xff\xfe",
    "x" * 10_000,
]


@pytest.mark.parametrize("value", GOOD)
def test_every_way_in_which_the_token_may_come_is_admitted(value: str) -> None:
    assert Authentication((TOKEN,)).admits(Headers({"authorization": value}))


@pytest.mark.parametrize("value", BAD)
def test_everything_else_is_not(value: str) -> None:
    assert not Authentication((TOKEN,)).admits(Headers({"authorization": value}))
    assert not Authentication((TOKEN,)).admits(Headers({"x-token": TOKEN}))


def test_a_header_of_ones_own_holds_the_token_and_nothing_else() -> None:
    own = Authentication((TOKEN,), "X-Webhook-Token")
    assert own.admits(Headers({"x-webhook-token": TOKEN}))
    assert not own.admits(Headers({"x-webhook-token": f"Bearer {TOKEN}"}))
    assert not own.admits(Headers({"authorization": TOKEN}))


def test_a_header_that_stands_twice_is_refused() -> None:
    twice = Headers(raw=[(b"authorization", TOKEN.encode()), (b"authorization", b"another")])
    assert not Authentication((TOKEN,)).admits(twice)


def test_the_token_is_in_nothing_that_is_kept() -> None:
    kept = Authentication((TOKEN,))
    assert TOKEN not in repr(kept) + repr(vars(kept))


def test_both_tokens_are_good_while_one_takes_the_place_of_the_other(tmp_path: Path) -> None:
    with running_receiver(tmp_path, tokens=(TOKEN, "the-token-after-it")) as receiver:
        for number, token in enumerate((TOKEN, "the-token-after-it")):
            assert receiver.post(event(number), Authorization=f"Bearer {token}").status == 200
        assert receiver.post(event(2), Authorization="the-token-before-it").status == 401
        assert len(receiver.bodies()) == 2


@pytest.mark.parametrize("value", BAD)
def test_who_is_refused_leaves_nothing_behind(receiver: Running, value: str) -> None:
    refused = receiver.post(event(), Authorization=value)
    assert (refused.status, refused.headers["connection"]) == (401, "close")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert receiver.bodies() == []


def test_who_is_refused_is_not_asked_for_the_body(receiver: Running) -> None:
    with receiver.connection() as connection:
        connection.sendall(head("POST", "/webhooks", Content_Length="1000000", Expect="100-continue"))
        assert answer(connection).status == 401
        assert connection.recv(1) == b""


def test_who_is_admitted_is_asked_for_it(receiver: Running) -> None:
    with receiver.connection() as connection:
        connection.sendall(
            head("POST", "/", Authorization=TOKEN, Content_Length=str(len(event())), Expect="100-continue")
        )
        assert answer(connection).status == 100
        connection.sendall(event())
        assert answer(connection).status == 200


def test_a_token_of_a_megabyte_is_refused(receiver: Running) -> None:
    assert receiver.post(event(), Authorization="x" * 1024**2).status in (0, 431)
    assert receiver.post(event(), Authorization="x" * 20_000).status == 431
    assert receiver.bodies() == []


def test_wrong_tokens_are_told_of_and_not_each_of_them(receiver: Running, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(20):
        assert receiver.post(event(), Authorization="Bearer mistyped-token").status == 401
    assert [each.getMessage() for each in caplog.records if "401" in each.getMessage()] == [
        "requests are refused (401): their token is missing or wrong; said once a minute at most"
    ]
    assert "mistyped" not in caplog.text
