"""The files of an export job, answered byte by byte: nothing of ours is sent along, nothing signed is shown."""

import threading
import time
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from iterable_pipelines.api import Broken, JobFile, Refused, Truncated
from iterable_pipelines.api.jobs import page_of
from iterable_pipelines_tests.api.conftest import WINDOW, MakeClient
from iterable_pipelines_tests.api.wire import Wire, as_json, hush, serving, sized

TYPE = "emailSend"


def pages(store: Wire, *names: list[str], then: bytes | None = None, **changes: Any) -> list[bytes]:
    """Answers that list these files on one page after the other; then an empty page for ever."""
    made = [
        {
            "exportTruncated": False,
            "jobId": 7,
            "jobState": "Completed",
            "files": [{"file": name, "url": f"{store.url}/{name}?signature=secret"} for name in page],
        }
        | changes
        for page in (*names, [])
    ]
    return [as_json(page) for page in made[: -1 if then else None]] + ([then] if then else [])


def test_no_header_of_ours_reaches_the_store_of_files(make_client: MakeClient, tmp_path: Path) -> None:
    with serving(sized(b'{"a":1}\n')) as store, serving(*pages(store, ["one"])) as wire:
        make_client(wire.url).fetch_job(7, tmp_path / "job")
        (request,) = store.requests
    assert (request.method, request.target) == ("GET", "/one?signature=secret")
    assert set(request.headers) == {"host", "accept", "accept-encoding", "connection", "user-agent"}


def test_fields_and_campaign_in_both_spellings(make_client: MakeClient, tmp_path: Path) -> None:
    chosen: dict[str, Any] = {"omit_fields": ("dataFields", "itblInternal"), "campaign_id": 2220229}
    with serving(as_json({"jobId": 7})) as wire:
        make_client(wire.url).start_export(TYPE, WINDOW, **chosen)
        make_client(wire.url).start_export(TYPE, WINDOW, ("email", "createdAt"))
    with serving(sized(b"")) as wire:
        make_client(wire.url).export_events(TYPE, WINDOW, tmp_path / "a", **chosen)
        make_client(wire.url).export_events(TYPE, WINDOW, tmp_path / "b", ("email", "createdAt"))
    first, second = (parse_qs(urlsplit(each.target).query) for each in wire.requests)
    assert first["omitFields"] == ["dataFields,itblInternal"]
    assert first["campaignId"] == ["2220229"]
    assert second["onlyFields"] == ["email", "createdAt"]
    assert not {"omitFields", "campaignId", "range"} & set(second)


@pytest.mark.parametrize("state", ["Completed", "COMPLETED", "completed"])
def test_states_of_any_case_and_unknown_ones(state: str) -> None:
    listed = {"exportTruncated": False, "jobId": 7, "jobState": state, "files": []}
    assert page_of(7, listed).state == "completed"
    assert page_of(7, listed | {"jobState": "Rehydrating"}).state == "rehydrating"


@pytest.mark.parametrize(
    "change",
    [
        {"jobId": 8},
        {"jobId": None},
        {"jobState": 3},
        {"exportTruncated": None},
        {"files": None},
        {"files": ["a"]},
        {"files": [{"file": "a"}]},
        {"files": [{"file": "a", "url": None}]},
    ],
)
def test_a_page_that_lacks_something_is_broken(change: dict[str, Any]) -> None:
    listed = {"exportTruncated": False, "jobId": 7, "jobState": "completed", "files": []}
    with pytest.raises(Broken, match="export job 7"):
        page_of(7, listed | change)


def test_an_address_is_never_shown() -> None:
    assert "secret" not in repr(JobFile("a", "https://example.com/a?signature=secret"))


def test_a_job_that_turns_out_truncated_late_leaves_no_file(make_client: MakeClient, tmp_path: Path) -> None:
    with serving(sized(b'{"a":1}\n')) as store:
        late = as_json({"exportTruncated": True, "jobId": 7, "jobState": "completed", "files": []})
        with serving(*pages(store, ["one", "two"], then=late)) as wire, pytest.raises(Truncated):
            make_client(wire.url).fetch_job(7, tmp_path / "job")
        assert len(store.requests) == 2
    assert list((tmp_path / "job").iterdir()) == []


def test_a_name_twice_on_one_page_is_one_file(make_client: MakeClient, tmp_path: Path) -> None:
    body = b'{"a":1}\n'
    with serving(sized(body, ETag='"x"')) as store, serving(*pages(store, ["one", "two", "one"])) as wire:
        fetched = make_client(wire.url).fetch_job(7, tmp_path / "job")
    assert [path.read_bytes() for path in fetched.paths] == [body, body]


