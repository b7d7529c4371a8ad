"""Export jobs: whatever becomes of them, what lands is what the export would have given; none is asked for in vain."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from iterable_pipelines.api import Iterable, Ledger
from iterable_pipelines.api.patience import Patience
from iterable_pipelines.hours import HOUR, Window, iterate_hours, parse_hour
from iterable_pipelines.landing import Exports, Landed, LandingFailed, Manifest, land_hours
from iterable_pipelines.landing.plan import Door
from iterable_pipelines.sandbox import Sandbox, World, running_sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.landing.test_fetch import landed

START = parse_hour("2026-11-01")
DAYS = list(iterate_hours(START, START + 72 * HOUR))
QUICK = Patience(
    attempts=2, first_wait=0.01, longest_wait=0.02, busy_wait=0.1, deadline=20, first_byte=3, measured_over=1
)
STREAM = "iterable_rcs_activity"
TYPE = "rcsSend"


@pytest.fixture(scope="module")
def world() -> World:
    """A small world that stands still a week after the days the tests are about."""
    return World(users=40, start=START - timedelta(days=1), end=START + timedelta(days=10))


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    with running_sandbox(world=world, relaxed=True, job_seconds=0.05) as running:
        yield running


@pytest.fixture
def one_type(project: Settings) -> Settings:
    return project.model_copy(update={"data_types": (TYPE,), "skip_users": True})


def client_of(sandbox: Sandbox, project: Settings) -> Iterable:
    return Iterable(sandbox.key, sandbox.url, Ledger(project.ledger_path, relaxed=True), patience=QUICK)


def land(
    sandbox: Sandbox,
    project: Settings,
    hours: list[datetime] = DAYS,
    run: str = "run",
    whole: list[datetime] | None = None,
    only: Door | None = None,
    refetch: bool = False,
) -> Landed:
    manifest = Manifest(project.landing_dir)
    return land_hours(
        client_of(sandbox, project), manifest, project, STREAM, hours, run,
        whole=whole or (), only=only, refetch=refetch, log=lambda text: None,
    )  # fmt: skip


def follow(sandbox: Sandbox, project: Settings, jobs: list[int]) -> None:
    """What the sensor does, until none of the jobs is pending."""
    exports, client = Exports(Manifest(project.landing_dir)), client_of(sandbox, project)
    deadline = time.monotonic() + 60
    while exports.pending(jobs):
        assert time.monotonic() < deadline, exports.of(jobs)
        exports.advance(client, project, lambda text: None)
        time.sleep(0.02)


def land_to_the_end(sandbox: Sandbox, project: Settings, **more: object) -> list[Landed]:
    results = [land(sandbox, project, **more)]  # type: ignore[arg-type]
    while results[-1].waiting:
        follow(sandbox, project, results[-1].waiting)
        results.append(land(sandbox, project, **more))  # type: ignore[arg-type]
    return results


def records_of(project: Settings, data_type: str = TYPE) -> list[str]:
    return sorted(record for _, record in landed(project, data_type))


def truth_of(world: World, hours: list[datetime] = DAYS, data_type: str = TYPE) -> list[str]:
    window = Window(hours[0], hours[-1] + HOUR)
    return sorted(line.decode() for line in world.records(data_type, window))


def asking(window: Window) -> dict[str, str]:
    """The parameters of an export that asks for this window."""
    start, end = (f"{at:%Y-%m-%d %H:%M:%S} +00:00" for at in (window.start, window.end))
    return {"dataTypeName": TYPE, "startDateTime": start, "endDateTime": end}


def started(sandbox: Sandbox) -> int:
    return len([each for each in sandbox.requests("/api/export/start") if each.status != 429])


def test_a_long_stretch_comes_by_one_job_and_no_export(sandbox: Sandbox, one_type: Settings, world: World) -> None:
    first, *_, last = land_to_the_end(sandbox, one_type)
    assert first.waiting and not first.parts
    assert len(last.parts) == len(DAYS) and not last.waiting
    assert records_of(one_type) == truth_of(world) != []
    assert started(sandbox) == 1 and not sandbox.requests("/api/export/data.json")
    assert not Exports(Manifest(one_type.landing_dir)).live()
    # and nothing is asked for again
    assert land(sandbox, one_type, run="later").kept == len(DAYS)
    assert started(sandbox) == 1


def test_a_short_stretch_does_not_wait_for_the_job_of_a_long_one(sandbox: Sandbox, one_type: Settings) -> None:
    sandbox.fault("job_stuck", path="/api/export/start", times=None)
    assert land(sandbox, one_type, run="backfill").waiting
    hourly = land(sandbox, one_type, hours=DAYS[-1:], run="hourly")
    assert len(hourly.parts) == 1 and not hourly.waiting


def test_the_runs_of_one_backfill_share_its_jobs(sandbox: Sandbox, one_type: Settings, world: World) -> None:
    runs = [DAYS[:24], DAYS[24:48], DAYS[48:]]
    waiting = [land(sandbox, one_type, hours, f"run {n}", whole=DAYS).waiting for n, hours in enumerate(runs)]
    assert waiting[0] == waiting[1] == waiting[2] != []
    follow(sandbox, one_type, waiting[0])
    results = [land(sandbox, one_type, hours, f"run {n}", whole=DAYS) for n, hours in enumerate(runs)]
    assert [len(each.parts) for each in results] == [72, 0, 0]
    assert records_of(one_type) == truth_of(world)
    assert started(sandbox) == 1


def test_a_job_that_is_too_large_is_halved_and_its_first_answer_is_not_kept(
    sandbox: Sandbox, one_type: Settings, world: World
) -> None:
    sandbox.fault("job_truncate", path="/api/export/start", times=3)
    results = land_to_the_end(sandbox, one_type)
    # one, its two halves, and two of one half were too large: 72 hours in the end by quarters and a half
    assert started(sandbox) > 3
    assert sum(len(each.parts) for each in results) == len(DAYS)
    assert records_of(one_type) == truth_of(world)


def test_an_hour_that_is_too_large_is_halved_into_pieces_that_land_together(
    sandbox: Sandbox, one_type: Settings, world: World
) -> None:
    hour = max(DAYS, key=lambda each: len(truth_of(world, [each])))
    sandbox.fault("job_truncate", path="/api/export/start", times=2)
    results = land_to_the_end(sandbox, one_type, hours=[hour], only=Door.JOB)
    assert started(sandbox) == 5
    assert [len(each.parts) for each in results][-1] == 1 and sum(len(each.parts) for each in results) == 1
    assert records_of(one_type) == truth_of(world, [hour]) != []


@pytest.mark.parametrize("fault", ["job_requeue", "job_fail", "job_expire", "job_repeat_page"])
def test_a_job_survives_what_happens_to_jobs(sandbox: Sandbox, one_type: Settings, world: World, fault: str) -> None:
    sandbox.fault(fault, path="/api/export/start")
    land_to_the_end(sandbox, one_type)
    assert records_of(one_type) == truth_of(world)
    assert started(sandbox) == (2 if fault == "job_fail" else 1)


def test_a_job_that_fails_for_ever_is_said_and_asked_for_anew_by_the_next_run(
    sandbox: Sandbox, one_type: Settings, world: World
) -> None:
    sandbox.fault("job_fail", path="/api/export/start", times=3)
    with pytest.raises(LandingFailed, match=r"export job \d+ failed") as failure:
        land_to_the_end(sandbox, one_type)
    assert "Next: iterable-pipelines backfill" in str(failure.value)
    assert started(sandbox) == 3
    land_to_the_end(sandbox, one_type)
    assert records_of(one_type) == truth_of(world)


def test_what_iterable_refuses_is_said_with_its_words(sandbox: Sandbox, one_type: Settings) -> None:
    body = {"msg": "No export for you", "code": "BadParams", "params": None}
    sandbox.fault("status", path="/api/export/start", times=None, status=400, body=body)
    with pytest.raises(LandingFailed, match="No export for you"):
        land_to_the_end(sandbox, one_type)
    assert started(sandbox) == 1


def test_only_four_jobs_run_at_once_and_nobody_elses_is_touched(sandbox: Sandbox, project: Settings) -> None:
    stranger = client_of(sandbox, project.model_copy(update={"data_dir": project.data_dir / "stranger"}))
    theirs = stranger.start_export("emailSend", Window(DAYS[0], DAYS[5]))
    sandbox.fault("job_stuck", path="/api/export/start", times=None)
    manifest = Manifest(project.landing_dir)
    client = client_of(sandbox, project)
    found = land_hours(client, manifest, project, "iterable_activity", DAYS, "run", log=lambda text: None)
    exports = Exports(manifest)
    for _ in range(5):
        exports.advance(client, project, lambda text: None)
    assert len(found.waiting) == 9
    assert started(sandbox) == 1 + 4
    asked = {each.path for each in sandbox.requests("/api/export/") if each.method in ("DELETE", "GET")}
    assert not any(f"/{theirs}" in path for path in asked)


def test_a_crash_forgets_no_job(sandbox: Sandbox, one_type: Settings, world: World) -> None:
    jobs = land(sandbox, one_type).waiting
    follow(sandbox, one_type, jobs)
    # another process, with nothing but the files: the job is taken up where it stands
    again = land(sandbox, one_type, run="after the crash")
    assert len(again.parts) == len(DAYS)
    assert started(sandbox) == 1
    assert records_of(one_type) == truth_of(world)


def test_a_job_nobody_comes_for_is_cancelled_after_a_week(sandbox: Sandbox, one_type: Settings) -> None:
    sandbox.fault("job_stuck", path="/api/export/start", times=None)
    land(sandbox, one_type)
    client = client_of(sandbox, one_type)
    later = Exports(Manifest(one_type.landing_dir), clock=lambda: time.time() + 8 * 86400)
    later.advance(client, one_type, lambda text: None)
    (job,) = later.live()
    # somebody waits for it still
    later.forget_abandoned(client, {job.id}, lambda text: None)
    assert later.live()
    later.forget_abandoned(client, set(), lambda text: None)
    assert not later.live()
    assert [each.method for each in sandbox.requests("/api/export/") if each.method == "DELETE"] == ["DELETE"]


def test_a_line_that_cannot_be_read_in_a_job_costs_its_hour_only(
    sandbox: Sandbox, one_type: Settings, world: World
) -> None:
    hour = max(DAYS, key=lambda each: len(truth_of(world, [each])))
    sandbox.fault("bad_json", path="/files/")
    # then every window around the hour, through the export
    window = Window(DAYS[0], DAYS[-1] + HOUR)
    while window != Window.of_hour(hour):
        sandbox.fault("bad_json", match=asking(window))
        window = next(half for half in window.halves() if half.start <= hour < half.end)
    sandbox.fault("bad_json", match=asking(window), times=3)
    with pytest.raises(LandingFailed) as failure:
        land_to_the_end(sandbox, one_type)
    assert failure.value.only_quarantined
    rest = [each for each in DAYS if each != hour]
    assert sorted(Manifest(one_type.landing_dir).current(TYPE)) == rest


def test_a_file_that_is_cut_commits_nothing(sandbox: Sandbox, one_type: Settings, tmp_path: Path) -> None:
    jobs = land(sandbox, one_type).waiting
    follow(sandbox, one_type, jobs)
    sandbox.fault("cut", path="/files/", times=None)
    with pytest.raises(LandingFailed):
        land(sandbox, one_type)
    assert Manifest(one_type.landing_dir).current(TYPE) == {}
    assert not truth_missing(one_type)
    sandbox.faults.clear()
    assert len(land(sandbox, one_type).parts) == len(DAYS)


def truth_missing(project: Settings) -> list[Path]:
    """Files that landed although nothing was committed."""
    return list((project.landing_dir / "events").rglob("*.parquet"))


def test_the_truth_of_a_day_is_the_same_through_both_doors(
    sandbox: Sandbox, one_type: Settings, tmp_path: Path
) -> None:
    other = one_type.model_copy(update={"data_dir": tmp_path / "other"})
    land_to_the_end(sandbox, one_type, only=Door.JOB)
    land_to_the_end(sandbox, other, only=Door.EXPORT)
    assert landed(one_type, TYPE) == landed(other, TYPE)
    assert [each.digest for each in Manifest(one_type.landing_dir).current(TYPE).values()] == [
        each.digest for each in Manifest(other.landing_dir).current(TYPE).values()
    ]


def test_two_runs_that_plan_the_same_hours_at_once_get_one_job(one_type: Settings) -> None:
    exports = Exports(Manifest(one_type.landing_dir))
    first = exports.plan(TYPE, Window(DAYS[0], DAYS[-1] + HOUR), "one")
    assert exports.plan(TYPE, Window(DAYS[10], DAYS[20]), "two") == first
    assert exports.plan("emailOpen", Window(DAYS[10], DAYS[20]), "two") != first
    (job,) = exports.live(TYPE)
    exports.halve(job)
    # whoever saw it as it was before comes too late
    exports.halve(job)
    exports.again(job, "too late")
    assert [each.state for each in exports.of([first])] == ["halved", "planned", "planned"]


def test_pieces_of_an_hour_never_land_without_the_piece_that_failed(
    sandbox: Sandbox, one_type: Settings, world: World
) -> None:
    hour = max(DAYS, key=lambda each: len(truth_of(world, [each])))
    sandbox.fault("job_truncate", path="/api/export/start")
    # of the two halves, one fails as often as it is asked for
    half = {"startDateTime": f"{hour:%Y-%m-%d %H}:30:00 +00:00"}
    sandbox.fault("job_fail", path="/api/export/start", match=half, times=3)
    with pytest.raises(LandingFailed, match="failed"):
        land_to_the_end(sandbox, one_type, hours=[hour], only=Door.JOB)
    with pytest.raises(LandingFailed, match="do not bring all of it"):
        land(sandbox, one_type, hours=[hour], only=Door.JOB, run="another")
    assert Manifest(one_type.landing_dir).current(TYPE) == {}
    land_to_the_end(sandbox, one_type, hours=[hour], only=Door.JOB, run="a third")
    assert records_of(one_type) == truth_of(world, [hour])


def test_a_wrong_key_asks_once_and_loses_no_job(sandbox: Sandbox, project: Settings) -> None:
    manifest, wrong = Manifest(project.landing_dir), Iterable(
        "0123456789abcdef0123456789abcdef", sandbox.url, Ledger(project.ledger_path, relaxed=True), patience=QUICK
    )  # fmt: skip
    with pytest.raises(LandingFailed, match=r"401|Invalid API key"):
        land_hours(wrong, manifest, project, "iterable_activity", DAYS, "run", log=lambda text: None)
    assert len(sandbox.requests("/api/export")) == 1
    assert {each.state for each in Exports(manifest).live()} == {"planned"}


def test_a_job_that_was_started_before_a_crash_is_taken_up_and_not_started_twice(
    sandbox: Sandbox, one_type: Settings, world: World
) -> None:
    manifest = Manifest(one_type.landing_dir)
    exports = Exports(manifest)
    exports.plan(TYPE, Window(DAYS[0], DAYS[-1] + HOUR), "run")
    client = client_of(sandbox, one_type)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    # the job is started, and nobody lives to write down that it is
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("iterable_pipelines.landing.exports.crashpoint", killed)
        exports.advance(client, one_type, lambda text: None)
    later = Exports(manifest, clock=lambda: time.time() + 7200)
    later.advance(client, one_type, lambda text: None)
    assert started(sandbox) == 1
    assert [each.state for each in later.live()] == ["started"]


def test_fetching_again_does_not_take_an_old_answer_for_a_new_one(sandbox: Sandbox, one_type: Settings) -> None:
    jobs = land(sandbox, one_type, run="gone").waiting
    follow(sandbox, one_type, jobs)
    results = land_to_the_end(sandbox, one_type, run="again", refetch=True)
    assert len(results[-1].parts) == len(DAYS)
    assert started(sandbox) == 2
