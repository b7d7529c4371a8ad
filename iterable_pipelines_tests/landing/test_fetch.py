"""Landing against a server that misbehaves: whatever it does, what lands is what a calm server would have given."""

import errno
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from iterable_pipelines.api import Busy, Iterable, Ledger, Refused
from iterable_pipelines.api.patience import Patience
from iterable_pipelines.file_store import StoreFailed
from iterable_pipelines.hours import HOUR, Window, hour_key, hour_of, iterate_hours, now, parse_hour
from iterable_pipelines.landing import Landed, LandingFailed, Manifest, accept_loss, land_hours
from iterable_pipelines.landing.passes import Pass
from iterable_pipelines.sandbox import Sandbox, World, running_sandbox
from iterable_pipelines.settings import Settings

START = parse_hour("2026-11-01")
DAY = list(iterate_hours(START, START + 24 * HOUR))
QUICK = Patience(
    attempts=3, first_wait=0.01, longest_wait=0.02, busy_wait=0.1, deadline=20, first_byte=3, measured_over=1
)


@pytest.fixture(scope="module")
def world() -> World:
    """A small world that stands still a week after the day the tests are about."""
    return World(users=40, start=START - timedelta(days=3), end=START + timedelta(days=8))


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    with running_sandbox(world=world, relaxed=True) as running:
        yield running


def client(sandbox: Sandbox, project: Settings, key: str | None = None) -> Iterable:
    return Iterable(key or sandbox.key, sandbox.url, Ledger(project.ledger_path, relaxed=True), patience=QUICK)


def land(
    sandbox: Sandbox,
    project: Settings,
    run: str = "run",
    hours: list = DAY,
    stream: str = "iterable_activity",
    **more: bool,
) -> Landed:
    manifest = Manifest(project.landing_dir)
    return land_hours(client(sandbox, project), manifest, project, stream, hours, run, log=lambda text: None, **more)


def landed(project: Settings, data_type: str) -> list[tuple[str, str]]:
    """Every landed record of a data type with its hour, sorted."""
    found = []
    with duckdb.connect() as con:
        for hour, part in Manifest(project.landing_dir).current(data_type).items():
            if part.path:
                records = con.execute(f"select record from '{project.landing_dir / part.path}'").fetchall()
                assert len(records) == part.rows
                found += [(f"{hour:%Y-%m-%dT%H}", record) for (record,) in records]
    return sorted(found)


def truth(world: World, data_type: str) -> list[str]:
    return sorted(line.decode() for line in world.records(data_type, Window(DAY[0], DAY[-1] + HOUR)))


def test_a_day_of_a_stream_is_one_request_per_data_type_and_every_record_lands(
    sandbox: Sandbox, project: Settings, world: World
) -> None:
    result = land(sandbox, project)
    types = project.enabled_data_types("iterable_activity")
    assert result.requests == len(types) == len(sandbox.requests("/api/export"))
    for data_type in types:
        assert sorted(record for _, record in landed(project, data_type)) == truth(world, data_type)
    assert result.rows == sum(len(truth(world, data_type)) for data_type in types) > 100
    assert len(Manifest(project.landing_dir).current("emailOpen")) == 24


def test_a_retry_of_the_same_run_and_settled_hours_are_not_asked_for_again(sandbox: Sandbox, project: Settings) -> None:
    land(sandbox, project)
    asked = len(sandbox.requests("/api/export"))
    again, other = land(sandbox, project), land(sandbox, project, run="another run")
    assert (again.requests, other.requests, len(sandbox.requests("/api/export"))) == (0, 0, asked)
    assert land(sandbox, project, run="a third", refetch=True).requests == asked


