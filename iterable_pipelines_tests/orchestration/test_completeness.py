"""The asset `streams/completeness` in Dagster: it tells the UI of hours that nobody materializes any more."""

from pathlib import Path

import dagster as dg
import pytest

from iterable_pipelines.hours import HOUR, Window, hour_of, now, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.sandbox import World, running_sandbox
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.orchestration.conftest import DefinitionsOn

ACTIVITY = dg.AssetKey(["streams", "iterable_activity"])


def test_a_removed_file_turns_its_hour_red_and_a_refetch_turns_it_green(
    tmp_path: Path, definitions_on: DefinitionsOn
) -> None:
    start = parse_hour("2026-11-01")
    hours = Window(start, start + 3 * HOUR).hours()
    world = World(users=30, start=start - 24 * HOUR, end=start + 3 * HOUR)
    with running_sandbox(world=world, relaxed=True) as sandbox, dg.DagsterInstance.ephemeral() as instance:
        definitions = definitions_on(sandbox, data_types="emailSend")
        imports, audit = (definitions.resolve_job_def(each) for each in ("hourly_import", "audit_completeness"))
        span = {
            "dagster/asset_partition_range_start": "2026-11-01T00",
            "dagster/asset_partition_range_end": "2026-11-01T02",
        }

        def red() -> set[str | None]:
            keys = [dg.AssetCheckKey(ACTIVITY, "complete")]
            found = instance.event_log_storage.get_asset_check_partition_info(keys)
            return {each.partition_key for each in found if each.latest_execution_status.value == "FAILED"}

        result = imports.execute_in_process(tags=span, instance=instance)
        (loaded,) = [each for each in result.get_asset_materialization_events() if each.asset_key == ACTIVITY][:1]
        assert loaded.materialization.metadata["complete_up_to"].value == "2026-11-01T03"
        assert red() == set()
        manifest = Manifest(tmp_path / "landing")
        (tmp_path / "landing" / str(manifest.current("emailSend")[hours[1]].path)).unlink()
        Warehouse(tmp_path / "iterable.duckdb", tmp_path / "read.duckdb").read(
            "delete from streams.iterable_activity where _hour = '2026-11-01 02:00:00'"
        )
        result = audit.execute_in_process(instance=instance)
        (told,) = result.get_asset_materialization_events()
        metadata = told.materialization.metadata
        assert metadata["verdicts_changed"].value == 2
        assert metadata["complete_up_to/iterable_activity"].value == "2026-11-01T01"
        assert "data:image/svg+xml;base64," in str(metadata["page"].value)
        assert red() == {"2026-11-01T01", "2026-11-01T02"}
        page = (tmp_path / "completeness.md").read_text()
        assert "backfill --from 2026-11-01T01 --to 2026-11-01T02 --stream iterable_activity --refetch" in page
        assert (tmp_path / "completeness.svg").read_text().startswith("<svg")
        imports.execute_in_process(
            tags=span,
            instance=instance,
            run_config={"ops": {"landing__iterable_activity": {"config": {"refetch": True}}}},
        )
        assert red() == set()
        (told,) = audit.execute_in_process(instance=instance).get_asset_materialization_events()
        assert told.materialization.metadata["verdicts_changed"].value == 0
        assert hour_of(now()) > hours[-1]


def test_campaigns_are_compared_by_a_job_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_sandbox(users=5, relaxed=True) as sandbox, dg.DagsterInstance.ephemeral() as instance:
        for name, value in {"API_KEY": sandbox.key, "BASE_URL": sandbox.url, "DATA_DIR": str(tmp_path)}.items():
            monkeypatch.setenv(f"ITERABLE_{name}", value)
        from iterable_pipelines.definitions import defs

        result = defs().resolve_job_def("compare_campaigns").execute_in_process(instance=instance)
        (answer,) = result.get_asset_check_evaluations()
        assert (answer.check_name, answer.passed, answer.partition) == ("matches_campaign_metrics", True, None)
        assert sandbox.requests("/api/campaigns/metrics") == []
