"""`export` writes exactly the records that Iterable has, through both doors, or says why not (checklist T15 to T23)."""

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from iterable_pipelines.hours import Window, now
from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.sandbox.world import utc
from iterable_pipelines_tests.cli.command import Command, CommandHere, Said
from iterable_pipelines_tests.cli.tables import by_cells, expected, rows_of

DAY = ("--from", "2026-11-01", "--to", "2026-11-02")
DAY_WINDOW = Window(utc("2026-11-01"), utc("2026-11-02"))


@pytest.fixture(scope="module")
def world_sandbox() -> Iterator[Sandbox]:
    """A world that stands still; jobs end at once and have many small files."""
    world = {"users": 60, "start": utc("2026-10-23"), "end": utc("2026-11-03")}
    with running_sandbox(**world, relaxed=True, job_seconds=0, file_bytes=10_000) as running:
        yield running


@pytest.fixture
def sandbox(world_sandbox: Sandbox) -> Sandbox:
    world_sandbox.log.clear()
    world_sandbox.faults.clear()
    return world_sandbox


@pytest.fixture
def command(
    tmp_path: Path,
    sandbox: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Command:
    """Each in an empty folder, all with one ledger: the sandbox's limits do not begin anew with each test."""
    data = tmp_path_factory.getbasetemp() / "data-of-exports"
    settings = {"api_key": sandbox.key, "base_url": sandbox.url, "requests_relaxed": "true", "data_dir": str(data)}
    return CommandHere(tmp_path, monkeypatch, capfd, **settings)


def records(sandbox: Sandbox, data_type: str, window: Window) -> list[dict[str, Any]]:
    return [json.loads(line) for line in sandbox.world.records(data_type, window, sandbox.world.now())]


def sent(sandbox: Sandbox) -> dict[str, Any]:
    """What the one export that was asked for was asked with."""
    (entry,) = sandbox.requests("/api/export/data.json") + sandbox.requests("/api/export/start")
    return json.loads(entry.body) if entry.body else dict(entry.params)


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def assert_refused(said: Said, sandbox: Sandbox, code: int = 2) -> None:
    assert said.code == code
    assert said.out == ""
    assert sandbox.requests() == []


@pytest.mark.parametrize("door", ["export", "job"])
@pytest.mark.parametrize("data_type", ["customEvent", "purchase", "user"])
def test_all_formats_hold_what_the_world_has(data_type: str, door: str, command: Command, sandbox: Sandbox) -> None:
    wanted = records(sandbox, data_type, DAY_WINDOW)
    for ending in (".csv", ".parquet", ".ndjson"):
        said = command("export", data_type, *DAY, "--door", door, "--out", f"o{ending}")
        assert said.code == 0, said.err
        assert said.out.startswith(f"{len(wanted):,} records of {data_type} [2026-11-01 00:00:00, 2026-11-02 00:00:00)")
    assert left_in(command.root) == {"o.csv", "o.parquet", "o.ndjson"}
    lines = (command.root / "o.ndjson").read_bytes().splitlines()
    assert Counter(lines) == Counter(sandbox.world.records(data_type, DAY_WINDOW, sandbox.world.now()))
    assert wanted
    keys = sorted({key for record in wanted for key in record})
    parquet, csv = rows_of(command.root / "o.parquet"), rows_of(command.root / "o.csv")
    columns = columns_of(command.root / "o.parquet")
    assert len(columns) == len(keys)
    names = dict(zip(keys, columns, strict=True))
    assert sorted(parquet, key=by_cells) == sorted(expected(wanted, names, ()), key=by_cells)
    assert sorted(csv, key=by_cells) == sorted(expected(wanted, names, ("",)), key=by_cells)


def columns_of(path: Path) -> list[str]:
    with duckdb.connect() as con:
        return [column[0] for column in con.execute("from read_parquet(?)", [str(path)]).description or []]


def test_keys_that_differ_by_case_only_are_told_of(command: Command, sandbox: Sandbox) -> None:
    keys = {key for record in records(sandbox, "customEvent", DAY_WINDOW) for key in record}
    assert {"plan", "Plan", ""} <= keys
    said = command("export", "customEvent", *DAY, "--out", "o.csv")
    assert "_2': a column needs a name that differs by more than case" in said.out
    assert "The key '' is in the column '_'" in said.out


@pytest.mark.parametrize(
    ("arguments", "start", "end"),
    [
        (DAY, "2026-11-01 00:00:00", "2026-11-02 00:00:00"),
        (("--from", "2026-11-01T03", "--to", "2026-11-01 04:30"), "2026-11-01 03:00:00", "2026-11-01 04:30:00"),
        (
            ("--from", "2026-11-01T03:00:00+05:30", "--to", "2026-11-01T03:00:00.000000001Z"),
            "2026-10-31 21:30:00",
            "2026-11-01 03:00:01",
        ),
        # the days of the clock change: 25 hours in Berlin, and in New York a week later
        (
            ("--from", "2026-10-25", "--to", "2026-10-26", "--timezone", "Europe/Berlin"),
            "2026-10-24 22:00:00",
            "2026-10-25 23:00:00",
        ),
        (
            ("--from", "2026-11-01", "--to", "2026-11-02", "--timezone", "America/New_York"),
            "2026-11-01 04:00:00",
            "2026-11-02 05:00:00",
        ),
    ],
)
def test_times_in_any_zone(
    arguments: tuple[str, ...], start: str, end: str, command: Command, sandbox: Sandbox
) -> None:
    said = command("export", "emailSend", *arguments, "--out", "o.ndjson")
    assert said.code == 0, said.err
    asked = sent(sandbox)
    assert (asked["startDateTime"], asked["endDateTime"]) == (f"{start} +00:00", f"{end} +00:00")
    assert "range" not in asked
    lines = (command.root / "o.ndjson").read_bytes().splitlines()
    assert Counter(lines) == Counter(sandbox.world.records("emailSend", Window(utc(start), utc(end))))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", "2026-11-01 03:00 PST", "--to", "2026-11-02"), "perhaps America/Los_Angeles"),
        ((*DAY, "--timezone", "CST"), "perhaps America/Chicago"),
        ((*DAY, "--timezone", "Europe/Berln"), "did you mean Europe/Berlin?"),
        (("--from", "2026-10-25T02:30", "--to", "2026-10-26", "--timezone", "Europe/Berlin"), "clocks show this time"),
        (("--from", "2026-03-29T02:30", "--to", "2026-10-26", "--timezone", "Europe/Berlin"), "clocks skip this time"),
        (("--from", "2026-11-02", "--to", "2026-11-01"), "must end after it starts"),
        (("--from", "2090-11-02", "--to", "2090-11-03"), "--from lies in the future"),
        (("--from", "2026-11-02"), "both --from and --to"),
        ((), "say from when to when: --range today"),
        (("--range", "today", "--from", "2026-11-02"), "leave out --from, --to and --timezone"),
        (("--range", "today", "--timezone", "Asia/Tokyo"), "leave out --from, --to and --timezone"),
        (("--range", "tomorrow"), "'tomorrow' is not one of"),
        ((*DAY, "--only-fields", "a", "--omit-fields", "b"), "give one of the two"),
        ((*DAY, "--only-fields", " , "), "--only-fields names no field"),
        ((*DAY, "--omit-fields", ""), "--omit-fields names no field"),
        ((*DAY, "--campaign-id", "0"), "greater than or equal to 1"),
        ((*DAY, "--door", "window"), "'window' is not one of"),
    ],
)
def test_what_is_misspelt_is_not_asked(
    arguments: tuple[str, ...], message: str, command: Command, sandbox: Sandbox
) -> None:
    said = command("export", "emailSend", *arguments, "--out", "o.csv")
    assert_refused(said, sandbox)
    assert message in said.err
    assert said.err.count("Error: ") == 1
    assert left_in(command.root) == set()


