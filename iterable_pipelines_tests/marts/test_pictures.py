"""The pictures of campaigns: what they show is what was counted, and nobody can be told from them."""

import base64
import re

import dagster as dg

from iterable_pipelines.hours import parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.marts.pictures import Funnel, funnel_picture, newest_funnels, week_picture
from iterable_pipelines.profiles import run_models
from iterable_pipelines.sandbox import World, running_sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.marts.test_touched import HOUR, opened
from iterable_pipelines_tests.orchestration.conftest import DefinitionsOn, definitions_on
from iterable_pipelines_tests.profiles.test_profiles import load_all

__all__ = ["definitions_on"]


def test_a_funnel_says_how_many_people_came_to_each_step() -> None:
    svg = funnel_picture([Funnel(7, "<b>Sale</b>", (200, 190, 50, 10, 0))])
    assert "200 · 100%" in svg and "190 · 95%" in svg and "50 · 25%" in svg and "10 · 5%" in svg
    assert "clicked: 10 people, 5.0% of those it was sent to" in svg
    assert "<b>" not in svg and "&lt;b&gt;Sale" in svg


def test_a_funnel_counts_people_once_whatever_experiment_or_medium_they_came_by(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    sends = [opened(who, 1) for who in ("ann", "bob", "cat")]
    land(project, manifest, "emailSend", HOUR, [*sends, sends[0] | {"experimentId": 5}, opened("ann", 2, minute=2)])
    land(project, manifest, "pushSend", HOUR, sends[:2])
    land(project, manifest, "emailBounce", HOUR, [sends[2], sends[2] | {"experimentId": 5}])
    land(project, manifest, "emailOpen", HOUR, [sends[0], sends[0] | {"experimentId": 5}, sends[1]])
    land(project, manifest, "pushOpen", HOUR, sends[:1])
    # a campaign that sent nothing has no funnel
    land(project, manifest, "emailClick", HOUR, [sends[0], opened("ann", 3)])
    load_all(project, manifest, warehouse, [HOUR])
    run_models(project, warehouse)
    assert newest_funnels(warehouse) == [
        Funnel(2, "number 2", (1, 1, 0, 0, 0)),
        Funnel(1, "number 1", (3, 2, 2, 1, 0)),
    ]


def test_a_week_has_a_cell_for_each_hour() -> None:
    svg = week_picture({("Monday", 8): 12, ("Sunday", 23): 1})
    assert len(re.findall("<title>", svg)) == 7 * 24
    assert "<title>Monday 08:00 UTC: 12</title>" in svg and "<title>Sunday 23:00 UTC: 1</title>" in svg
    assert "<title>Tuesday 08:00 UTC: 0</title>" in svg


def test_the_job_of_the_profiles_builds_the_marts_with_their_pictures_and_checks(
    definitions_on: DefinitionsOn,
) -> None:
    world = World(users=30, start=parse_hour("2026-10-31"), end=parse_hour("2026-11-02"))
    with running_sandbox(world=world, relaxed=True) as sandbox, dg.DagsterInstance.ephemeral() as instance:
        definitions = definitions_on(sandbox, data_types="emailSend,emailOpen")
        for job in ("hourly_import", "objects_refresh", "profiles_build"):
            key = {"partition_key": "2026-11-01T10"} if job == "hourly_import" else {}
            result = definitions.resolve_job_def(job).execute_in_process(instance=instance, **key)  # type: ignore[arg-type]
            assert result.success
    told = {}
    for event in result.get_asset_materialization_events():
        told[event.materialization.asset_key.to_user_string()] = event.materialization.metadata
    assert {"marts/iterable__events", "marts/iterable__users", "profiles/user_profiles"} <= told.keys()
    checks = {each.check_name for each in result.get_asset_check_evaluations() if each.passed}
    assert len([name for name in checks if name.startswith("one_row_per_iterable__")]) == 7
    shown = {
        "funnel": told["marts/iterable__campaigns"]["funnel"],
        "hour_of_week": told["marts/iterable__events"]["hour_of_week"],
    }
    for name, picture in shown.items():
        encoded = re.search(r"base64,([^)]+)\)", str(picture.value))
        assert encoded, name
        svg = base64.b64decode(encoded[1]).decode()
        assert "@" not in svg
        assert svg.count("<rect") > 5
