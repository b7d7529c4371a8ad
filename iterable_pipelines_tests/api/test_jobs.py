"""The files of an export job: every one of them, once, whole, without the key, or none (faults.md H28 to H30)."""

import itertools
import json
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from iterable_pipelines.api import Broken, Iterable, Ledger, Patience, Refused, TooLarge, Truncated
from iterable_pipelines.hours import Window
from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.sandbox.world import utc

TYPE = "emailSend"


@pytest.fixture(scope="module")
def world_sandbox() -> Iterator[Sandbox]:
    """A sandbox whose jobs end at once and put every record into a file of its own."""
    options = {"job_seconds": 0, "file_bytes": 1}
    with running_sandbox(users=60, start=utc("2026-11-01"), end=utc("2026-11-02"), **options) as running:
        yield running


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
