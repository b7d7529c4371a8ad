"""The daily job: Iterable's lists, the erasure, and a check that hashes whatever is there."""

from pathlib import Path

import dagster as dg
import pytest

from iterable_pipelines.erasure.assets import FORGOTTEN, erasure_assets, erasure_checks
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.resources import IterableResource
from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines.settings import load_settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.erasure.people import ADA, BOB, forget, import_people


def test_the_job_erases_and_the_check_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = {"users": 5, "start": parse_hour("2026-11-01"), "end": parse_hour("2026-11-02")}
    with running_sandbox(**world, relaxed=True) as sandbox:
        for name, value in {
            "API_KEY": sandbox.key,
            "BASE_URL": sandbox.url,
            "DATA_DIR": str(tmp_path),
            "START_DATE": "2026-11-01",
            "REQUESTS_RELAXED": "true",
        }.items():
            monkeypatch.setenv(f"ITERABLE_{name}", value)
        project = load_settings()
        warehouse = Warehouse.of(project)
        warehouse.prepare()
        import_people(project, Manifest(project.landing_dir), warehouse)
        sandbox.world.written.forgotten_emails[ADA] = None
        resources = {"iterable": IterableResource(api_key=dg.EnvVar("ITERABLE_API_KEY"))}
        defs = dg.Definitions(assets=erasure_assets(), asset_checks=erasure_checks(), resources=resources)
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process()
        (facts,) = [each.metadata for each in result.asset_materializations_for_node("erasure__forgotten")]
        assert [facts[name].value for name in ("persons", "tombstones_new", "identifiers_left")] == [1, 8, 0]
        assert (facts["still_open"].value, facts["oldest_pending_hours"].value) == ("none", 0.0)
        (check,) = result.get_asset_check_evaluations()
        assert (check.asset_key, check.passed) == (FORGOTTEN, True)
        # somebody of whom no erasure has heard yet turns it red
        forget(project, BOB)
        job = dg.define_asset_job("look", dg.AssetSelection.checks_for_assets(FORGOTTEN))
        looked = dg.Definitions(assets=erasure_assets(), asset_checks=erasure_checks(), jobs=[job], resources=resources)
        (check,) = looked.resolve_job_def("look").execute_in_process().get_asset_check_evaluations()
        assert (check.passed, check.metadata["identifiers_left"].value) == (False, 2)