@pytest.mark.parametrize(
    "kind", ["reset", "cut", "cut_at_record", "half_record", "short", "html200", "error200", "error_line", "bad_utf8",
             "bad_json", "truncated_gzip", "eof_framed", "stall", "429"],
)  # fmt: skip
def test_a_fault_that_passes_leaves_no_trace(sandbox: Sandbox, project: Settings, world: World, kind: str) -> None:
    sandbox.fault(kind, match={"dataTypeName": "emailOpen"}, bytes=500, retry_after="0.1", seconds=30)
    land(sandbox, project)
    assert sorted(record for _, record in landed(project, "emailOpen")) == truth(world, "emailOpen")


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
def test_every_server_error_is_asked_again(sandbox: Sandbox, project: Settings, world: World, status: int) -> None:
    sandbox.fault("status", match={"dataTypeName": "emailOpen"}, status=status)
    land(sandbox, project)
    assert sorted(record for _, record in landed(project, "emailOpen")) == truth(world, "emailOpen")


def test_a_long_window_that_is_always_cut_is_asked_for_in_halves(
    sandbox: Sandbox, project: Settings, world: World
) -> None:
    sandbox.fault("cut", match={"dataTypeName": "emailOpen"}, times=2 * QUICK.attempts, bytes=300)
    land(sandbox, project)
    assert sorted(record for _, record in landed(project, "emailOpen")) == truth(world, "emailOpen")


def test_a_late_record_arrives_with_the_settled_pass_and_is_counted(
    sandbox: Sandbox, project: Settings, world: World
) -> None:
    sandbox.fault("drop_tail", match={"dataTypeName": "emailOpen"}, share=0.2)
    land(sandbox, project)
    behind = len(truth(world, "emailOpen")) - len(landed(project, "emailOpen"))
    result = land(sandbox, project, run="the settled pass", refetch=True)
    assert behind > 0
    assert result.late_rows == behind
    assert sorted(record for _, record in landed(project, "emailOpen")) == truth(world, "emailOpen")


def test_one_refused_data_type_does_not_hold_the_others_up(sandbox: Sandbox, project: Settings, world: World) -> None:
    sandbox.fault("status", match={"dataTypeName": "emailOpen"}, times=None, status=403)
    with pytest.raises(LandingFailed) as failure:
        land(sandbox, project)
    assert failure.value.kind is Refused
    assert list(failure.value.causes) == ["emailOpen"]
    for part in ("iterable_activity", "emailOpen", "safe", "iterable-pipelines backfill --from 2026-11-01T00"):
        assert part in str(failure.value)
    assert sorted(record for _, record in landed(project, "emailClick")) == truth(world, "emailClick")
    assert landed(project, "emailOpen") == []


def test_a_wrong_key_asks_once_and_never_shows_the_key(sandbox: Sandbox, project: Settings) -> None:
    manifest = Manifest(project.landing_dir)
    wrong = client(sandbox, project, key="0123456789abcdef0123456789abcdef")
    with pytest.raises(LandingFailed) as failure:
        land_hours(wrong, manifest, project, "iterable_activity", DAY, "run", log=lambda text: None)
    assert len(sandbox.requests("/api/export")) == 1
    assert "0123456789abcdef" not in str(failure.value)


def test_a_bad_line_that_stays_costs_its_hour_only(sandbox: Sandbox, project: Settings, world: World) -> None:
    bad = busiest(world)
    # the whole day, the halves around the hour, and the hour itself three times
    for window in (Window(DAY[0], DAY[-1] + HOUR), *_halves_towards(bad)):
        looks = 3 if window == Window.of_hour(bad) else 1
        sandbox.fault("bad_json", match=_asks(window), times=looks)
    with pytest.raises(LandingFailed) as failure:
        land(sandbox, project)
    held = Manifest(project.landing_dir).quarantined()
    assert [(each.data_type, each.hour) for each in held] == [("emailOpen", bad)]
    assert failure.value.only_quarantined and failure.value.kind is Refused
    assert f"iterable-pipelines accept emailOpen {hour_key(bad)}" in str(failure.value)
    lost = set(of_hour(world, bad))
    others = [line for line in truth(world, "emailOpen") if line not in lost]
    assert sorted(record for _, record in landed(project, "emailOpen")) == others
    assert land(sandbox, project, run="another").requests == 1
    assert Manifest(project.landing_dir).quarantined() == []
    assert sorted(record for _, record in landed(project, "emailOpen")) == truth(world, "emailOpen")


