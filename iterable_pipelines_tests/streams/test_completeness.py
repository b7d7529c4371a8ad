"""What is complete: each state, what turns red and what mends it, and that counting a part is counting all."""

import random
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iterable_pipelines.data_types import STREAM
from iterable_pipelines.hours import HOUR, Window, parse_hour
from iterable_pipelines.landing import Manifest, Part
from iterable_pipelines.landing.manifest import Fetch
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines.streams.completeness import Trouble, progress, refresh, troubles
from iterable_pipelines.streams.completeness_page import page_of
from iterable_pipelines.streams.verdicts import COMPLETE, IN_BAND, note_told, untold, verdicts
from iterable_pipelines_tests.kept_open import kept_open
from iterable_pipelines_tests.landing_by_hand import land

START = parse_hour("2026-11-01")
RCS, USERS = "iterable_rcs_activity", "iterable_users"
TYPES = ("rcsSend", "rcsSendSkip")
COLUMNS = "stream, data_type, hour, state, rows_exported, rows_landed, rows_loaded, file_there, late_rows, trouble"


@pytest.fixture
def rcs(project: Settings) -> Settings:
    """A project of one stream of two data types."""
    return project.model_copy(update={"data_types": TYPES, "skip_users": True})


def events(hour: datetime, count: int) -> list[dict]:
    return [{"email": f"{n}@b.c", "createdAt": f"{hour:%Y-%m-%d %H:%M:%S} +00:00"} for n in range(count)]


def at(number: int) -> datetime:
    return START + number * HOUR


def import_hours(
    project: Settings, manifest: Manifest, warehouse: Warehouse, hours: range, rows: int = 3, minutes_after: int = 200
) -> None:
    """Land and load hours of both data types."""
    for number in hours:
        for name in TYPES:
            land(project, manifest, name, at(number), events(at(number), rows), minutes_after)
    load(project, manifest, warehouse, hours)


def load(project: Settings, manifest: Manifest, warehouse: Warehouse, hours: range) -> None:
    load_hours(warehouse, manifest, project, RCS, [at(number) for number in hours], "run", log=lambda text: None)


def refreshed(
    project: Settings, manifest: Manifest, warehouse: Warehouse, hours: int, since: datetime | None = None
) -> dict[tuple[str, int], tuple[str, str | None]]:
    """State and trouble by data type and number of the hour, `hours` after the start."""
    with warehouse.transaction() as con:
        refresh(con, project, manifest, at(hours), since=since)
        return {
            (name, int((hour - START.replace(tzinfo=None)) / HOUR)): (state, trouble)
            for name, hour, state, trouble in con.execute(
                "select data_type, hour, state, trouble from streams.completeness"
            ).fetchall()
        }


def red(warehouse: Warehouse, hours: int) -> dict[int, str]:
    """The text of the check `complete` for each hour that fails it."""
    with warehouse.transaction() as con:
        found = verdicts(con, RCS, [at(number) for number in range(hours)])[COMPLETE]
    return {int((each.hour - START) / HOUR): each.text for each in found if not each.passed}


