"""Syncs in Dagster: an asset each after what it reads, what its run tells, and runs that send nothing."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from iterable_pipelines.activation.assets import activation_assets
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.state import open_workspace
from iterable_pipelines.automation import sync as sync_job
from iterable_pipelines.failures import NEVER
from iterable_pipelines.profiles.assets import PROFILES
from iterable_pipelines_tests.activation.conftest import Activation
from iterable_pipelines_tests.activation.surface.conftest import SYNC
from iterable_pipelines_tests.automation_ticks import Ticks

KEY = dg.AssetKey(["activation", "people"])
OP = "activation__people"


def run(shop: Activation, instance: dg.DagsterInstance, **config: Any) -> dg.ExecuteInProcessResult:
    """The job `sync`, with what is set in the launchpad."""
    assets = activation_assets(shop.settings, load_syncs(shop.settings))
    job = dg.Definitions(assets, jobs=[sync_job], executor=dg.in_process_executor).resolve_job_def("sync")
    return job.execute_in_process(run_config={"ops": {OP: {"config": config}}}, instance=instance, raise_on_error=False)


def told(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """The metadata of the materialization."""
    (event,) = result.asset_materializations_for_node(OP)
    return {name: each.value for name, each in event.metadata.items()}


def test_a_run_tells_what_became_of_every_row_and_nothing_of_a_person(
    shop: Activation, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    first = told(run(shop, instance))
    figures = (
        "status",
        "planned",
        "acknowledged",
        "rejected",
        "pending",
        "skipped",
        "add_rows",
        "requests",
        "http_429",
    )
    assert [first[each] for each in figures] == ["succeeded", 3, 2, 1, 0, 0, 3, 1, 0]
    assert (first["acknowledged_in_all"], first["verified_in_all"], first["rejected_in_all"]) == (2, 0, 1)
    assert first["bytes"] > 0 and first["mapping_version"] == 1
    assert "| `invalid_email` | 1 |" in first["rejections"]
    assert "activation.sync_rows where run_id" in first["row_log"]
    assert first["funnel"].startswith("![planned, acknowledged, verified](data:image/svg+xml;base64,")
    second = told(run(shop, instance))
    assert (second["planned"], second["requests"]) == (0, 0)
    assert second["acknowledged_in_all"] == 2
    assert second["outcomes"] == "nothing had to be sent"
    left = [each.read_bytes() for each in (tmp_path / "dagster").rglob("*") if each.is_file()]
    for secret in (b"ada@ex.com", b"Ada", shop.sandbox.key.encode() + b'"'):
        assert not [each for each in left if secret in each], secret


def test_a_dry_run_observes_and_sends_nothing(shop: Activation, instance: dg.DagsterInstance) -> None:
    result = run(shop, instance, dry_run=True)
    assert result.success and not result.asset_materializations_for_node(OP)
    assert shop.requests() == []
    (seen,) = instance.fetch_observations(KEY, limit=5).records
    found = {name: each.value for name, each in seen.asset_observation.metadata.items()}  # type: ignore[union-attr]
    assert (found["rows"], found["would_send"], found["add_rows"]) == (3, 2, 2)
    assert not (shop.settings.data_dir / "activation" / "people.duckdb").exists()


def test_the_launchpad_sends_a_row_or_the_first_so_many(shop: Activation, instance: dg.DagsterInstance) -> None:
    assert told(run(shop, instance, only_pks=["2"]))["acknowledged"] == 1
    assert [each["email"] for each in shop.requests()[0]["users"]] == ["bob@ex.com"]
    assert told(run(shop, instance, limit=1))["acknowledged"] == 1
    assert [each["email"] for each in shop.requests()[1]["users"]] == ["ada@ex.com"]


def test_g9_switched_off_it_stays_in_the_graph_and_its_run_sends_nothing(
    shop: Activation, instance: dg.DagsterInstance
) -> None:
    shop.sync("people", SYNC + "enabled: false\n")
    (asset,) = activation_assets(shop.settings, load_syncs(shop.settings))
    assert "Switched off" in (asset.specs_by_key[KEY].description or "")
    assert asset.specs_by_key[KEY].automation_condition is None
    result = run(shop, instance)
    assert result.success and not result.asset_materializations_for_node(OP)
    assert shop.requests() == []


def test_s1_a_second_run_at_the_same_time_sends_nothing_and_does_not_fail(
    shop: Activation, instance: dg.DagsterInstance
) -> None:
    with open_workspace(shop.settings, "people", write=True):
        result = run(shop, instance)
    assert result.success and not result.asset_materializations_for_node(OP)
    assert shop.requests() == []


def test_s14_too_many_refused_rows_fail_the_run_which_is_not_tried_again(
    shop: Activation, instance: dg.DagsterInstance
) -> None:
    shop.sync("people", SYNC + "max_failure_ratio: 0.1\n")
    result = run(shop, instance)
    failure = result.failure_data_for_node(OP)
    assert failure and failure.user_failure_data
    description = failure.user_failure_data.description or ""
    assert "people: 1 of 3 records were refused, more than 10%" in description
    assert description.endswith("Next: iterable-pipelines sync errors people")
    found = failure.user_failure_data.metadata
    assert (found["retry"].value, found["acknowledged"].value) == (NEVER, 2)
    stored = instance.get_run_by_id(result.run_id)
    assert stored and stored.tags["dagster/max_retries"] == "0"


def test_it_stands_after_what_it_reads(shop: Activation) -> None:
    shop.sync("people", SYNC)
    other = SYNC.replace("firstName", "name")
    shop.sync(
        "query", other.replace("shop.people", '{sql: "from marts.iterable__users join objects.lists using (id)"}')
    )
    shop.sync("model", SYNC.replace("firstName", "nick").replace("shop.people", "ref('iterable__users')"))
    assets = activation_assets(shop.settings, load_syncs(shop.settings))
    parents = {
        each.key.path[-1]: {dep.asset_key.to_user_string() for dep in each.specs_by_key[each.key].deps}
        for each in assets
    }
    profiles = PROFILES.to_user_string()
    assert parents == {
        "people": {profiles, "shop/people"},
        "query": {profiles, "marts/iterable__users", "objects/lists"},
        "model": {profiles, "marts/iterable__users"},
    }
    for each in assets:
        spec = each.specs_by_key[each.key]
        assert (spec.group_name, spec.kinds, spec.owners) == ("activation", {"iterable", "user"}, ["team:data"])
        assert f"`syncs/{each.key.path[-1]}.yml`" in (spec.description or "")


def test_a_new_copy_for_readers_starts_it_at_the_next_five_minutes(shop: Activation) -> None:
    @dg.asset(key=PROFILES)
    def profiles() -> None: ...

    assets = activation_assets(shop.settings, load_syncs(shop.settings))
    with dg.DagsterInstance.ephemeral() as instance:
        ticks = Ticks(dg.Definitions([profiles, *assets]), instance)

        def asked(minute: int, second: int = 0) -> int:
            return ticks.requested(KEY, at=datetime(2026, 11, 1, 3, minute, second, tzinfo=UTC))

        asked(1)
        dg.materialize([profiles], instance=instance)
        assert asked(3) == 0
        dg.materialize([profiles], instance=instance)
        assert asked(5, 10) == 1
        assert asked(10, 10) == 0
