"""Which answers are Refused, Busy and Broken, in all shapes of errors (api.md 1.4, 1.5; faults.md H01 to H23)."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from iterable_pipelines.api import Broken, Busy, Iterable, IterableError, Ledger, Refused
from iterable_pipelines.api.error_body import error_object
from iterable_pipelines.api.retry_after import parse_retry_after
from iterable_pipelines_tests.api.conftest import KEY, WINDOW, MakeClient
from iterable_pipelines_tests.api.wire import as_json, chunked, head, serving, sized

RECORD = b'{"email":"ann@example.com","createdAt":"2026-01-14 06:20:22 +00:00"}\n'
HTML = b"<html><head><title>Action not found</title><style>h1 {color: red}</style></head><h1>No page</h1></html>"

STATUSES: dict[str, tuple[bytes, type[IterableError], int, str | None, str]] = {
    "envelope": (
        as_json({"msg": "Invalid API key", "code": "BadApiKey", "params": {"ip": "10.0.0.1"}}, 401),
        Refused,
        401,
        "BadApiKey",
        "Invalid API key.*ITERABLE_API_KEY.*ITERABLE_REGION.*Next: iterable-pipelines check",
    ),
    "envelope without a code": (
        as_json({"msg": "Disabled API key or insufficient privileges", "params": {"apiKeyType": "ServerSide"}}, 401),
        Refused,
        401,
        None,
        "insufficient privileges",
    ),
    "play": (
        as_json({"error": "NotFound", "message": "Catalog not found: x", "code": "error.catalogs.notFound"}, 404),
        Refused,
        404,
        "error.catalogs.notFound",
        "Catalog not found: x",
    ),
    "page": (sized(HTML, 404, "text/html"), Refused, 404, None, "HTTP 404: Action not found No page$"),
    "text": (
        sized(b"User not found for userId: u-17 or email: ann@example.com", 400, "text/plain"),
        Refused,
        400,
        None,
        r"userId: \[hidden\] or email: \[hidden\]",
    ),
    "success on a 400": (
        as_json(
            {"msg": "error.lists.invalidListId(999999999)", "code": "Success", "params": {"listId": 999999999}}, 400
        ),
        Refused,
        400,
        "Success",
        "invalidListId",
    ),
    "success on a 500": (as_json({"msg": "No", "code": "Success", "params": None}, 500), Broken, 500, "Success", "No"),
    "forbidden": (as_json({"msg": "No", "code": "Forbidden"}, 403), Refused, 403, "Forbidden", "server-side key"),
    "address too long": (sized(b"", 414), Refused, 414, None, "too long"),
    "busy": (
        as_json({"msg": "Exceeded rate limit.", "code": "RateLimitExceeded"}, 429),
        Busy,
        429,
        "RateLimitExceeded",
        "Exceeded rate limit",
    ),
    "busy without a body": (sized(b"", 429), Busy, 429, None, "HTTP 429"),
    "timeout": (sized(b"", 408), Broken, 408, None, "HTTP 408"),
    "unframed error": (head(503, "text/plain") + b"upstream failed", Broken, 503, None, "upstream failed"),
    "error object that is no object": (sized(b"{[", 500), Broken, 500, None, r"HTTP 500: \{\["),
    **{
        f"{status}": (sized(HTML, status, "text/html"), Broken, status, None, f"HTTP {status}")
        for status in (500, 502, 503, 504, 520)
    },
}


@pytest.mark.parametrize("name", STATUSES)
def test_the_status_decides_and_every_shape_is_read(name: str, make_client: MakeClient, tmp_path: Path) -> None:
    answer, kind, status, code, words = STATUSES[name]
    to = tmp_path / "events.ndjson"
    asks: tuple[Callable[[Iterable], object], ...] = (
        lambda client: client.get("/api/campaigns"),
        lambda client: client.get_text("/api/lists/getUsers"),
        lambda client: client.export_events("emailOpen", WINDOW, to),
    )
    for ask in asks:
        with serving(answer) as wire, pytest.raises(kind, match=words) as caught:
            ask(make_client(wire.url))
        assert type(caught.value) is kind
        assert (caught.value.status, caught.value.code) == (status, code)
        assert "ann@" not in str(caught.value)
        assert "10.0.0.1" not in str(caught.value)
    assert not to.exists()


def test_refused_is_asked_once_and_broken_again(make_client: MakeClient, told: list[str]) -> None:
    with serving(as_json({"msg": "No", "code": "BadParams"}, 400)) as wire, pytest.raises(Refused):
        make_client(wire.url, attempts=3).get("/api/channels")
    assert len(wire.requests) == 1
    assert told == []
    with serving(sized(b"", 500)) as wire, pytest.raises(Broken):
        make_client(wire.url, attempts=3).get("/api/channels")
    assert len(wire.requests) == 3
    assert len(told) == 2
    with serving(sized(b"", 502), sized(b"", 520), as_json({"channels": []})) as wire:
        assert make_client(wire.url, attempts=3).get("/api/channels") == {"channels": []}


def test_a_parameter_s_name_is_in_a_refusal_only_if_iterable_says_so(make_client: MakeClient, tmp_path: Path) -> None:
    # landing tells a data type that is not offered by this word (api.md 3.1)
    for message, named in (("Invalid dataTypeName: nope", True), ("No export today", False)):
        with serving(as_json({"msg": message, "code": "BadParams"}, 400)) as wire, pytest.raises(Refused) as caught:
            make_client(wire.url).export_events("nope", WINDOW, tmp_path / "events.ndjson")
        assert ("dataTypeName" in str(caught.value)) is named


# what comes with status 200 and is no data

PAGE = "a page came instead of records: Action not found No page"
GENERIC = {"msg": "An error occurred.", "code": "GenericError", "params": None}
INSTEAD: dict[str, tuple[bytes, type[IterableError], str]] = {
    "page": (sized(HTML, kind="text/html"), Broken, PAGE),
    "page without a type": (sized(HTML), Broken, "does not begin with a record: Action not found No page"),
    "page in chunks": (chunked(HTML[:30], HTML[30:]), Broken, "does not begin with a record"),
    "array": (sized(b"[" + RECORD.strip() + b"]\n"), Broken, r"first byte is b'\['"),
    "error": (as_json(GENERIC), Broken, "status 200: GenericError: An error occurred"),
    "error in a line": (sized(json.dumps(GENERIC).encode() + b"\n"), Broken, "GenericError"),
    "error as last line": (sized(RECORD * 3 + json.dumps(GENERIC).encode() + b"\n"), Broken, "GenericError"),
    "error as last line, unended": (chunked(RECORD * 3, json.dumps(GENERIC).encode()), Broken, "GenericError"),
    "error before blank lines": (sized(RECORD + json.dumps(GENERIC).encode() + b"\n\n"), Broken, "GenericError"),
    "play error as last line": (
        sized(RECORD + b'{"error":"Oops","message":"it broke","code":"Generic Error"}\n'),
        Broken,
        "Generic Error: it broke",
    ),
    "refusal": (as_json({"msg": "Bad", "code": "BadParams", "params": None}), Refused, "BadParams: Bad"),
    "too many": (as_json({"msg": "Exceeded rate limit.", "code": "RateLimitExceeded"}), Busy, "RateLimitExceeded"),
    "success, but no records": (as_json({"msg": "ok", "code": "Success", "params": None}), Broken, "Success"),
}


@pytest.mark.parametrize("name", INSTEAD)
def test_what_is_no_record_is_not_kept(name: str, make_client: MakeClient, tmp_path: Path) -> None:
    answer, kind, words = INSTEAD[name]
    to = tmp_path / "events.ndjson"
    with serving(answer) as wire, pytest.raises(kind, match=words) as caught:
        make_client(wire.url).export_events("emailOpen", WINDOW, to)
    assert type(caught.value) is kind
    assert not to.exists()


@pytest.mark.parametrize(
    "last",
    [
        {"email": "a@example.com", "msg": "hello", "code": "SUMMER"},
        {"eventName": "failed", "code": "E1", "message": "m", "createdAt": "2026-01-14 06:20:22 +00:00"},
        {"code": 7, "msg": "a number is no code"},
        {"code": "alone"},
    ],
)
def test_events_that_resemble_errors_are_events(last: dict[str, Any], make_client: MakeClient, tmp_path: Path) -> None:
    with serving(sized(RECORD + json.dumps(last).encode() + b"\n")) as wire:
        download = make_client(wire.url).export_events("customEvent", WINDOW, tmp_path / "events.ndjson")
    assert json.loads(download.path.read_bytes().splitlines()[-1]) == last


def test_a_last_line_of_megabytes_is_no_error() -> None:
    assert error_object(b'{"msg":"' + b"x" * 100_000 + b'","code":"C"}') is None


@pytest.mark.parametrize("body", [b"[1]", b"7", b'{"channels": [', b"plain", b"\xff\xfe"])
def test_an_answer_that_is_no_object_is_broken(body: bytes, make_client: MakeClient) -> None:
    with serving(sized(body, kind="application/json")) as wire, pytest.raises(Broken, match="not a JSON object"):
        make_client(wire.url).get("/api/channels")


def test_pages_and_errors_are_not_taken_for_text(make_client: MakeClient) -> None:
    with serving(sized(HTML, kind="text/html"), as_json(GENERIC), sized(b"\xff\xfe\xfa", kind="text/plain")) as wire:
        client = make_client(wire.url)
        for words in ("Action not found", "GenericError", "not UTF-8"):
            with pytest.raises(Broken, match=words):
                client.get_text("/api/campaigns/metrics", {"campaignId": [1, 2]})


# 429 and Retry-After

NOW = datetime(2026, 1, 14, 6, 0, 0, tzinfo=UTC)
IN_A_MINUTE = format_datetime(NOW + timedelta(seconds=60), usegmt=True)
RETRY_AFTER: list[tuple[str | None, float | None]] = [
    ("7", 7),
    (" 7 ", 7),
    ("1.5", 1.5),
    (IN_A_MINUTE, 60),
    ("Wed, 14 Jan 2026 07:01:00 +0100", 60),
    (format_datetime(NOW - timedelta(days=1), usegmt=True), None),
    ("999999999", 999999999),
    ("9" * 5000, float("inf")),
    ("0", None),
    ("-5", None),
    ("abc", None),
    ("nan", None),
    ("inf", None),
    ("1e9", None),
    ("", None),
    (None, None),
    ("Wed, 99 Foo 2026 07:01:00 GMT", None),
]


@pytest.mark.parametrize(("text", "seconds"), RETRY_AFTER)
def test_retry_after_is_read_in_every_form(text: str | None, seconds: float | None) -> None:
    assert parse_retry_after(text, NOW) == seconds


@pytest.mark.parametrize(("text", "seconds"), RETRY_AFTER)
def test_busy_says_how_long_within_the_cap(text: str | None, seconds: float | None, make_client: MakeClient) -> None:
    headers = {"Date": format_datetime(NOW, usegmt=True)} | ({} if text is None else {"Retry_After": text})
    # the ledger holds back whoever asks next, so this one does not
    with serving(as_json({"msg": "Exceeded rate limit."}, 429, **headers)) as wire, pytest.raises(Busy) as caught:
        make_client(wire.url, busy_wait=40, longest_busy_wait=600).get("/api/channels")
    assert caught.value.retry_after == min(seconds or 40, 600)


def test_busy_is_waited_out_by_everybody(make_client: MakeClient, tmp_path: Path, told: list[str]) -> None:
    busy = as_json({"msg": "Exceeded rate limit.", "code": "RateLimitExceeded"}, 429, Retry_After="1.3")
    with serving(busy, sized(RECORD)) as wire:
        client = make_client(wire.url, attempts=2, longest_busy_wait=600)
        download = client.export_events("emailOpen", WINDOW, tmp_path / "events.ndjson")
    first, second = wire.requests
    assert second.at - first.at >= 1.3
    assert download.requests == 2
    assert download.waited >= 1.2
    assert sum("waiting" in line for line in told) == 1
    ledger = Ledger(tmp_path / "ledger.db")
    assert ledger.delay("export", "key-of-somebody-else") == 0


def test_busy_stops_other_clients_of_the_same_key(make_client: MakeClient, tmp_path: Path) -> None:
    with serving(as_json({}, 429, Retry_After="0.8"), as_json({"channels": []})) as wire:
        with pytest.raises(Busy):
            make_client(wire.url, longest_busy_wait=600).get("/api/channels")
        begun = time.monotonic()
        make_client(wire.url).get("/api/channels")
    assert time.monotonic() - begun >= 0.7


def test_the_server_s_clock_is_reported(make_client: MakeClient, tmp_path: Path) -> None:
    with serving(sized(RECORD, Date=format_datetime(NOW, usegmt=True))) as wire:
        download = make_client(wire.url).export_events("emailOpen", WINDOW, tmp_path / "events.ndjson")
    assert download.server_date == NOW
    assert wire.requests[0].headers["api-key"] == KEY