def test_every_state(rcs: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    import_hours(rcs, manifest, warehouse, range(1), minutes_after=200)
    import_hours(rcs, manifest, warehouse, range(1, 2), minutes_after=10)
    parts = [manifest.current(name)[at(0)] for name in TYPES]
    audited = [Part(**{**vars(each), "fetched_at": at(200), "passed": "audited"}) for each in parts]
    manifest.add(audited)
    held = rcs.landing_dir / "quarantine" / "rcsSend.ndjson"
    manifest.quarantine("rcsSend", Window.of_hour(at(2)), at(4), (1, 0, "not JSON"), f"quarantine/{held.name}")
    import_hours(rcs, manifest, warehouse, range(3, 4), minutes_after=200)
    found = refreshed(rcs, manifest, warehouse, 5)
    assert [found["rcsSend", number] for number in range(5)] == [
        ("audited", None),
        ("fresh", None),
        ("quarantined", "in quarantine"),
        ("settled", None),
        ("missing", "not landed"),
    ]
    texts = red(warehouse, 5)
    assert set(texts) == {2, 4}
    assert "Next: iterable-pipelines accept rcsSend 2026-11-01T02" in texts[2]
    assert "Next: iterable-pipelines backfill --from 2026-11-01T04 --to 2026-11-01T05 --stream" in texts[4]
    # accepting the loss lands a part, and the hour is red no more once it is loaded
    for name in TYPES:
        land(rcs, manifest, name, at(2), [], minutes_after=300)
    load(rcs, manifest, warehouse, range(2, 3))
    refreshed(rcs, manifest, warehouse, 5)
    assert set(red(warehouse, 5)) == {4}


def test_a_removed_file_and_a_deleted_hour_turn_exactly_those_hours_red_and_their_commands_mend_them(
    rcs: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    import_hours(rcs, manifest, warehouse, range(8))
    refreshed(rcs, manifest, warehouse, 8)
    assert red(warehouse, 8) == {}
    file = rcs.landing_dir / str(manifest.current("rcsSend")[at(2)].path)
    kept = file.read_bytes()
    file.unlink()
    warehouse.read(f"delete from streams.{RCS} where _hour = timestamp '2026-11-01 05:00:00'")
    refreshed(rcs, manifest, warehouse, 8)
    texts = red(warehouse, 8)
    assert set(texts) == {2, 5}
    assert texts[2].endswith(
        f"Next: iterable-pipelines backfill --from 2026-11-01T02 --to 2026-11-01T03 --stream {RCS} --refetch"
    )
    assert "rcsSend (3 rows landed, 0 loaded)" in texts[5]
    assert texts[5].endswith(f"iterable-pipelines rebuild --from 2026-11-01T05 --to 2026-11-01T06 --stream {RCS}")
    with warehouse.transaction() as con:
        (found,) = progress(con)
    assert (found.stretch, found.lacking) == (Window(at(6), at(8)), 2)
    load(rcs, manifest, warehouse, range(5, 6))
    file.write_bytes(kept)
    refreshed(rcs, manifest, warehouse, 8)
    assert red(warehouse, 8) == {}


def test_a_download_with_more_lines_than_landed_is_red_in_all_its_hours(
    rcs: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    import_hours(rcs, manifest, warehouse, range(4))
    parts = [manifest.current("rcsSend")[at(number)] for number in (1, 2)]

    def fetched(lines: int, minutes: int) -> None:
        moment = at(9) + timedelta(minutes=minutes)
        fetch = Fetch("rcsSend", Window(at(1), at(3)), "export", moment, lines, 100, 1, 1.0, 0.0, "run")
        manifest.add([Part(**{**vars(each), "fetched_at": moment, "run_id": "run"}) for each in parts], fetch)

    fetched(7, 0)
    refreshed(rcs, manifest, warehouse, 4)
    assert set(red(warehouse, 4)) == {1, 2}
    assert warehouse.read("select rows_exported, rows_landed from streams.completeness where trouble is not null") == [
        (4, 3),
        (4, 3),
    ]
    fetched(6, 1)
    refreshed(rcs, manifest, warehouse, 4)
    assert red(warehouse, 4) == {}


def test_users_are_counted_in_the_load_log(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    project = project.model_copy(update={"skip_activity": True})
    person = {"email": "a@b.c", "profileUpdatedAt": "2026-11-01 00:05:00 +00:00"}
    for number in range(2):
        land(project, manifest, "user", at(number), [person] if number == 0 else [], 200)
    load_hours(warehouse, manifest, project, USERS, [at(0)], "run", log=lambda text: None)
    found = refreshed(project, manifest, warehouse, 2)
    assert found == {("user", 0): ("settled", None), ("user", 1): ("settled", "landed but not loaded")}
    with warehouse.transaction() as con:
        (trouble,) = troubles(con)
    assert trouble.command == f"iterable-pipelines rebuild --stream {USERS}"


WEEKS = 5


def history(rcs: Settings, manifest: Manifest, warehouse: Warehouse, rows: Callable[[int], int], hours: int) -> None:
    """Parts and their loads in the manifest and the load log, without files: only how many rows an hour has counts."""
    parts = [
        Part("rcsSend", at(n), at(n), at(n + 1), at(n + 5), "settled", rows(n), 0, 0, 0, "d", None, None, "run")  # type: ignore[arg-type]
        for n in range(hours)
    ]
    manifest.add(parts)
    with warehouse.transaction() as con:
        con.execute(
            "insert into streams.loads select 1, $1, 'rcsSend', hour, 'd', rows, 0, hour, 'run', 1 from "
            "(select unnest($2::timestamp[]) as hour, unnest($3::bigint[]) as rows)",
            [RCS, [each.hour.replace(tzinfo=None) for each in parts], [each.rows for each in parts]],
        )
        con.execute(
            f"insert into streams.{RCS} (data_type, _hour, _source) select 'rcsSend', hour, 'export' "
            "from streams.loads, range(rows) where rows > 0"
        )


def test_a_type_silent_for_three_hours_turns_exactly_those_red_and_asking_again_mends_them(
    rcs: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    rcs = rcs.model_copy(update={"data_types": ("rcsSend",)})
    hours = WEEKS * 168
    silent = [hours - 9, hours - 8, hours - 7]
    history(rcs, manifest, warehouse, lambda n: 0 if n in silent else 40 + n % 7, hours)
    with warehouse.transaction() as con:
        refresh(con, rcs, manifest, at(hours))
        week = [at(n) for n in range(hours - 168, hours)]
        found = verdicts(con, RCS, week)
    fallen = {each.hour: each for each in found[IN_BAND] if not each.passed}
    assert set(fallen) == {at(n) for n in silent}
    assert all(each.passed for each in found[COMPLETE])
    first = fallen[at(silent[0])]
    assert first.severe
    assert "rcsSend fell silent. Next: " in first.text
    assert first.text.endswith(Trouble(RCS, first.hour, "silent", ("rcsSend",)).command)
    assert first.text.endswith("--refetch")
    for number in silent:
        land(rcs, manifest, "rcsSend", at(number), events(at(number), 41), minutes_after=600)
    load(rcs, manifest, warehouse, range(silent[0], silent[-1] + 1))
    with warehouse.transaction() as con:
        refresh(con, rcs, manifest, at(hours))
        assert all(each.passed for each in verdicts(con, RCS, week)[IN_BAND])


@pytest.mark.parametrize(
    ("days", "rows", "passed", "severe"),
    [
        (13, 0, True, False),  # neither four weeks nor fourteen days: nothing to go by
        (15, 0, False, True),
        (15, 25, True, False),
        (15, 500, False, False),
        (29, 100, True, False),
        (29, 300, False, False),
        (29, 12, False, False),
    ],
)
def test_bands(
    rcs: Settings, manifest: Manifest, warehouse: Warehouse, days: int, rows: int, passed: bool, severe: bool
) -> None:
    rcs = rcs.model_copy(update={"data_types": ("rcsSend",)})
    last = days * 24
    # 40 in general, 100 in the hour of the week in question: who goes by the week knows better
    usual = {last - 168 * n for n in range(1, 9)} if days > 28 else set()
    history(rcs, manifest, warehouse, lambda n: rows if n == last else 100 if n in usual else 40, last + 1)
    with warehouse.transaction() as con:
        refresh(con, rcs, manifest, at(last + 1), since=START)
        (found,) = verdicts(con, RCS, [at(last)])[IN_BAND]
    assert (found.passed, found.severe) == (passed, severe)
    if days < 14:
        assert found.text == "not enough history for a band"


def test_the_ui_hears_of_an_hour_once_when_it_turns_red_and_once_when_it_is_mended(
    rcs: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    # hour 3 never landed at all: Dagster shows it as not materialized; the newest two are left to the schedule
    import_hours(rcs, manifest, warehouse, range(3))
    import_hours(rcs, manifest, warehouse, range(4, 8))
    warehouse.read(f"delete from streams.{RCS} where _hour in ('2026-11-01 01:00:00', '2026-11-01 07:00:00')")

    def heard() -> list[tuple[str, int, bool]]:
        refreshed(rcs, manifest, warehouse, 8)
        with warehouse.transaction() as con:
            found = untold(con, at(8))
            for stream, outcomes in found.items():
                note_told(con, stream, outcomes)
        return [
            (each.check.name, int((each.hour - START) / HOUR), each.passed)
            for outcomes in found.values()
            for each in outcomes
        ]

    assert heard() == [("complete", 1, False)]
    assert heard() == []
    load(rcs, manifest, warehouse, range(1, 2))
    assert heard() == [("complete", 1, True)]
    assert heard() == []


def test_the_page_names_the_first_trouble_and_its_command(
    rcs: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    import_hours(rcs, manifest, warehouse, range(8))
    warehouse.read(f"delete from streams.{RCS} where _hour >= '2026-11-01 03:00:00'")
    refreshed(rcs, manifest, warehouse, 8)
    with warehouse.transaction() as con:
        page = page_of(con, at(8))
    (line,) = [each for each in page.table.splitlines() if RCS in each]
    assert line.startswith(f"| {RCS} | 2026-11-01T00 | 2026-11-01T03 | 0 | 0 | 8 | 0 | 0 |")
    assert f"Next: iterable-pipelines rebuild --from 2026-11-01T03 --to 2026-11-01T04 --stream {RCS}" in line
    lacking, whole = "settled, landed but not loaded, 3 rows", "settled, 3 rows"
    for name in TYPES:
        assert f"<title>{name} 2026-11-01T02: {whole}</title>" in page.picture
        assert f"<title>{name} 2026-11-01T03: {lacking}</title>" in page.picture
    assert page.picture.count('fill="#d33a2c"') == 5 * len(TYPES)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["land", "load", "late", "quarantine", "delete row", "delete file", "tick"]),
        st.integers(0, 11),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=14,
)


@given(STEPS, st.integers(0, 2**16))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_counting_what_changed_is_counting_everything(steps: list[tuple[str, int, int]], seed: int) -> None:
    chance, hours = random.Random(seed), 12
    with tempfile.TemporaryDirectory() as folder:
        project = Settings(
            api_key="sandbox", base_url="http://127.0.0.1:9", data_dir=Path(folder), start_date=START, data_types=TYPES,
            skip_users=True,
        )  # fmt: skip
        manifest = Manifest(project.landing_dir)
        warehouse = Warehouse(project.warehouse_path, project.published_path)
        with kept_open(warehouse):
            warehouse.prepare()
            for what, number, rows in steps:
                name = chance.choice(TYPES)
                part = manifest.current(name).get(at(number))
                if what == "land":
                    land(project, manifest, name, at(number), events(at(number), rows), 10)
                elif what == "late":
                    land(project, manifest, name, at(number), events(at(number), rows), chance.choice((200, 300)))
                elif what == "load" and part and (not part.path or (project.landing_dir / part.path).exists()):
                    load_hours(warehouse, manifest, project, RCS, [], "run")
                    other = [manifest.current(each).get(at(number)) for each in TYPES]
                    if all(not each or not each.path or (project.landing_dir / each.path).exists() for each in other):
                        load(project, manifest, warehouse, range(number, number + 1))
                elif what == "quarantine":
                    file = project.landing_dir / "quarantine" / "x.ndjson"
                    moment = at(number) + chance.choice((2, 4, 7)) * HOUR
                    manifest.quarantine(
                        name, Window.of_hour(at(number)), moment, (1, 0, "not JSON"), f"quarantine/{file.name}"
                    )
                elif what == "delete row":
                    warehouse.read(f"delete from streams.{RCS} where rowid = {rows}")
                elif what == "delete file" and part and part.path:
                    (project.landing_dir / part.path).unlink(missing_ok=True)
                elif what == "tick":
                    hours += rows
                # nothing is looked at again but what the manifest, the loads and the quarantine say has changed
                with warehouse.transaction() as con:
                    if what in ("delete row", "delete file"):
                        refresh(con, project, manifest, at(hours))
                    else:
                        refresh(con, project, manifest, at(hours), since=at(hours))
            with warehouse.transaction() as con:
                little = con.execute(
                    f"select {COLUMNS}, rows_low, rows_high from streams.completeness order by all"
                ).fetchall()
                con.execute("delete from streams.landed")
                con.execute("delete from streams.completeness")
                refresh(con, project, manifest, at(hours), since=START)
                whole = con.execute(
                    f"select {COLUMNS}, rows_low, rows_high from streams.completeness order by all"
                ).fetchall()
            assert little == whole
            assert len(whole) == hours * len(TYPES)


def test_a_manifest_begun_anew_and_a_start_moved_are_followed(
    rcs: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    import_hours(rcs, manifest, warehouse, range(3))
    refreshed(rcs, manifest, warehouse, 3)
    earlier = rcs.model_copy(update={"start_date": START - 2 * HOUR})
    found = refreshed(earlier, manifest, warehouse, 3, since=at(3))
    assert [found["rcsSend", number][0] for number in range(-2, 3)] == ["missing"] * 2 + ["settled"] * 3
    assert set(found) == {(name, number) for name in TYPES for number in range(-2, 3)}
    later = rcs.model_copy(update={"start_date": at(1), "data_types": ("rcsSend",)})
    assert set(refreshed(later, manifest, warehouse, 3, since=at(3))) == {("rcsSend", 1), ("rcsSend", 2)}
    with manifest.connection() as con:
        con.execute("delete from parts")
    found = refreshed(rcs, manifest, warehouse, 3)
    assert {state for state, _ in found.values()} == {"missing"}
    assert set(STREAM[RCS].data_types) == set(TYPES)
