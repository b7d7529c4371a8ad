"""The files of an export job: every one of them, once, whole, without the key, or none (faults.md H28 to H30)."""

import itertools
import json
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from iterable_pipelines.api import Broken, Iterable, JobFile, Ledger, Patience, Refused, TooLarge, Truncated
from iterable_pipelines.api.jobs import page_of
from iterable_pipelines.hours import Window
from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.sandbox.world import utc
from iterable_pipelines_tests.api.conftest import WINDOW, MakeClient
from iterable_pipelines_tests.api.wire import Wire, as_json, hush, serving, sized

TYPE = "emailSend"


@pytest.fixture(scope="module")
def world_sandbox() -> Iterator[Sandbox]:
    """A sandbox whose jobs end at once and put every record into a file of its own."""
    options = {"job_seconds": 0, "file_bytes": 1}
    with running_sandbox(users=60, start=utc("2026-11-01"), end=utc("2026-11-02"), **options) as running:
        yield running


@pytest.fixture
def sandbox(world_sandbox: Sandbox) -> Sandbox:
    world_sandbox.log.clear()
    world_sandbox.faults.clear()
    return world_sandbox


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """One for all tests, as the sandbox is: its limits do not begin anew with each of them."""
    return Ledger(tmp_path_factory.mktemp("ledger") / "ledger.db")


@pytest.fixture
def client(sandbox: Sandbox, ledger: Ledger, told: list[str]) -> Iterable:
    patience = Patience(attempts=3, first_wait=0.01, longest_wait=0.02, busy_wait=1.1)
    return Iterable(sandbox.key, sandbox.url, ledger, log=told.append, patience=patience)


@pytest.fixture
def window_of(sandbox: Sandbox) -> Callable[[int], Window]:
    """Windows with exactly so many records, and so many files of a job."""
    stamps = sorted(
        datetime.strptime(json.loads(line)["createdAt"], "%Y-%m-%d %H:%M:%S %z")
        for line in sandbox.world.records(TYPE, Window(utc("2026-11-01"), utc("2026-11-02")))
    )

    def find(count: int) -> Window:
        at = next(
            at
            for at in range(1, len(stamps))
            if stamps[at - 1] < stamps[at] and stamps[at + count - 1] < stamps[at + count]
        )
        return Window(stamps[at], stamps[at + count])

    return find


def lines_of(paths: list[Path]) -> list[bytes]:
    return [line for path in paths for line in path.read_bytes().splitlines()]


def asked(sandbox: Sandbox, path: str) -> list[str]:
    return [each.path for each in sandbox.requests(path)]