def of_hour(world: World, hour: datetime) -> list[str]:
    return [line.decode() for line in world.records("emailOpen", Window.of_hour(hour))]


def busiest(world: World) -> datetime:
    return max(DAY, key=lambda hour: len(of_hour(world, hour)))


def _halves_towards(hour: datetime) -> Iterator[Window]:
    window = Window(DAY[0], DAY[-1] + HOUR)
    while window != Window.of_hour(hour):
        first, second = window.halves()
        window = first if hour < first.end else second
        yield window


def _asks(window: Window) -> dict[str, str]:
    spelled = {name: f"{at:%Y-%m-%d %H:%M:%S}" for name, at in (("start", window.start), ("end", window.end))}
    return {
        "dataTypeName": "emailOpen",
        "startDateTime": f"{spelled['start']} +00:00",
        "endDateTime": f"{spelled['end']} +00:00",
    }


def test_bad_lines_everywhere_do_not_use_up_the_budget(sandbox: Sandbox, project: Settings) -> None:
    sandbox.fault("bad_json", match={"dataTypeName": "emailOpen"}, times=None)
    with pytest.raises(LandingFailed, match="the rest was not asked for") as failure:
        land(sandbox, project)
    assert not failure.value.only_quarantined
    asked = [each for each in sandbox.requests("/api/export") if ("dataTypeName", "emailOpen") in each.params]
    assert len(asked) < 24


def test_an_accepted_loss_lands_every_other_line(sandbox: Sandbox, project: Settings, world: World) -> None:
    sandbox.fault("bad_json", match={"dataTypeName": "emailOpen"}, times=None)
    with pytest.raises(LandingFailed):
        land(sandbox, project, hours=[busiest(world)])
    manifest = Manifest(project.landing_dir)
    (held,) = manifest.quarantined()
    part, lost = accept_loss(manifest, project, held)
    whole = of_hour(world, busiest(world))
    found = [record for _, record in landed(project, "emailOpen")]
    assert lost == 1 and part.rows == len(found) == len(whole) - 1 > 0
    assert not set(found) - set(whole)
    assert manifest.quarantined() == []
    assert (project.landing_dir / held.path).exists()


def test_a_type_this_project_does_not_have_is_an_empty_hour_and_no_failure(sandbox: Sandbox, project: Settings) -> None:
    body = {"msg": "[/api/export/data.json] Invalid dataTypeName rcsSend", "code": "BadParams", "params": None}
    sandbox.fault("status", match={"dataTypeName": "rcsSend"}, times=None, status=400, body=body)
    result = land(sandbox, project, stream="iterable_rcs_activity")
    assert result.not_offered == ["rcsSend"]
    parts = Manifest(project.landing_dir).current("rcsSend").values()
    # settled, so that nobody goes on asking for it
    assert len(parts) == 24 and all(part.passed is not Pass.FRESH for part in parts)


def test_what_was_landed_before_a_type_was_withdrawn_stays_and_settles(
    sandbox: Sandbox, project: Settings, world: World
) -> None:
    land(sandbox, project, stream="iterable_rcs_activity")
    body = {"msg": "[/api/export/data.json] Invalid dataTypeName rcsSend", "code": "BadParams", "params": None}
    sandbox.fault("status", match={"dataTypeName": "rcsSend"}, times=None, status=400, body=body)
    land(sandbox, project, run="later", stream="iterable_rcs_activity", refetch=True)
    assert sorted(record for _, record in landed(project, "rcsSend")) == truth(world, "rcsSend")
    assert {part.passed for part in Manifest(project.landing_dir).current("rcsSend").values()} == {Pass.AUDITED}


