"""`demo`, as a stranger meets it: no key, nothing set up, and a real project's data beside it."""

import re
from pathlib import Path

import duckdb

from iterable_pipelines.cli.sandbox_project import first_hour
from iterable_pipelines.data_types import DATA_TYPES, STREAMS
from iterable_pipelines.hours import HOUR, hour_of, now
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.cli.command import CHECKOUT, Command
from iterable_pipelines_tests.landing_by_hand import land


def test_the_demo_begins_a_day_ago_even_where_the_ui_has_landed_a_later_hour(
    project: Settings, manifest: Manifest
) -> None:
    a_day_ago = hour_of(now()) - 24 * HOUR
    land(project, manifest, "rcsSend", a_day_ago + 20 * HOUR, [])
    assert first_hour(manifest) == a_day_ago
    land(project, manifest, "rcsSend", a_day_ago - 20 * HOUR, [])
    assert first_hour(manifest) == a_day_ago - 20 * HOUR


EXAMPLES = len(list((CHECKOUT / "docs" / "syncs-examples").glob("*.yml")))


def test_the_demo_twice_and_what_it_leaves(tmp_path: Path) -> None:
    # a real project is half set up: the demo must neither use nor touch it
    (tmp_path / ".env").write_text("ITERABLE_DATA_TYPES=emailOpen\nITERABLE_SKIP_USERS=true\n")
    command = Command(tmp_path)
    first = command("demo")
    assert first.code == 0, first.err
    assert "export limit relaxed" in first.out
    for stream in STREAMS:
        assert f"streams.{stream.name}" in first.out
    (shown,) = re.findall(r"Profile of\s+(\S+)", first.out)
    assert "marts.iterable__campaigns " in first.out
    assert "Next: `make dev`" in first.out
    assert "What went back to the sandbox" in first.out
    assert [each.name for each in (tmp_path / "data").iterdir()] == ["demo"]

    copy = tmp_path / "data" / "demo" / "iterable.read.duckdb"
    with duckdb.connect(copy, read_only=True) as con:
        (people,) = con.execute("select count(*) from profiles.user_profiles").fetchone() or (0,)
        for stream in STREAMS:
            assert con.execute(f"select count(*) > 0 from streams.{stream.name}").fetchone() == (True,)
        # who it is, and what they did, depends on the hour at which the test runs
        found = con.execute("select it_event from profiles.user_profiles where user_key = ?", [shown]).fetchone()
        known = set(con.execute("select raw_key from profiles.user_keys").fetchall())
    assert people > 100
    assert found and found[0]
    for data_type in DATA_TYPES:
        assert data_type.name not in found[0] or f" {data_type.profile} " in first.out

    second = command("demo")
    assert second.code == 0, second.err
    with duckdb.connect(copy, read_only=True) as con:
        # there may be fewer people: what has come since may tell that two were one
        assert known <= set(con.execute("select raw_key from profiles.user_keys").fetchall())
        # a new sandbox was sent everything again
        assert len(con.execute("select distinct sync from activation.sync_runs").fetchall()) == EXAMPLES
        assert (
            con.execute("select count(*) from streams.loads group by data_type, hour having count(*) > 1").fetchall()
            == []
        )