@pytest.mark.parametrize("count", [0, 1, 9, 10, 20, 23])
def test_every_file_once_up_to_an_empty_page(
    count: int, sandbox: Sandbox, client: Iterable, window_of: Callable[[int], Window], tmp_path: Path
) -> None:
    window = window_of(count) if count else Window(utc("2026-10-01"), utc("2026-10-02"))
    job = client.start_export(TYPE, window)
    fetched = client.fetch_job(job, tmp_path / "job")
    assert Counter(lines_of(fetched.paths)) == Counter(sandbox.world.records(TYPE, window))
    assert len(fetched.paths) == count == len(asked(sandbox, "/files/"))
    assert [path.name for path in fetched.paths] == sorted(path.name for path in (tmp_path / "job").iterdir())
    assert fetched.bytes == sum(path.stat().st_size for path in fetched.paths)
    pages = sandbox.requests(f"/api/export/{job}/files")
    # the last page asked for is the empty one, one a second
    assert len(pages) == -(-count // 10) + 1
    assert all(b.monotonic - a.monotonic >= 1 for a, b in itertools.pairwise(pages))
    assert fetched.requests == count + len(pages)
    assert fetched.waited >= 0.9 * (len(pages) - 1)


def test_a_file_is_asked_for_without_the_key(
    sandbox: Sandbox, client: Iterable, window_of: Callable[[int], Window], tmp_path: Path
) -> None:
    client.fetch_job(client.start_export(TYPE, window_of(10)), tmp_path / "job")
    entries = sandbox.requests("/files/")
    # the log has a fingerprint in place of the key
    assert [entry.key for entry in entries] == [""] * 10
    assert all(entry.key for entry in sandbox.requests("/api/"))


def test_no_header_of_ours_reaches_the_store_of_files(make_client: MakeClient, tmp_path: Path) -> None:
    with serving(sized(b'{"a":1}\n')) as store, serving(*pages(store, ["one"])) as wire:
        make_client(wire.url).fetch_job(7, tmp_path / "job")
        (request,) = store.requests
    assert (request.method, request.target) == ("GET", "/one?signature=secret")
    assert set(request.headers) == {"host", "accept", "accept-encoding", "connection", "user-agent"}


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


def test_a_job_is_started_with_one_text_of_fields(
    sandbox: Sandbox, client: Iterable, window_of: Callable[[int], Window], tmp_path: Path
) -> None:
    window = window_of(20)
    records = [json.loads(line) for line in sandbox.world.records(TYPE, window)]
    campaign = records[0]["campaignId"]
    job = client.start_export(TYPE, window, ("email", "createdAt", "campaignId"), campaign_id=campaign)
    (entry,) = sandbox.requests("/api/export/start")
    assert json.loads(entry.body)["onlyFields"] == "email,createdAt,campaignId"
    assert json.loads(entry.body)["campaignId"] == campaign
    wanted = [
        {name: record[name] for name in record if name in ("email", "createdAt", "campaignId")}
        for record in records
        if record.get("campaignId") == campaign
    ]
    got = [json.loads(line) for line in lines_of(client.fetch_job(job, tmp_path / "job").paths)]
    assert sorted(got, key=str) == sorted(wanted, key=str)


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


def test_files_that_were_cut_are_fetched_again(
    sandbox: Sandbox, client: Iterable, window_of: Callable[[int], Window], tmp_path: Path, told: list[str]
) -> None:
    window = window_of(9)
    job = client.start_export(TYPE, window)
    kinds = ("cut", "cut_at_record", "reset", "short", "eof_framed", "truncated_gzip", "half_record")
    for number, kind in enumerate(kinds):
        sandbox.fault(kind, path=f"/files/{job}/file-{job}-00000{number}")
    fetched = client.fetch_job(job, tmp_path / "job")
    assert Counter(lines_of(fetched.paths)) == Counter(sandbox.world.records(TYPE, window))
    assert len(asked(sandbox, "/files/")) == 9 + len(kinds)
    assert sum("attempt 2 of 3" in line for line in told) == len(kinds)


def test_a_file_that_stays_broken_leaves_none(
    sandbox: Sandbox, client: Iterable, window_of: Callable[[int], Window], tmp_path: Path
) -> None:
    job = client.start_export(TYPE, window_of(9))
    sandbox.fault("cut", path=f"/files/{job}/file-{job}-000007", times=None)
    with pytest.raises(Broken, match=f"export job {job}, file-{job}-000007.json: cut off after"):
        client.fetch_job(job, tmp_path / "job")
    assert list((tmp_path / "job").iterdir()) == []


def test_a_truncated_job_is_neither_kept_nor_fetched_again(
    sandbox: Sandbox, client: Iterable, window_of: Callable[[int], Window], tmp_path: Path
) -> None:
    sandbox.fault("job_truncate", path="/api/export/start")
    job = client.start_export(TYPE, window_of(9))
    with pytest.raises(Truncated, match=r"100 GB.*ask for a shorter window") as caught:
        client.fetch_job(job, tmp_path / "job")
    assert isinstance(caught.value, TooLarge)
    assert list((tmp_path / "job").iterdir()) == asked(sandbox, "/files/") == []
    assert len(asked(sandbox, f"/api/export/{job}/files")) == 1


def test_a_job_that_turns_out_truncated_late_leaves_no_file(make_client: MakeClient, tmp_path: Path) -> None:
    with serving(sized(b'{"a":1}\n')) as store:
        late = as_json({"exportTruncated": True, "jobId": 7, "jobState": "completed", "files": []})
        with serving(*pages(store, ["one", "two"], then=late)) as wire, pytest.raises(Truncated):
            make_client(wire.url).fetch_job(7, tmp_path / "job")
        assert len(store.requests) == 2
    assert list((tmp_path / "job").iterdir()) == []


@pytest.mark.parametrize(("fault", "state"), [("job_stuck", "enqueued"), ("job_fail", "failed")])
def test_a_job_that_is_not_completed_is_refused(
    fault: str, state: str, sandbox: Sandbox, client: Iterable, window_of: Callable[[int], Window], tmp_path: Path
) -> None:
    sandbox.fault(fault, path="/api/export/start")
    job = client.start_export(TYPE, window_of(9))
    with pytest.raises(Refused, match=f"export job {job} is {state}, not completed"):
        client.fetch_job(job, tmp_path / "job")
    assert client.export_page(job).state == state
    assert asked(sandbox, "/files/") == []


def test_expired_addresses_are_renewed_together(
    sandbox: Sandbox, client: Iterable, window_of: Callable[[int], Window], tmp_path: Path
) -> None:
    sandbox.fault("job_expire", path="/api/export/start")
    window = window_of(20)
    job = client.start_export(TYPE, window)
    fetched = client.fetch_job(job, tmp_path / "job")
    assert Counter(lines_of(fetched.paths)) == Counter(sandbox.world.records(TYPE, window))
    statuses = Counter(each.status for each in sandbox.requests("/files/"))
    assert statuses == {403: 10, 200: 20}
    assert len(asked(sandbox, f"/api/export/{job}/files")) == 4


def test_one_expired_address_is_renewed_behind_its_forerunner(
    sandbox: Sandbox, client: Iterable, window_of: Callable[[int], Window], tmp_path: Path
) -> None:
    window = window_of(10)
    job = client.start_export(TYPE, window)
    name = f"file-{job}-00000{{}}.json"
    sandbox.fault("status", path=f"/files/{job}/{name.format(6)}", status=403)
    fetched = client.fetch_job(job, tmp_path / "job")
    assert Counter(lines_of(fetched.paths)) == Counter(sandbox.world.records(TYPE, window))
    again = [path for path, times in Counter(asked(sandbox, "/files/")).items() if times > 1]
    assert again == [f"/files/{job}/{name.format(6)}"]
    after = [dict(each.params).get("startAfter") for each in sandbox.requests(f"/api/export/{job}/files")]
    assert after == [None, name.format(5), name.format(9)]


def test_an_address_that_is_always_refused_ends(
    sandbox: Sandbox, client: Iterable, window_of: Callable[[int], Window], tmp_path: Path, told: list[str]
) -> None:
    job = client.start_export(TYPE, window_of(9))
    sandbox.fault("status", path=f"/files/{job}/file-{job}-000003", status=403, times=None)
    with pytest.raises(Refused, match=r"000003.json is refused with HTTP 403.*127\.0\.0\.1") as caught:
        client.fetch_job(job, tmp_path / "job")
    assert caught.value.status == 403
    assert len(asked(sandbox, f"/files/{job}/file-{job}-000003")) == 4
    assert list((tmp_path / "job").iterdir()) == []
    assert "signature" not in traceback.format_exc() + "".join(told)


def test_a_page_that_comes_again_costs_no_file(
    sandbox: Sandbox, client: Iterable, window_of: Callable[[int], Window], tmp_path: Path
) -> None:
    sandbox.fault("job_repeat_page", path="/api/export/start")
    window = window_of(20)
    job = client.start_export(TYPE, window)
    fetched = client.fetch_job(job, tmp_path / "job")
    assert Counter(lines_of(fetched.paths)) == Counter(sandbox.world.records(TYPE, window))
    assert len(fetched.paths) == 20


def test_pages_that_repeat_for_ever_end(
    sandbox: Sandbox, client: Iterable, window_of: Callable[[int], Window], tmp_path: Path
) -> None:
    sandbox.fault("job_endless_pages", path="/api/export/start")
    job = client.start_export(TYPE, window_of(20))
    with pytest.raises(Broken, match="repeats itself, so paging would never end"):
        client.fetch_job(job, tmp_path / "job")
    assert len(asked(sandbox, f"/api/export/{job}/files")) == 5
    assert list((tmp_path / "job").iterdir()) == []


def test_a_file_that_changes_between_two_lists_is_broken(
    sandbox: Sandbox, client: Iterable, window_of: Callable[[int], Window], tmp_path: Path
) -> None:
    sandbox.fault("job_change_file", path="/api/export/start")
    job = client.start_export(TYPE, window_of(10))
    with pytest.raises(Broken, match=f"file-{job}-000000.json is listed twice, with other bytes"):
        client.fetch_job(job, tmp_path / "job")
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
    assert lines_of(fetched.paths) == [b'{"a":1}']
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
