"""Late records: all arrive, the curve of how late they come is the sandbox's, and the settled pass follows it."""

import base64
import random
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iterable_pipelines.api import Download, Iterable, Ledger
from iterable_pipelines.hours import HOUR, Window, iterate_hours, parse_hour
from iterable_pipelines.landing import Manifest, fetch, land_hours, window
from iterable_pipelines.landing.late_picture import how_late
from iterable_pipelines.landing.lateness import curve, learn, settle_delay
from iterable_pipelines.landing.manifest import Part
from iterable_pipelines.landing.passes import Pass
from iterable_pipelines.landing.plan import hours_due
from iterable_pipelines.sandbox import World, running_sandbox
from iterable_pipelines.sandbox.oddities import stamp
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.landing.test_fetch import landed

START = parse_hour("2026-10-20")
HOURS = list(iterate_hours(START, START + 30 * HOUR))
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
AGES = (10 * MINUTE, 3 * HOUR, DAY, 7 * DAY)
# by minutes, an hour, most of a day and almost a week
LATE = (45 * MINUTE, HOUR, 20 * HOUR, 7 * DAY)
TYPES = {"pushOpen": "iterable_push_activity", "customEvent": "iterable_custom_activity"}


class Then(Iterable):
    """A client that asks when the world's clock says."""

    def __init__(self, url: str, key: str, ledger: Ledger, world: World) -> None:
        super().__init__(key, url, ledger)
        self.world = world

    def export_events(self, *asked: Any, **more: Any) -> Download:
        return replace(super().export_events(*asked, **more), fetched_at=self.world.now())