def test_an_accepted_download_does_not_take_the_place_of_a_richer_one(
    sandbox: Sandbox, project: Settings, world: World
) -> None:
    hour = busiest(world)
    land(sandbox, project, hours=[hour])
    sandbox.fault("bad_json", match={"dataTypeName": "emailOpen"}, times=3)
    with pytest.raises(LandingFailed):
        land(sandbox, project, run="again", hours=[hour], refetch=True)
    manifest = Manifest(project.landing_dir)
    part, lost = accept_loss(manifest, project, manifest.quarantined()[0])
    assert (part.rows, lost) == (len(of_hour(world, hour)), 1)
    assert sorted(record for _, record in landed(project, "emailOpen")) == sorted(of_hour(world, hour))
    assert manifest.quarantined() == []


def test_an_hour_that_is_not_over_is_refused(sandbox: Sandbox, project: Settings, world: World) -> None:
    with pytest.raises(LandingFailed, match="not over"):
        land(sandbox, project, hours=[hour_of(now())])
    assert sandbox.requests("/api/export") == []


def test_the_first_hour_of_users_brings_everybody_from_before(project: Settings) -> None:
    small = World(users=40, start=START - timedelta(days=30), end=START + 2 * HOUR)
    with running_sandbox(world=small, relaxed=True) as running:
        land(running, project, hours=DAY[:2], stream="iterable_users")
    records = landed(project, "user")
    everybody = Window(START - timedelta(days=30), START + 2 * HOUR)
    assert sorted(record for _, record in records) == sorted(line.decode() for line in small.records("user", everybody))
    assert len(records) > 30
    assert [part.outside_rows for part in Manifest(project.landing_dir).current("user").values()] == [0, 0]


def test_a_storm_of_429_ends_as_busy(sandbox: Sandbox, project: Settings) -> None:
    sandbox.fault("429", times=None, retry_after="0.01")
    with pytest.raises(LandingFailed) as failure:
        land(sandbox, project, hours=DAY[:1], stream="iterable_rcs_activity")
    assert failure.value.kind is Busy


def test_a_full_disk_is_said_before_anything_is_asked(
    sandbox: Sandbox, project: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10 * 2**20))
    with pytest.raises(LandingFailed, match="10 MiB are free"):
        land(sandbox, project, hours=DAY[:1], stream="iterable_rcs_activity")
    assert sandbox.requests("/api/export") == []


def test_a_disk_that_fills_up_while_writing_is_named_and_leaves_nothing(
    sandbox: Sandbox, project: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(LandingFailed, match="No space left") as failure:
            land(sandbox, project, hours=DAY[:1])
    assert "ITERABLE_DATA_DIR" in str(failure.value)
    assert list((project.landing_dir / "scratch").iterdir()) == []
    assert land(sandbox, project, hours=DAY[:1]).rows >= 0


def test_a_bucket_that_cannot_be_reached_is_not_explained_as_a_full_disk(
    sandbox: Sandbox, project: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "s3://bucket/landing/a cannot be reached (OSError). Next: iterable-pipelines check"

    def away(*_: object) -> None:
        raise StoreFailed(text)

    monkeypatch.setattr("iterable_pipelines.file_store.FileStore.put_all", away)
    with pytest.raises(LandingFailed) as failure:
        land(sandbox, project, hours=DAY[:1])
    assert text in str(failure.value)
    assert "free space" not in str(failure.value) and "ITERABLE_DATA_DIR" not in str(failure.value)


def test_scratch_of_a_dead_process_is_swept(sandbox: Sandbox, project: Settings) -> None:
    left = project.landing_dir / "scratch" / "999999999-abc"
    left.mkdir(parents=True)
    (left / "half.ndjson").write_text("{")
    land(sandbox, project, hours=DAY[:1], stream="iterable_rcs_activity")
    assert not Path(left).exists()
