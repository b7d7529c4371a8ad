"""Which models are built when something arrives, as Dagster's own daemon decides it."""

from collections.abc import Iterator

import dagster as dg
import pytest

from iterable_pipelines.sandbox import World, running_sandbox
from iterable_pipelines_tests.automation_ticks import Ticks
from iterable_pipelines_tests.orchestration.conftest import DefinitionsOn

# without them a build would go on from where the last one has begun
SPAN = {"profiles/build_span", "profiles/changed_hours"}


class Daemon:
    """The daemon's ticks, one after the other; what it asks for counts as done unless it is said to fail."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.tick = Ticks(definitions, instance).models
        self.tick()

    def arrives(self, asset: str, hour: str | None = None) -> set[str]:
        """What is asked for once `asset` was materialized."""
        key = dg.AssetKey(asset.split("/"))
        self.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=hour))
        asked = self.tick()
        for name in asked:
            self.instance.report_runless_asset_event(dg.AssetMaterialization(dg.AssetKey(name.split("/"))))
        self.tick()
        return asked


@pytest.fixture
def daemon(definitions_on: DefinitionsOn) -> Iterator[Daemon]:
    with running_sandbox(world=World(users=1)) as sandbox, dg.DagsterInstance.ephemeral() as instance:
        definitions = definitions_on(sandbox, data_types="emailSend,rcsSend")
        yield Daemon(definitions, instance)


def test_no_model_is_asked_for_before_the_models_that_it_reads(daemon: Daemon) -> None:
    # objects are refreshed at five past, when no hour may have come yet
    asked = daemon.arrives("objects/campaigns")
    assert "profiles/build_span" in asked
    assert not asked & {"profiles/user_activity_hourly", "profiles/user_profiles", "marts/iterable__events"}
    asked = daemon.arrives("streams/iterable_activity", "2026-11-01T00")
    assert asked > SPAN | {"profiles/user_activity_hourly", "profiles/user_profiles", "marts/iterable__events"}


@pytest.mark.parametrize("stream", ["iterable_rcs_activity", "iterable_activity"])
def test_an_hour_of_any_one_stream_begins_a_whole_build(daemon: Daemon, stream: str) -> None:
    for asset, hour in {"objects/campaigns": None, "streams/iterable_activity": "2026-11-01T00"}.items():
        daemon.arrives(asset, hour)
    asked = daemon.arrives(f"streams/{stream}", "2026-11-01T01")
    assert asked >= SPAN | {"profiles/user_profiles", "marts/user_campaign_activity", "marts/builds"}