def test_a_file_whose_mark_changes_on_one_page_is_broken(make_client: MakeClient, tmp_path: Path) -> None:
    with serving(sized(b'{"a":1}\n', ETag='"x"'), sized(b'{"a":2}\n', ETag='"y"')) as store:
        listed = [{"file": "one", "url": f"{store.url}/{way}"} for way in ("a", "b")]
        page = {"exportTruncated": False, "jobId": 7, "jobState": "completed", "files": listed}
        with serving(as_json(page), as_json(page | {"files": []})) as wire, pytest.raises(Broken, match="listed twice"):
            make_client(wire.url).fetch_job(7, tmp_path / "job")


@pytest.mark.parametrize("name", ["../../outside", "/etc/passwd", "a/b", "", "x" * 300])
def test_a_name_cannot_lead_out_of_the_folder(name: str, make_client: MakeClient, tmp_path: Path) -> None:
    with serving(sized(b'{"a":1}\n')) as store, serving(*pages(store, [name])) as wire:
        fetched = make_client(wire.url).fetch_job(7, tmp_path / "job")
    assert [path.parent for path in fetched.paths] == [tmp_path / "job"]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/f?sig=secret",
        "ftp://127.0.0.1/f?sig=secret",
        "https://[::1/f?sig=secret",
        "f?sig=secret",
        "https://*.x/f?sig=secret",
    ],
)
def test_an_address_without_protection_is_not_asked(
    url: str, make_client: MakeClient, tmp_path: Path, told: list[str]
) -> None:
    page = {"exportTruncated": False, "jobId": 7, "jobState": "completed", "files": [{"file": "one", "url": url}]}
    with serving(as_json(page)) as wire, pytest.raises(Refused, match="not one of https") as caught:
        make_client(wire.url).fetch_job(7, tmp_path / "job")
    assert caught.value.__cause__ is None
    assert "secret" not in traceback.format_exc() + "".join(told)


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_not_followed(status: int, make_client: MakeClient, tmp_path: Path) -> None:
    with serving(sized(b'{"a":1}\n')) as other, serving(sized(b"", status, Location=other.url)) as store:
        with serving(*pages(store, ["one"])) as wire, pytest.raises(Refused, match="redirect, not followed"):
            make_client(wire.url).fetch_job(7, tmp_path / "job")
        assert (len(store.requests), other.requests) == (1, [])


@pytest.mark.parametrize(
    "answer",
    [
        sized(b"<html>no way to /one?signature=secret</html>", kind="text/html"),
        sized(b"<Error>signature=secret</Error>", 500, "application/xml"),
        sized(b"<Error>signature=secret</Error>", 403, "application/xml"),
        sized(b'{"msg":"signature=secret","code":"GenericError","params":null}'),
        sized(b"", 429),
        sized(b"", 204),
        b"",
    ],
    ids=repr,
)
def test_no_error_shows_what_was_signed(
    answer: bytes, make_client: MakeClient, tmp_path: Path, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="iterable_pipelines")
    with serving(answer) as store, serving(pages(store, ["one"])[0]) as wire, pytest.raises((Broken, Refused)):
        make_client(wire.url, attempts=2).fetch_job(7, tmp_path / "job")
    assert store.requests
    assert "secret" not in traceback.format_exc() + "".join(told) + caplog.text
    assert list((tmp_path / "job").iterdir()) == []


def test_a_store_that_is_overloaded_is_asked_again(make_client: MakeClient, tmp_path: Path, told: list[str]) -> None:
    whole = sized(b'{"a":1}\n')
    with serving(sized(b"", 503), sized(b"", 429), whole) as store, serving(*pages(store, ["one"])) as wire:
        fetched = make_client(wire.url, attempts=3).fetch_job(7, tmp_path / "job")
    assert [path.read_bytes() for path in fetched.paths] == [b'{"a":1}\n']
    assert fetched.requests == 5
    assert [line for line in told if "export job 7, one: HTTP" in line] == told[:2]


def test_four_files_at_a_time(make_client: MakeClient, tmp_path: Path) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def slowly(connection: Any) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.2)
        with lock:
            running -= 1
        connection.sendall(sized(b'{"a":1}\n'))

    with serving(slowly) as store, serving(*pages(store, [str(n) for n in range(10)])) as wire:
        make_client(wire.url).fetch_job(7, tmp_path / "job")
    assert most == 4


def test_one_failure_ends_the_others_at_once(make_client: MakeClient, tmp_path: Path) -> None:
    unfinished = hush(sized(b'{"a":1}\n' * 9)[:-9])
    with serving(unfinished) as slow, serving(sized(b"", 302, Location="http://127.0.0.1:9")) as bad:
        listed = [{"file": f"f{n}", "url": (bad if n == 3 else slow).url} for n in range(10)]
        page = {"exportTruncated": False, "jobId": 7, "jobState": "completed", "files": listed}
        with serving(as_json(page)) as wire:
            begun = time.monotonic()
            with pytest.raises(Refused, match="redirect"):
                make_client(wire.url, attempts=5).fetch_job(7, tmp_path / "job")
    assert time.monotonic() - begun < 5
    # one more may have begun when the bad one was done
    assert len(slow.requests) in (3, 4)
    assert list((tmp_path / "job").iterdir()) == []