def test_wrong_types_and_endings_are_named(command: Command, sandbox: Sandbox) -> None:
    for arguments, message in (
        (("emailSent", *DAY, "--out", "o.csv"), "did you mean emailSend?"),
        (("emailSend", *DAY, "--out", "o.xlsx"), "must end with .csv, .parquet or .ndjson"),
        (("emailSend", *DAY, "--out", "csv"), "must end with .csv, .parquet or .ndjson"),
        (("emailSend", *DAY), "Missing option '--out'"),
        (("user", *DAY, "--campaign-id", "7", "--out", "o.csv"), "users belong to no campaign"),
    ):
        said = command("export", *arguments)
        assert_refused(said, sandbox)
        assert message in said.err


def test_a_file_is_not_replaced_unless_asked(command: Command, sandbox: Sandbox) -> None:
    file = command.root / "o.csv"
    file.write_text("mine")
    said = command("export", "emailSend", *DAY, "--out", str(file))
    assert_refused(said, sandbox, code=1)
    assert "is there already, and was left as it is" in said.err
    assert file.read_text() == "mine"
    sandbox.fault("status", status=400, body={"msg": "no", "code": "BadParams", "params": None})
    assert command("export", "emailSend", *DAY, "--out", str(file), "--overwrite").code == 1
    assert file.read_text() == "mine"
    assert command("export", "emailSend", *DAY, "--out", str(file), "--overwrite").code == 0
    assert file.read_text().startswith("campaignId,")


