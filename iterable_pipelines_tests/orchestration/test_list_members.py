"""The asset `objects/list_members` and its check, as Dagster runs them."""

from collections.abc import Callable

import dagster as dg

from iterable_pipelines.hours import parse_hour
from iterable_pipelines.sandbox import World, running_sandbox

WORLD = {"users": 30, "start": parse_hour("2026-10-01"), "end": parse_hour("2026-11-02")}


def test_a_turn_says_what_it_did_and_the_check_what_is_behind(definitions_on: Callable[..., dg.Definitions]) -> None:
    # no more lists than a minute's budget
    world = World(**WORLD, more_lists=3)
    with running_sandbox(world=world) as sandbox, dg.DagsterInstance.ephemeral() as instance:
        definitions = definitions_on(sandbox, requests_relaxed="false", skip_users="false")
        for name in ("objects_refresh", "read_lists"):
            result = definitions.resolve_job_def(name).execute_in_process(instance=instance)
            assert result.success
        (told,) = result.get_asset_materialization_events()
        metadata = {name: each.value for name, each in told.materialization.metadata.items()}
        assert (metadata["lists"], metadata["lists_read"]) == (8, 4)
        assert (metadata["lists_in_trouble"], metadata["left"]) == (0, 0)
        assert metadata["joined"] == metadata["members"] > 10
        assert metadata["oldest_minutes"] < 60
        assert "| 950000 | Segment 0 | Dynamic | yes |" in str(metadata["staleness"])
        (answer,) = result.get_asset_check_evaluations()
        assert (answer.check_name, answer.passed) == ("lists_are_fresh", True)


def test_the_check_warns_of_old_lists_and_of_trouble(definitions_on: Callable[..., dg.Definitions]) -> None:
    world = World(**WORLD, more_lists=1)
    with running_sandbox(world=world) as sandbox, dg.DagsterInstance.ephemeral() as instance:
        definitions = definitions_on(sandbox, requests_relaxed="false", skip_users="false")
        sandbox.fault("status", "/api/lists/getUsers", match={"listId": "950000"}, times=None, status=500)
        for name in ("objects_refresh", "read_lists"):
            result = definitions.resolve_job_def(name).execute_in_process(instance=instance)
            # one list's trouble is not the run's
            assert result.success
        (answer,) = result.get_asset_check_evaluations()
        assert (answer.passed, answer.severity) == (False, dg.AssetCheckSeverity.WARN)
        text = str(answer.description)
        assert "1 lists in live campaigns are more than an hour old, the first: 950000" in text
        assert "HTTP 500" in text and "Next: iterable-pipelines lists" in text