def share_come(world: World, data_type: str, age: timedelta) -> float:
    """The share of what comes within a week that exports show when its hour is this old."""
    ages = [
        each.visible - (each.created // 3600 + 1) * 3600
        for each in world.events(data_type, Window(HOURS[0], HOURS[-1] + HOUR))
    ]
    within = [each for each in ages if each <= AGES[-1].total_seconds()]
    return sum(each <= age.total_seconds() for each in within) / len(within)


def test_late_events_all_arrive_and_the_learned_curve_is_the_worlds(
    project: Settings, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(users=60, activity=4, start=START - DAY, end=HOURS[-1] + 9 * DAY)
    project = project.model_copy(update={"data_types": tuple(TYPES), "skip_users": True, "start_date": START})
    for module in (fetch, window):
        monkeypatch.setattr(module, "now", world.now)
    audited = HOURS[:24]
    # the last hours are too young for the audit after a week, as some are on any day
    passes = [(hour + HOUR + age, hour) for hour in HOURS for age in AGES if hour in audited or age < AGES[-1]]
    late = [(hour + 20 * MINUTE + lag, hour + 20 * MINUTE) for hour in HOURS for lag in LATE]
    with running_sandbox(world=world, relaxed=True) as sandbox:
        client = Then(sandbox.url, sandbox.key, Ledger(project.ledger_path, relaxed=True), world)

        def land(hour: datetime, run: str) -> None:
            for stream in TYPES.values():
                land_hours(client, manifest, project, stream, [hour], run, refetch=True, log=lambda text: None)

        for moment, subject in sorted(passes + late):
            world.stop_clock(moment)
            if subject in HOURS:
                land(subject, str(moment))
                continue
            created = int(subject.timestamp())
            for data_type in TYPES:
                world.write_event(data_type, {"createdAt": stamp(created), "email": "a@b.c"}, created, f"{moment}")

        world.stop_clock(world.end)
        asked = Window(audited[0], audited[-1] + HOUR)
        for data_type in TYPES:
            found = [record for hour, record in landed(project, data_type) if parse_hour(hour) in audited]
            assert sorted(found) == sorted(line.decode() for line in world.records(data_type, asked))
            learned = dict(curve(manifest, data_type))
            assert list(learned) == list(AGES)
            for age, share in learned.items():
                true = share_come(world, data_type, age)
                assert 0 < true < 1 or age == AGES[-1]
                assert share == pytest.approx(true, rel=0.1, abs=0), (data_type, age)

        # a thousandth and more comes after a day: nothing settles before that
        assert settle_delay(manifest, project, "customEvent") == DAY
        world.stop_clock(HOURS[-1] + HOUR + 4 * HOUR)
        land(HOURS[-1], "at four hours")
        assert manifest.current("customEvent")[HOURS[-1]].rows > 0
    with manifest.connection() as con:
        found = con.execute("select distinct pass from parts where run_id = 'at four hours'").fetchall()
    assert found == [(Pass.FRESH,)]


def parts(number: int, rows_at: dict[timedelta, int]) -> list[Part]:
    """The fetches of one hour, by its age."""
    hour = START + number * HOUR
    return [
        Part(
            "emailOpen", hour, hour, hour + HOUR, hour + HOUR + age, Pass.FRESH, rows, 0, 0, 9, f"{rows}:0", None, None,
            "run",
        )
        for age, rows in rows_at.items()
    ]  # fmt: skip


def add(manifest: Manifest, first: int, last: int, *rows: int, settled: timedelta = 3 * HOUR + 10 * MINUTE) -> None:
    """Hours that had these rows at ten minutes, at the settled pass, after a day and after a week; then learn."""
    ages = (10 * MINUTE, settled, DAY + HOUR, 7 * DAY + HOUR)
    manifest.add(part for number in range(first, last) for part in parts(number, dict(zip(ages, rows, strict=False))))
    learn(manifest, ["emailOpen"])


def hours_of_delay(manifest: Manifest, project: Settings) -> float:
    return settle_delay(manifest, project, "emailOpen") / HOUR


@pytest.mark.parametrize(
    ("hours", "rows", "expected"),
    [
        (0, (), 3),
        (48, (1000, 2000), 3),  # nobody looked later
        (48, (1000, 2000, 2000), 3),
        (48, (1000, 10_000, 10_005), 3),
        (48, (1000, 10_000, 10_020), 6),
        (23, (1000, 10_000, 10_020), 3),
        (48, (1000, 10_000, 10_000, 10_020), 24),
        (48, (1000, 10_000, 9_000, 10_000), 3),  # what went away and came back is not late
        (48, (0, 0, 0), 3),
    ],
)
def test_the_settled_pass_waits_longer_only_where_rows_came_after_it(
    project: Settings, manifest: Manifest, hours: int, rows: tuple[int, ...], expected: int
) -> None:
    add(manifest, 0, hours, *rows)
    assert hours_of_delay(manifest, project) == expected
    assert settle_delay(manifest, project, "emailClick") == 3 * HOUR
    assert hours_of_delay(manifest, project.model_copy(update={"settle_after_hours": 48})) == 48


def test_a_longer_delay_stays_while_it_is_needed_and_goes_when_all_comes_early(
    project: Settings, manifest: Manifest
) -> None:
    add(manifest, 0, 48, 1000, 1000, 1100)
    assert hours_of_delay(manifest, project) == 6
    # the passes at three hours are forgotten: nothing says any more that they came too early, or that they did not
    add(manifest, 48, 48 + 31 * 24, 1000, 1100, 1100, settled=6 * HOUR)
    assert hours_of_delay(manifest, project) == 6
    add(manifest, 48 + 31 * 24, 48 + 62 * 24, 1100, 1100, 1100, settled=6 * HOUR)
    assert hours_of_delay(manifest, project) == 3


def test_an_hour_is_due_when_its_data_type_has_settled(project: Settings, manifest: Manifest) -> None:
    add(manifest, 0, 48, 1000, 1000, 1100)
    manifest.add(parts(48, {10 * MINUTE: 7}))
    hour = START + 48 * HOUR

    def due(after: timedelta) -> Sequence[datetime]:
        return hours_due(manifest, project, "emailOpen", [hour], hour + HOUR + after)

    assert (due(5 * HOUR), due(6 * HOUR)) == ([], [hour])


def test_hours_too_young_for_their_audit_do_not_hide_what_it_finds(manifest: Manifest) -> None:
    add(manifest, 0, 24, 1000, 1000, 1000, 2000)
    add(manifest, 24, 480, 1000, 1000)
    assert [share for _, share in curve(manifest, "emailOpen")] == [0.5, 0.5, 0.5, 1]


def test_the_landing_asset_shows_curves_and_the_delay_in_use(project: Settings, manifest: Manifest) -> None:
    assert "| emailOpen | – | – | – | 3 h |" in how_late(manifest, project, ["emailOpen"])
    add(manifest, 0, 48, 1000, 1500, 2000, 2000)
    shown = how_late(manifest, project, ["emailOpen", "emailClick"])
    assert "| emailOpen | 50.0% | 75.0% | 100.0% | 6 h |" in shown
    assert "| emailClick | – | – | – | 3 h |" in shown
    svg = base64.b64decode(shown.partition("base64,")[2].partition(")")[0]).decode()
    assert svg.count("<polyline") == 1 and svg.count("<circle") == 4 and "emailOpen" in svg


HISTORY = st.lists(
    st.dictionaries(st.integers(0, 60).map(lambda n: 10 * n * MINUTE), st.integers(0, 50), max_size=5), max_size=6
)


def learned_from(found: Sequence[Part]) -> list[tuple[timedelta, float]]:
    with tempfile.TemporaryDirectory() as folder:
        manifest = Manifest(Path(folder))
        for each in found:
            manifest.add([each])
        learn(manifest, ["emailOpen"])
        return curve(manifest, "emailOpen")


@settings(max_examples=40, deadline=None)
@given(HISTORY, st.randoms(use_true_random=False))
def test_a_curve_rises_to_one_whatever_the_order_of_the_manifest(
    history: list[dict[timedelta, int]], chance: random.Random
) -> None:
    found = [part for number, rows_at in enumerate(history) for part in parts(number, rows_at)]
    learned = learned_from(found)
    assert learned_from(chance.sample(found, len(found))) == learned
    assert bool(learned) == any(len(rows_at) > 1 for rows_at in history)
    assert all(a < b and x <= y for (a, x), (b, y) in pairwise(learned))
    assert [share for _, share in learned[-1:]] == [1] * len(learned[-1:])
    assert all(share >= 0 for _, share in learned)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 50), min_size=4, max_size=4), min_size=1, max_size=6))
def test_hours_seen_at_the_same_ages_need_no_guessing(counts: list[list[int]]) -> None:
    learned = learned_from(
        [part for number, rows in enumerate(counts) for part in parts(number, dict(zip(AGES, rows, strict=True)))]
    )
    known = [list(accumulate(rows, max)) for rows in counts]
    total = sum(rows[-1] for rows in known)
    true = [sum(rows[at] for rows in known) / total if total else 1.0 for at in range(4)]
    assert [age for age, _ in learned] == list(AGES)
    assert [share for _, share in learned] == pytest.approx(true)