def test_a_place_that_cannot_be_is_named(command: Command, sandbox: Sandbox) -> None:
    (command.root / "folder.csv").mkdir()
    for out, message in (("missing/o.csv", "There is no folder missing"), ("folder.csv", "folder.csv is a folder")):
        said = command("export", "emailSend", *DAY, "--out", out, "--overwrite")
        assert_refused(said, sandbox, code=1)
        assert message in said.err
        assert "Next: " in said.err


@pytest.mark.parametrize("door", ["export", "job"])
def test_fields_and_campaigns(door: str, command: Command, sandbox: Sandbox) -> None:
    every = records(sandbox, "emailSend", DAY_WINDOW)
    ((campaign, count),) = Counter(str(record["campaignId"]) for record in every).most_common(1)
    asked = ("--campaign-id", campaign, "--only-fields", "createdAt, campaignId")
    assert command("export", "emailSend", *DAY, *asked, "--door", door, "--out", "o.parquet").code == 0
    rows = rows_of(command.root / "o.parquet")
    assert columns_of(command.root / "o.parquet") == ["campaignId", "createdAt"]
    assert len(rows) == count > 1
    assert {row["campaignId"] for row in rows} == {campaign}
    assert sent(sandbox)["onlyFields"] == ("createdAt,campaignId" if door == "job" else "campaignId")
    sandbox.log.clear()
    omitted = ("--omit-fields", "email,itblInternal", "--door", door, "--out", "o.ndjson")
    assert command("export", "emailSend", *DAY, *omitted).code == 0
    found = [json.loads(line) for line in (command.root / "o.ndjson").read_bytes().splitlines()]
    assert len(found) == len(every)
    assert not {"email", "itblInternal"} & {key for record in found for key in record}
    assert sent(sandbox)["omitFields"] == "email,itblInternal"


@pytest.mark.parametrize(
    ("span", "path"),
    [
        (("--from", "2026-10-31", "--to", "2026-11-02"), "/api/export/data.json"),
        (("--from", "2026-10-31", "--to", "2026-11-02T00:00:01"), "/api/export/start"),
        (("--range", "all"), "/api/export/start"),
        (("--range", "before-today"), "/api/export/start"),
    ],
)
def test_long_spans_take_a_job(span: tuple[str, ...], path: str, command: Command, sandbox: Sandbox) -> None:
    assert command("export", "rcsSend", *span, "--out", "o.ndjson").code == 0
    assert [entry.path for entry in sandbox.requests(path)] == [path]
    assert "range" not in sent(sandbox)
    if span[0] == "--range":
        lines = (command.root / "o.ndjson").read_bytes().splitlines()
        everything = Window(utc("1970-01-01"), utc("2026-11-03"))
        assert Counter(lines) == Counter(sandbox.world.records("rcsSend", everything, sandbox.world.now()))


def test_named_spans_of_a_living_world(tmp_path: Path) -> None:
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    with running_sandbox(users=20, start=midnight - timedelta(days=3), relaxed=True) as sandbox:
        command = Command(tmp_path, api_key=sandbox.key, base_url=sandbox.url, requests_relaxed="true")
        assert command("export", "customEvent", "--range", "yesterday", "--out", "o.ndjson").code == 0
        yesterday = Window(midnight - timedelta(days=1), midnight)
        lines = (tmp_path / "o.ndjson").read_bytes().splitlines()
        # of yesterday's events, those of a phone that was offline are still coming in
        assert len(lines) > 5
        assert not Counter(lines) - Counter(sandbox.world.records("customEvent", yesterday, sandbox.world.now()))
        said = command("export", "customEvent", "--range", "today", "--out", "today.csv")
        assert said.code == 0
        asked = dict(sandbox.requests("/api/export/data.json")[-1].params)
        assert asked["startDateTime"] == f"{midnight:%Y-%m-%d %H:%M:%S} +00:00"
        end = utc(asked["endDateTime"][:19])
        assert timedelta() <= now() - end < timedelta(minutes=1)


def test_an_end_in_the_future_is_now(command: Command, sandbox: Sandbox) -> None:
    assert command("export", "rcsSend", "--from", "2026-11-01", "--to", "2090-01-01", "--out", "o.csv").code == 0
    assert abs(now() - utc(sent(sandbox)["endDateTime"][:19])) < timedelta(minutes=1)


