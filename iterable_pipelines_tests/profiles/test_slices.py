"""How much of the people is worked on at once: what fits into the memory that DuckDB may take."""

import json

import pytest

from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles import dbt, run_models
from iterable_pipelines.profiles.dbt import ModelsFailed, dbt_vars, run_dbt
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.landing_by_hand import land

START = parse_hour("2026-11-01")


@pytest.mark.parametrize(("limit", "times"), [("500MB", 1), ("1GB", 1), ("1.5GB", 1.5), ("8 gib", 8 * 1.024**3)])
def test_slices_grow_with_the_memory(limit: str, times: float, project: Settings) -> None:
    def slices(limit: str) -> list[int]:
        told = json.loads(dbt_vars(project.model_copy(update={"memory_limit": limit})))
        return [told[f"{name}_per_slice"] for name in ("events", "users", "pieces")]

    assert slices(limit) == [int(most * times) for most in slices("1GB")]


@pytest.mark.usefixtures("only_models")
def test_a_first_build_that_breaks_off_between_slices_leaves_no_table(
    project: Settings, manifest: Manifest, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour in (START, START + HOUR):
        opens = [{"createdAt": f"{hour:%Y-%m-%d %H}:00:00 +00:00", "email": f"p{who}@x.example"} for who in range(6)]
        land(project, manifest, "emailOpen", hour, opens)
    load_hours(warehouse, manifest, project, "iterable_activity", [START, START + HOUR], "run", log=lambda text: None)
    run_models(project, warehouse)
    # as in a warehouse of before there was this table
    warehouse.read("drop table marts.recent_activity")
    monkeypatch.setattr(dbt, "PIECES_PER_SLICE", 1)
    buckets = dict(warehouse.read("select raw_key, hash(raw_key) % 7 from profiles.user_keys"))
    assert len(set(buckets.values())) > 1
    counts = "update profiles.user_activity_hourly set counts = map(['emailOpen'], [{}::bigint]) where user_key = ?"
    # two hours of this are more than a sum may be
    last: list[object] = [max(buckets, key=lambda who: buckets[who])]
    warehouse.read(counts.format(2**63 - 1), last)
    with pytest.raises(ModelsFailed, match="recent_activity"):
        run_dbt(project, ["run", "--select", "touched_keys", "recent_activity"])
    left = "select count(*) from duckdb_tables() where table_name = 'recent_activity'"
    assert warehouse.read(left) == [(0,)]
    warehouse.read(counts.format(1), last)
    run_models(project, warehouse)
    found = warehouse.read("select user_key, engagements_at_0 + engagements_at_1 from marts.recent_activity")
    assert dict(found) == dict.fromkeys(buckets, 2)
    assert warehouse.read(left.replace("'recent_activity'", "'recent_activity__next'")) == [(0,)]
