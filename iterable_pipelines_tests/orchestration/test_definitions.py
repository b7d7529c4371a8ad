"""What the project shows Dagster: the keys people link to and alert on, and the wiring between them."""

from pathlib import Path

import dagster as dg
import pytest

from iterable_pipelines.campaigns.procedures import PROCEDURES
from iterable_pipelines.data_types import STREAMS
from iterable_pipelines.hours import HOUR, Window, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.marts.columns import MARTS
from iterable_pipelines.objects import OBJECT_TYPES
from iterable_pipelines.resources import IterableResource
from iterable_pipelines.sandbox import World, running_sandbox
from iterable_pipelines.settings import load_settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.orchestration.conftest import DefinitionsOn

OF_AN_HOUR = ("rows_match_manifest", "inside_its_hour", "unique_event_id", "complete", "volume_in_band")


@pytest.fixture
def definitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    monkeypatch.setenv("ITERABLE_API_KEY", "sandbox")
    monkeypatch.setenv("ITERABLE_DATA_DIR", str(tmp_path))
    from iterable_pipelines.definitions import defs

    return defs()


def test_the_assets_of_every_stage_are_there_in_their_groups(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    keys = {key.to_user_string(): graph.get(key).group_name for key in graph.materializable_asset_keys}
    for stream in STREAMS:
        assert keys[f"landing/{stream.name}"] == "landing"
        assert keys[f"streams/{stream.name}"] == "streams"
    assert (keys["landing/webhooks"], keys["streams/webhooks"]) == ("landing", "streams")
    for kind in OBJECT_TYPES:
        assert keys[f"objects/{kind.name}"] == "objects"
    assert keys["objects/list_members"] == "objects"
    assert keys["profiles/user_profiles"] == keys["profiles/user_activity_hourly"] == "profiles"
    for mart in MARTS:
        assert keys[f"marts/{mart.name}"] == "marts"
    stages = ("landing", "streams", "objects", "profiles", "marts", "audiences", "erasure", "retention")
    assert not {key for key in keys if key.partition("/")[0] not in stages}


def test_no_job_is_empty_but_those_of_files_that_nobody_has_written(definitions: dg.Definitions) -> None:
    jobs = definitions.get_repository_def().get_all_jobs()
    assert {each.name for each in jobs if not each.graph.node_defs} == {
        *("replicate", "send_track_calls", "sync", "two_way", "verify_activation")
    }


def test_every_asset_says_what_it_is_and_whose(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        assert node.description, key
        assert node.owners == ["team:data"], key
        assert node.kinds, key


def test_data_flows_from_landing_to_profiles(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    activity = dg.AssetKey(["streams", "iterable_activity"])
    assert graph.get(activity).parent_keys == {dg.AssetKey(["landing", "iterable_activity"])}
    view = graph.get(dg.AssetKey(["profiles", "activity"]))
    assert activity in view.parent_keys
    assert (
        dg.AssetKey(["streams", "iterable_users"]) in graph.get(dg.AssetKey(["profiles", "user_profiles"])).parent_keys
    )


def test_jobs_schedules_and_sensors(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    assert {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")} == {
        "hourly_import",
        "catch_up",
        "objects_refresh",
        "objects_daily",
        "erase_forgotten",
        "retention",
        "read_lists",
        "webhooks",
        "profiles_build",
        "audit_completeness",
        "compare_campaigns",
        "replicate",
        "send_track_calls",
        "two_way",
        "send_forgets",
        "sync",
        "verify_activation",
        *PROCEDURES,
        "trigger_gated_campaign",
        "write_once",
    }
    assert {each.name: each.cron_schedule for each in repository.schedule_defs} == {
        "import_the_last_hour": "10 * * * *",
        "import_what_is_behind": "40 * * * *",
        "refresh_objects": "5 * * * *",
        "refresh_slow_objects": "25 2 * * *",
        "erase_whom_iterable_forgot": "40 3 * * *",
        "let_old_rows_go": "40 4 * * *",
        "take_turns_at_lists": "20,50 * * * *",
        "look_at_every_hour": "25 3 * * *",
        "compare_with_iterable": "25 4 * * *",
        "read_back_what_was_sent": "55 * * * *",
        "go_on_forgetting": "15 * * * *",
    }
    assert {each.name for each in repository.sensor_defs} == {
        "follow_export_jobs",
        "webhooks_arrived",
        "reap_ghost_runs",
        "build_profiles_when_something_arrived",
        "send_track_calls_when_rows_arrived",
        "sync_when_published",
    }
    for job in repository.get_all_jobs():
        if not job.name.startswith("__"):
            assert int(job.tags["dagster/max_runtime"]) > 0


def test_every_stream_has_partitioned_checks(definitions: dg.Definitions) -> None:
    names: dict[str, set[str]] = {}
    for checks in definitions.asset_checks or []:
        for spec in checks.check_specs:  # type: ignore[union-attr]
            # campaigns are compared as a whole
            assert (spec.partitions_def is None) == (
                spec.name in ("matches_campaign_metrics", "lists_are_fresh", "nothing_left")
            )
            names.setdefault(spec.asset_key.to_user_string(), set()).add(spec.name)
    assert names["streams/iterable_activity"] == {*OF_AN_HOUR, "matches_campaign_metrics"}
    assert names["streams/iterable_users"] == {"rows_match_manifest", "complete", "volume_in_band"}
    assert set(names) == {
        *(f"streams/{stream.name}" for stream in STREAMS),
        "objects/list_members",
        "erasure/forgotten",
    }


def test_turned_off_means_no_clockwork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERABLE_API_KEY", "sandbox")
    monkeypatch.setenv("ITERABLE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ITERABLE_KEEP_UPDATED", "false")
    monkeypatch.setenv("ITERABLE_SKIP_USERS", "true")
    from iterable_pipelines.definitions import defs

    definitions = defs()
    repository = definitions.get_repository_def()
    assert {each.default_status for each in repository.schedule_defs} == {dg.DefaultScheduleStatus.STOPPED}
    assert dg.AssetKey(["landing", "iterable_users"]) not in definitions.resolve_asset_graph().materializable_asset_keys


def test_a_literal_key_is_refused_with_the_line_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ITERABLE_API_KEY", raising=False)
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="EnvVar") as refused:
        IterableResource(api_key="0123456789abcdef0123456789abcdef")
    assert "0123456789abcdef" not in str(refused.value)


def test_a_planted_fault_turns_the_check_red_and_loading_again_turns_it_green(
    tmp_path: Path, definitions_on: DefinitionsOn
) -> None:
    hour = "2026-11-01T10"
    world = World(users=30, start=parse_hour("2026-10-31"), end=parse_hour("2026-11-02"))
    with running_sandbox(world=world, relaxed=True) as sandbox, dg.DagsterInstance.ephemeral() as instance:
        job = definitions_on(sandbox, data_types="emailSend").resolve_job_def("hourly_import")
        checks = [dg.AssetCheckKey(dg.AssetKey(["streams", "iterable_activity"]), name) for name in OF_AN_HOUR]

        def run() -> dict[str, bool]:
            result = job.execute_in_process(partition_key=hour, instance=instance, raise_on_error=False)
            return {each.check_name: each.passed for each in result.get_asset_check_evaluations()}

        assert run() == dict.fromkeys(OF_AN_HOUR, True)
        Warehouse(tmp_path / "iterable.duckdb", tmp_path / "read.duckdb").read(
            "delete from streams.iterable_activity where rowid = 0"
        )
        red = job.get_subset(asset_selection=set(), asset_check_selection=set(checks))
        result = red.execute_in_process(partition_key=hour, instance=instance, raise_on_error=False)
        answers = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
        assert answers == dict.fromkeys(OF_AN_HOUR, True) | {"rows_match_manifest": False, "complete": False}
        assert not result.success
        assert instance.get_run_by_id(result.run_id).tags["dagster/max_retries"] == "0"  # type: ignore[union-attr]
        # over a span of hours, each hour is told apart
        span = {"dagster/asset_partition_range_start": "2026-11-01T09", "dagster/asset_partition_range_end": hour}
        result = red.execute_in_process(tags=span, instance=instance, raise_on_error=False)
        found = {
            each.partition: each.passed
            for each in result.get_asset_check_evaluations()
            if each.check_name == "rows_match_manifest"
        }
        assert found == {"2026-11-01T09": True, hour: False, None: False}
        assert run()["rows_match_manifest"]


def test_a_stream_whose_hour_is_not_whole_fails_and_is_not_tried_again(definitions_on: DefinitionsOn) -> None:
    with running_sandbox(users=5) as sandbox, dg.DagsterInstance.ephemeral() as instance:
        job = definitions_on(sandbox, data_types="emailSend").resolve_job_def("hourly_import")
        stream = job.get_subset(asset_selection={dg.AssetKey(["streams", "iterable_activity"])})

        def failed() -> str:
            result = stream.execute_in_process(partition_key="2026-11-01T10", instance=instance, raise_on_error=False)
            failure = result.failure_data_for_node("streams__iterable_activity")
            assert failure and failure.user_failure_data
            assert failure.user_failure_data.metadata["retry"].value == "never"
            stored = instance.get_run_by_id(result.run_id)
            assert stored and stored.tags["dagster/max_retries"] == "0"
            return failure.user_failure_data.description or ""

        assert "the first is emailSend 2026-11-01T10" in failed()
        # landed once, and fetched again with a line that cannot be read
        hour, project = parse_hour("2026-11-01T10"), load_settings()
        manifest = Manifest.of(project)
        land(project, manifest, "emailSend", hour, [])
        manifest.quarantine("emailSend", Window.of_hour(hour), hour + 5 * HOUR, (1, 0, "not JSON"), "quarantine/it")
        said = failed()
    assert said.startswith("streams/iterable_activity: In quarantine: emailSend 2026-11-01T10, line 1")
    assert "Next: accept what is lost, or materialize landing/iterable_activity" in said


def test_the_launchpad_shows_the_plan_of_a_run_and_asks_for_nothing(definitions_on: DefinitionsOn) -> None:
    world = World(users=5, start=parse_hour("2026-10-31"), end=parse_hour("2026-11-02"))
    with running_sandbox(world=world, relaxed=True) as sandbox, dg.DagsterInstance.ephemeral() as instance:
        definitions = definitions_on(sandbox, start_date="2026-08-01", data_types="rcsSend", requests_relaxed="false")
        result = definitions.resolve_job_def("hourly_import").execute_in_process(
            run_config={"ops": {"landing__iterable_rcs_activity": {"config": {"plan_only": True}}}},
            tags={
                "dagster/asset_partition_range_start": "2026-08-01T00",
                "dagster/asset_partition_range_end": "2026-10-30T23",
            },
            instance=instance,
        )
        said = [entry.user_message for entry in instance.all_logs(result.run_id) if entry.dagster_event is None]
        asked = sandbox.requests("/api/export")
    assert result.success and not asked
    assert not [each for each in result.all_events if each.event_type_value == "ASSET_MATERIALIZATION"]
    (plan,) = [text for text in said if text.startswith("plan for iterable_rcs_activity")]
    assert "0 requests and 1 export jobs" in plan
    assert "rcsSend [2026-08-01 00:00:00, 2026-10-31 00:00:00) UTC by job" in plan
