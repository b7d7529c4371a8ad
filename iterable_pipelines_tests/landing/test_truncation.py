"""However an answer ends early, not a row of it is committed; the next answer that is whole lands as if nothing was."""

import pytest

from iterable_pipelines.api import Iterable, Ledger
from iterable_pipelines.landing import LandingFailed, Manifest, land_hours
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.api.conftest import BRISK, WINDOW
from iterable_pipelines_tests.api.test_truncation import CUT, RECORDS, WHOLE
from iterable_pipelines_tests.api.wire import serving

STREAM = "iterable_rcs_activity"


@pytest.fixture
def one_type(project: Settings) -> Settings:
    return project.model_copy(update={"data_types": ("rcsSend",), "skip_users": True, "start_date": WINDOW.start})


def land_and_load(url: str, project: Settings, warehouse: Warehouse, run: str) -> int:
    manifest = Manifest(project.landing_dir)
    client = Iterable("sandbox", url, Ledger(project.ledger_path, relaxed=True), patience=BRISK)
    try:
        land_hours(client, manifest, project, STREAM, [WINDOW.start], run, log=lambda text: None)
    finally:
        load_hours(warehouse, manifest, project, STREAM, [WINDOW.start], run, log=lambda text: None)
    return int(warehouse.read(f"select count(*) from streams.{STREAM}")[0][0])


@pytest.mark.parametrize("name", CUT)
def test_an_answer_that_ends_early_commits_nothing(name: str, one_type: Settings, warehouse: Warehouse) -> None:
    with serving(CUT[name][0]) as wire, pytest.raises(LandingFailed, match="stored before is safe"):
        land_and_load(wire.url, one_type, warehouse, "cut")
    assert wire.requests
    assert Manifest(one_type.landing_dir).current("rcsSend") == {}
    assert warehouse.read(f"select count(*) from streams.{STREAM}") == [(0,)]
    assert not list((one_type.landing_dir / "events").rglob("*.parquet"))
    with serving(WHOLE["chunks"]) as wire:
        assert land_and_load(wire.url, one_type, warehouse, "whole") == RECORDS.count(b"\n")
