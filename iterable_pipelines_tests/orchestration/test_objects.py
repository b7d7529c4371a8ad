"""Objects as Dagster runs them: frames from asset to asset, and what a project does not offer."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from iterable_pipelines.hours import parse_hour
from iterable_pipelines.objects.io_manager import WarehouseFrames
from iterable_pipelines.sandbox import Sandbox, running_sandbox
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.orchestration.conftest import DefinitionsOn


@dg.asset(
    key=["marts", "channels_by_medium"],
    ins={name: dg.AssetIn(key=["objects", name]) for name in ("channels", "campaigns")},
    io_manager_key="warehouse_frames",
)
def channels_by_medium(channels: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    """An asset as a user would write it."""
    sent = campaigns.groupby("message_medium").size().rename("campaigns")
    counted = channels.groupby("message_medium").size().rename("channels")
    return pd.concat([counted, sent], axis=1).reset_index()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox(users=5, start=parse_hour("2025-02-28"), end=parse_hour("2025-03-01")) as running:
        yield running


@pytest.fixture
def own_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with a warehouse, and nothing else."""
    monkeypatch.setenv("ITERABLE_API_KEY", "sandbox")
    monkeypatch.setenv("ITERABLE_DATA_DIR", str(tmp_path))


def execute(definitions: dg.Definitions, job: str) -> dg.ExecuteInProcessResult:
    return definitions.resolve_job_def(job).execute_in_process(raise_on_error=False)


def tables() -> Warehouse:
    from iterable_pipelines.settings import load_settings

    return Warehouse.of(load_settings())


def test_an_asset_of_ones_own_takes_objects_as_frames_and_gives_one(
    sandbox: Sandbox, definitions_on: DefinitionsOn
) -> None:
    definitions = definitions_on(sandbox)
    assert execute(definitions, "objects_refresh").success
    together = dg.Definitions.merge(definitions, dg.Definitions(assets=[channels_by_medium]))
    own = together.resolve_implicit_global_asset_job_def().execute_in_process(asset_selection=[channels_by_medium.key])
    assert own.success
    found = dict(tables().read("select message_medium, (channels, campaigns) from marts.channels_by_medium"))
    expected = dict(
        tables().read(
            "select message_medium, (count(*), (select count(*) from objects.campaigns where message_medium = "
            "channels.message_medium)) from objects.channels group by 1"
        )
    )
    assert found == expected
    (stored,) = own.asset_materializations_for_node("marts__channels_by_medium")
    assert stored.metadata["dagster/row_count"].value == len(found)


def test_a_frame_that_lost_a_column_fails_and_leaves_the_table(sandbox: Sandbox, definitions_on: DefinitionsOn) -> None:
    definitions_on(sandbox)
    columns = ["a", "b"]

    @dg.asset(key=["own", "pairs"], io_manager_key="warehouse_frames")
    def pairs() -> pd.DataFrame:
        return pd.DataFrame({name: [1, 2] for name in columns})

    resources = {"warehouse_frames": WarehouseFrames()}
    assert dg.materialize([pairs], resources=resources).success
    columns[1] = "c"
    result = dg.materialize([pairs], resources=resources, raise_on_error=False)
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert "lacks b and has c" in failure.event_specific_data.error.message  # type: ignore[union-attr]
    assert tables().read("select a, b from own.pairs") == [(1, 1), (2, 2)]


@pytest.mark.usefixtures("own_project")
@pytest.mark.parametrize(
    ("key", "said"), [(["pairs"], "key of two parts"), (["own", "counts"], "one whole DataFrame, not int")]
)
def test_what_has_no_table_is_refused(key: list[str], said: str) -> None:
    @dg.asset(key=key, io_manager_key="warehouse_frames")
    def wrong() -> int:
        return 17

    result = dg.materialize([wrong], resources={"warehouse_frames": WarehouseFrames()}, raise_on_error=False)
    (failure,) = result.get_step_failure_events()
    assert said in failure.event_specific_data.error.message  # type: ignore[union-attr]


def test_every_object_is_materialized_by_one_of_two_jobs(sandbox: Sandbox, definitions_on: DefinitionsOn) -> None:
    definitions = definitions_on(sandbox)
    with dg.DagsterInstance.ephemeral() as instance:
        done: list[str] = []
        for job in ("objects_refresh", "objects_daily"):
            result = definitions.resolve_job_def(job).execute_in_process(instance=instance)
            assert result.success
            events = result.get_asset_materialization_events()
            done += [event.asset_key.to_user_string() for event in events if event.asset_key]
            if job == "objects_daily":
                absent = result.get_asset_observation_events()
    objects = {
        key.to_user_string()
        for key in definitions.resolve_asset_graph().materializable_asset_keys
        if key.path[0] == "objects"
    }
    # the world is one of an email project
    # who is on which list has a job of its own
    assert sorted(done) == sorted(objects - {"objects/forgotten_user_ids", "objects/list_members"})
    (said,) = absent
    assert said.asset_key == dg.AssetKey(["objects", "forgotten_user_ids"])
    observed = said.asset_observation_data.asset_observation.metadata["not_offered"].value
    assert "does not offer forgotten user ids" in str(observed)


def test_a_key_without_rights_stops_only_what_needs_them(sandbox: Sandbox, definitions_on: DefinitionsOn) -> None:
    definitions = definitions_on(sandbox, api_key=sandbox.read_only_key)
    done: set[str] = set()
    for job in ("objects_refresh", "objects_daily"):
        result = execute(definitions, job)
        assert result.success
        events = result.get_asset_materialization_events()
        done |= {event.asset_key.to_user_string() for event in events if event.asset_key}
    assert {"objects/campaigns", "objects/metadata_values", "objects/template_contents"} <= done
    assert not done & {"objects/webhooks", "objects/catalogs", "objects/catalog_items", "objects/forgotten_emails"}
