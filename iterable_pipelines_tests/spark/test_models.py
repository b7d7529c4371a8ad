"""The models give the same rows on Spark as on DuckDB: first, after everything changed, and built anew."""

import json
import random
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import pytest

from iterable_pipelines.data_types import DATA_TYPES
from iterable_pipelines.hours import HOUR, Window, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles.build import run_models
from iterable_pipelines.profiles.dbt import run_dbt
from iterable_pipelines.profiles.spark import spark_environment, sweep
from iterable_pipelines.sandbox import World
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.marts.conftest import answered, refresh_objects
from iterable_pipelines_tests.marts.recount import Truth
from iterable_pipelines_tests.marts.test_marts import on_lists, write_members
from iterable_pipelines_tests.profiles.test_profiles import Parts, events_of, load_all, users_of
from iterable_pipelines_tests.spark.lake_by_hand import write_lake
from iterable_pipelines_tests.spark.quick_plans import plan_quickly
from iterable_pipelines_tests.spark.sameness import differences, models, write_views

START = parse_hour("2026-11-01")
# few hours over more than the tail of 48: the first leave it as the last come in
HOURS = [START + number * HOUR for number in (0, 1, 2, 3, 30, 50, 51)]
EARLIER, LATER = HOURS[:5], HOURS[5:]
SPARK_TABLES, SPARK_VIEWS = "BASE TABLE", "VIEW"


def exported(world: World, hours: Iterable[datetime]) -> Parts:
    return {
        (each.name, hour): [json.loads(line) for line in lines]
        for each in DATA_TYPES
        for hour in hours
        if (lines := list(world.records(each.name, Window.of_hour(hour), HOURS[-1] + HOUR)))
    }


def add_as_a_webhook_does(warehouse: Warehouse) -> None:
    """One more event in an hour of which nothing else changed: the twin of one that is there."""
    with warehouse.transaction() as con:
        con.execute(
            "insert into streams.iterable_activity select * replace ('by webhook' as event_id, "
            "created_at + interval 1 second as created_at, nextval('streams.load_ids') as _load_id) "
            "from streams.iterable_activity where _hour = $1 and data_type = 'emailOpen' order by event_id limit 1",
            [EARLIER[2].replace(tzinfo=None)],
        )
        con.execute(
            "insert into streams.webhook_loads select _load_id, 1, 'iterable_activity', data_type, _hour, "
            "1, 0, true, now(), 'run' from streams.iterable_activity where event_id = 'by webhook'"
        )


def change_names(warehouse: Warehouse) -> None:
    with warehouse.transaction() as con:
        con.execute(
            "update objects.campaigns set name = 'renamed', _load_id = nextval('streams.load_ids') where id % 3 = 0"
        )
        con.execute("delete from objects.campaigns where id % 5 = 0")
        con.execute("update objects.message_types set _gone_at = now() where id % 2 = 0")


# an odd name of a field, too
@pytest.fixture
def project(project: Settings, tmp_path: Path) -> Settings:
    plan_quickly(tmp_path)
    return project.model_copy(
        update={"project_root": tmp_path, "profile_fields": {"plan": "plan", "odd": 'a.b/c\'d "e"'}}
    )


@pytest.fixture
def built(project: Settings, warehouse: Warehouse) -> Callable[..., None]:
    """Builds the models on both engines over the same rows, and compares every table, or every view, too."""
    lake = project.data_dir / "lake"

    def build(command: str, *arguments: str, views: bool = False) -> None:
        if "--select" in arguments:
            run_dbt(project, [command, *arguments])
        else:
            run_models(project, warehouse, full_refresh="--full-refresh" in arguments)
        write_lake(warehouse, lake)
        sweep(project)
        run_dbt(project, [command, "--target", "spark_session", *arguments], spark_environment(project, str(lake)))
        assert differences(warehouse, lake, models(warehouse, SPARK_TABLES)) == {}
        if views:
            folder = project.data_dir / "views"
            write_views(project, lake, models(warehouse, SPARK_VIEWS), folder)
            assert differences(warehouse, folder, models(warehouse, SPARK_VIEWS)) == {}

    return build


# Spark plans statements with hundreds of columns, four times
@pytest.mark.timeout(2700)
def test_every_table_and_view_is_the_same_on_both_engines(
    project: Settings, manifest: Manifest, warehouse: Warehouse, built: Callable[..., None]
) -> None:
    chance = random.Random(11)
    world = World(users=30, activity=4, start=START, end=HOURS[-1] + HOUR)
    complete = exported(world, HOURS)
    first = {key: records for key, records in complete.items() if key[1] in EARLIER}
    late = set(chance.sample(sorted(key for key in first if key[0] != "user"), 10))
    refresh_objects(world, project, warehouse)
    truth = Truth(list(events_of(complete)), users_of(complete), answered(warehouse), [], "email")
    write_members(warehouse, on_lists(truth, answered(warehouse)["lists"], chance))
    for (data_type, hour), records in first.items():
        land(project, manifest, data_type, hour, records[1:] if (data_type, hour) in late else records)
    load_all(project, manifest, warehouse, EARLIER)
    # the models' own tests are for the last build: rows that are the same need no other
    built("run")

    # an hour that is new, hours with more, fewer or no rows, and a build that breaks off before profiles
    fewer = chance.sample(sorted(key for key in first.keys() - late if key[0] != "user"), 10)
    for number, key in enumerate(fewer):
        complete[key] = complete[key][1:] if number % 2 else []
    emptied = [key for key in first if key[1] == EARLIER[3] and key[0] != "user"]
    complete.update({key: [] for key in emptied})
    for data_type, hour in sorted({*late, *fewer, *emptied}):
        land(project, manifest, data_type, hour, complete[data_type, hour], minutes_after=200)
    for (data_type, hour), records in complete.items():
        if hour in LATER:
            land(project, manifest, data_type, hour, records)
    load_all(project, manifest, warehouse, HOURS)
    built("run", "--select", "+user_base")
    # as a killed build leaves it
    (project.data_dir / "lake" / "profiles" / "user_profiles__next" / "_temporary" / "0").mkdir(parents=True)

    # one event more, campaigns with other names or gone, and somebody who has another address
    add_as_a_webhook_does(warehouse)
    change_names(warehouse)
    moved = dict(
        users_of(complete)[0], email="moved@elsewhere.example", profileUpdatedAt=f"{LATER[-1]:%Y-%m-%d %H}:05:00 +00:00"
    )
    land(project, manifest, "user", LATER[-1], [*complete.get(("user", LATER[-1]), []), moved], minutes_after=200)
    load_all(project, manifest, warehouse, LATER)
    built("run", views=True)
    built("build", "--full-refresh")
