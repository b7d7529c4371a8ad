"""`rebuild`, from the command line, with the network off: the same tables come about, and hashes prove it."""

import re
import signal

import duckdb
import pytest

from iterable_pipelines.hours import parse_hour
from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines_tests.cli.command import Command, CommandHere

PUSH, RCS, USERS = "iterable_push_activity", "iterable_rcs_activity", "iterable_users"
TABLES = {f"streams.{PUSH}", f"streams.{RCS}", f"streams.{USERS}", "profiles.user_profiles"}
_HASH = r"[0-9a-f]{32}"


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """A project with six imported hours, whose sandbox is gone."""
    world = {"users": 40, "start": parse_hour("2026-10-25"), "end": parse_hour("2026-11-03")}
    with running_sandbox(**world, relaxed=True) as sandbox:
        command = Command(
            tmp_path_factory.mktemp("project"),
            api_key=sandbox.key,
            base_url=sandbox.url,
            requests_relaxed="true",
            start_date="2026-11-01",
        )
        streams = [part for name in (PUSH, RCS, USERS) for part in ("--stream", name)]
        said = command("backfill", "--from", "2026-11-01T00", "--to", "2026-11-01T06", *streams)
        assert said.code == 0, said.err
    command.environment["ITERABLE_BASE_URL"] = "http://127.0.0.1:9"
    return command


@pytest.fixture
def command(imported: Command, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandHere:
    """The command line of that project."""
    command = CommandHere(imported.root, monkeypatch, capfd)
    command.environment = imported.environment
    return command


def hashes(command: Command) -> dict[str, str]:
    """What `--hash-only` says of each table that has rows."""
    said = command("rebuild", "--hash-only")
    assert said.code == 0, said.err
    found = re.findall(rf"(\w+\.\w+) +\S +([\d,]+) +\S +({_HASH})", said.out)
    return {table: content for table, rows, content in found if rows != "0"}


def verdicts(out: str) -> dict[str, tuple[str, str, str]]:
    """Per table of the answer: content before, content after, and whether they are equal."""
    found = re.findall(rf"(\w+\.\w+) +\S +[\d,]+ +\S +({_HASH}) +\S +({_HASH}) +\S +(yes|no)", out)
    return {table: (before, after, equal) for table, before, after, equal in found}


def write(command: Command, sql: str) -> list[tuple]:  # type: ignore[type-arg]
    with duckdb.connect(command.root / "data" / "iterable.duckdb") as con:
        return con.execute(sql).fetchall()


def loads(command: Command) -> dict[tuple[str, int], int]:
    """The newest load of each stream and hour."""
    found = write(command, "select stream, hour(hour), max(load_id) from streams.loads group by all")
    return {(stream, hour): load_id for stream, hour, load_id in found}


def changed(before: dict[tuple[str, int], int], after: dict[tuple[str, int], int]) -> set[tuple[str, int]]:
    assert before.keys() == after.keys()
    return {key for key in before if before[key] != after[key]}


def test_everything_comes_about_again(command: Command) -> None:
    everything = "select columns(lambda c: c not in ('_loaded_at', '_load_id', '_fetched_at')) from {} order by all"
    before = hashes(command)
    assert before.keys() == TABLES
    rows, log = [write(command, everything.format(table)) for table in sorted(TABLES)], loads(command)
    said = command("rebuild")
    assert said.code == 0, said.err
    assert "Rebuilt from landing" in said.out
    told = verdicts(said.out)
    assert {table: after for table, (_, after, _) in told.items() if table in TABLES} == before
    assert {equal for *_, equal in told.values()} == {"yes"}
    assert hashes(command) == before
    assert [write(command, everything.format(table)) for table in sorted(TABLES)] == rows
    assert changed(log, loads(command)) == set(log)


def test_some_hours_of_a_stream_come_about_again_and_nothing_else_is_touched(command: Command) -> None:
    before, log = hashes(command), loads(command)
    said = command("rebuild", "--from", "2026-11-01T02", "--to", "2026-11-01T04", "--stream", PUSH)
    assert said.code == 0, said.err
    assert verdicts(said.out).keys() == {f"streams.{PUSH}", "profiles.user_profiles"}
    assert changed(log, loads(command)) == {(PUSH, 2), (PUSH, 3)}
    log = loads(command)
    said = command("rebuild", "--from", "2026-11-01T05", "--to", "2026-11-01T06")
    assert said.code == 0, said.err
    assert f"{USERS} is merged over all hours, and was left as it is" in said.out
    assert changed(log, loads(command)) == {(PUSH, 5), (RCS, 5)}
    assert hashes(command) == before


def test_what_was_tampered_with_is_found_and_repaired(command: Command) -> None:
    before = hashes(command)
    write(command, f"update streams.{PUSH} set record = json '{{}}', campaign_id = 1 where hour(_hour) = 4")
    write(command, f"delete from streams.{USERS} where rowid % 2 = 0")
    write(command, "update profiles.user_profiles set it_push_openct = 999")
    tampered = hashes(command)
    differ = {f"streams.{PUSH}", f"streams.{USERS}", "profiles.user_profiles"}
    assert {table for table in TABLES if tampered[table] != before[table]} == differ

    said = command("rebuild", "--stream", PUSH)
    assert said.code == 0, said.err
    assert verdicts(said.out)[f"streams.{PUSH}"] == (tampered[f"streams.{PUSH}"], before[f"streams.{PUSH}"], "no")
    assert "held something else than what has landed" in said.out
    # profiles are made from scratch when everything is
    assert command("rebuild").code == 0
    assert hashes(command) == before


@pytest.mark.parametrize("point", ["before_commit", "after_commit"])
def test_a_rebuild_that_was_killed_leaves_whole_tables_and_the_next_one_mends_it(command: Command, point: str) -> None:
    before = hashes(command)
    killed = command("rebuild", crash_at=point)
    assert killed.code == -signal.SIGKILL
    assert hashes(command) == before
    said = command("rebuild")
    assert said.code == 0, said.err
    assert hashes(command) == before


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--from", "2026-11-01T02"), 2, "--from needs --to: a span of hours has two ends"),
        (("--to", "2026-11-01T02"), 2, "--to needs --from: a span of hours has two ends"),
        (("--from", "2026-11-01T03", "--to", "2026-11-01T02"), 2, "must be later than --from 2026-11-01T03"),
        (("--from", "2026-11-01T03", "--to", "2999-01-01"), 2, "lies in the future"),
        (("--from", "yesterday", "--to", "2026-11-01"), 2, "'yesterday' is not an hour"),
        (("--stream", "rcs"), 2, "did you mean iterable_rcs_activity?"),
        (("--from", "2026-11-01T03", "--to", "2026-11-01T04", "--stream", USERS), 2, "merged over all hours"),
        (("--from", "2026-11-01T03", "--to", "2026-11-01T04", "--hash-only"), 2, "whole tables"),
        (("--from", "2026-10-26", "--to", "2026-10-27"), 1, "from 2026-10-26T00 to 2026-10-27T00 yet"),
        (("--stream", "iterable_sms_activity"), 1, "Nothing was changed"),
    ],
)
def test_what_cannot_be_rebuilt_is_refused(command: Command, arguments: tuple[str, ...], code: int, told: str) -> None:
    said = command("rebuild", *arguments)
    assert (said.code, said.out) == (code, "")
    assert told in " ".join(said.err.split())