@pytest.mark.parametrize("door", ["export", "job"])
def test_nothing_is_an_empty_file_and_a_clear_message(door: str, command: Command) -> None:
    before = ("--from", "2020-01-01", "--to", "2020-01-02", "--door", door)
    for ending in (".csv", ".ndjson", ".parquet"):
        said = command("export", "emailSend", *before, "--out", f"o{ending}")
        assert said.code == 0
        assert (
            f"Iterable has no emailSend [2020-01-01 00:00:00, 2020-01-02 00:00:00) UTC: o{ending} is empty" in said.out
        )
    assert (command.root / "o.csv").read_bytes() == (command.root / "o.ndjson").read_bytes() == b""
    assert columns_of(command.root / "o.parquet") == ["createdAt"]
    assert rows_of(command.root / "o.parquet") == []


@pytest.mark.parametrize(
    ("fault", "path", "door", "message", "then"),
    [
        ("job_truncate", "/api/export/start", "job", "truncated by Iterable at 100 GB", "Next: ask for shorter spans"),
        ("job_fail", "/api/export/start", "job", "is failed: Iterable gave it up", "Next: the same command again"),
        ("bad_json", "/api/export/data.json", "export", "cannot be read: line", "Next: the same command again"),
        ("error200", "/api/export/start", "job", "GenericError", "Next: the same command again"),
    ],
)
def test_what_fails_leaves_nothing_and_says_what_next(
    fault: str, path: str, door: str, message: str, then: str, command: Command, sandbox: Sandbox
) -> None:
    sandbox.fault(fault, path=path)
    said = command("export", "emailSend", *DAY, "--door", door, "--out", "o.csv")
    assert (said.code, said.out) == (1, "")
    assert message in said.err
    assert "o.csv was not written" in said.err
    assert then in said.err
    assert left_in(command.root) == set()
    addresses = {record["email"] for record in records(sandbox, "emailSend", DAY_WINDOW) if record.get("email")}
    assert not [address for address in addresses if address in said.err]


def test_a_key_that_is_wrong(command: Command, sandbox: Sandbox) -> None:
    for door in ("export", "job"):
        said = command("export", "emailSend", *DAY, "--door", door, "--out", "o.csv", api_key="0" * 32)
        assert said.code == 1
        assert "HTTP 401" in said.err
        assert said.err.count("Next: iterable-pipelines check") == 1
    said = command("export", "emailSend", *DAY, "--out", "o.csv", api_key="")
    assert said.code == 1
    assert "ITERABLE_API_KEY is not set" in said.err


def test_what_a_killed_export_left_is_swept(command: Command) -> None:
    for name in (".o.csv.999999999.x.part", ".o.csv.1.y.part", ".other.csv.999999999.x.part"):
        (command.root / name).mkdir()
    assert command("export", "rcsSend", *DAY, "--out", "o.csv").code == 0
    assert left_in(command.root) == {"o.csv", ".o.csv.1.y.part", ".other.csv.999999999.x.part"}


def test_files_that_break_and_addresses_that_expire_are_survived(command: Command, sandbox: Sandbox) -> None:
    sandbox.fault("cut", path="/files/", after=1)
    sandbox.fault("status", path="/files/", after=3, status=403)
    said = command("export", "emailSend", *DAY, "--door", "job", "--out", "o.ndjson")
    assert said.code == 0, said.err
    lines = (command.root / "o.ndjson").read_bytes().splitlines()
    assert Counter(lines) == Counter(sandbox.world.records("emailSend", DAY_WINDOW))
    assert {entry.status for entry in sandbox.requests("/files/")} == {200, 403}
    assert "signature" not in said.out + said.err


def test_ctrl_c_cancels_the_own_job_only(command: Command, sandbox: Sandbox) -> None:
    sandbox.fault("job_stuck", path="/api/export/start", times=2)
    arguments = ("export", "emailSend", *DAY, "--door", "job", "--out")
    with command.start(*arguments, "other.csv") as other, command.start(*arguments, "o.csv") as process:
        until = time.monotonic() + 60
        while len({entry.path for entry in sandbox.requests("/api/export/") if "/files" in entry.path}) < 2:
            assert time.monotonic() < until, "the jobs were not waited for"
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        cancelled = [entry.path for entry in sandbox.requests("/api/export/") if entry.method == "DELETE"]
        other.send_signal(signal.SIGINT)
        other.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    ((_, _, _, job),) = [path.split("/") for path in cancelled]
    assert f"Export job {job} was cancelled at Iterable." in err
    assert "o.csv was not written" in err
    assert "Traceback" not in err
    assert left_in(command.root) == set()
