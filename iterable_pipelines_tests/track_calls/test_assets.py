"""Destinations in Dagster: an asset each, what its run tells, what it follows, and what a run leaves behind."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pytest

from iterable_pipelines.declared_schedules import declared_schedules
from iterable_pipelines.failures import NEVER
from iterable_pipelines.track_calls.assets import track_call_assets
from iterable_pipelines.track_calls.declaration import enabled_destinations
from iterable_pipelines_tests.automation_ticks import Ticks
from iterable_pipelines_tests.track_calls.conftest import KEY_ENV, TO_FOLDER, TO_HTTP, Tracks, click
from iterable_pipelines_tests.track_calls.receiver import KEY, Receiver

ASSET = dg.AssetKey(["track_calls", "segment"])


def assets_of(tracks: Tracks, monkeypatch: pytest.MonkeyPatch) -> Sequence[dg.AssetsDefinition]:
    monkeypatch.setenv("ITERABLE_PROJECT_ROOT", str(tracks.settings.project_root))
    monkeypatch.setenv("ITERABLE_DATA_DIR", str(tracks.settings.data_dir))
    return track_call_assets(enabled_destinations(tracks.settings))


def schedules_of(tracks: Tracks) -> list[dg.ScheduleDefinition]:
    return declared_schedules("track_calls", enabled_destinations(tracks.settings), tracks.settings)


def test_a_run_tells_what_became_of_the_calls(
    tracks: Tracks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tracks.declare(TO_HTTP)
    tracks.load([click(1), click(2), click(3, email=None), click(4, url="https://bad")])
    assets = assets_of(tracks, monkeypatch)
    home = tmp_path / "dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        result = dg.materialize([*assets], instance=instance)
        (event,) = result.asset_materializations_for_node("track_calls__segment")
        told = {name: each.value for name, each in event.metadata.items()}
        assert told.pop("seconds") > 0
        assert told == {
            "sent": 2,
            "rejected": 2,
            "waiting": 0,
            "oldest_waiting": "none",
            "sent_ever": 2,
            "rejected_ever": 2,
        }
        monkeypatch.setenv(KEY_ENV, "wrong-key-0123456789")
        tracks.load([click(5)], minutes_after=200)
        failed = dg.materialize([*assets], instance=instance, raise_on_error=False)
        failure = failed.failure_data_for_node("track_calls__segment")
        assert failure and failure.user_failure_data
        assert failure.user_failure_data.metadata["retry"].value == NEVER
        assert "does not accept the key" in (failure.user_failure_data.description or "")
    left = [each.read_bytes() for each in home.rglob("*") if each.is_file()]
    for secret in (KEY, "wrong-key-0123456789", "ada@example.com"):
        assert not [each for each in left if secret.encode() in each], secret


def test_it_follows_its_streams_and_webhooks(tracks: Tracks, monkeypatch: pytest.MonkeyPatch) -> None:
    tracks.declare(TO_FOLDER + "events: [emailOpen, pushOpen]\n")
    (asset,) = assets_of(tracks, monkeypatch)
    parents = {each.asset_key.to_user_string() for each in asset.specs_by_key[ASSET].deps}
    assert parents == {"streams/iterable_activity", "streams/iterable_push_activity", "streams/webhooks"}
    assert schedules_of(tracks) == []


def test_rows_that_arrive_start_it(tracks: Tracks, monkeypatch: pytest.MonkeyPatch) -> None:
    tracks.declare(TO_FOLDER + "events: [emailOpen]\n")

    @dg.asset(
        key=["streams", "iterable_activity"],
        partitions_def=dg.HourlyPartitionsDefinition(start_date="2026-11-01-00:00"),
    )
    def activity() -> None:
        asked_meanwhile.append(asked())

    @dg.asset(key=["streams", "webhooks"])
    def webhooks() -> None:
        asked_meanwhile.append(asked())

    @dg.asset(key=["objects", "campaigns"])
    def campaigns() -> None: ...

    asked_meanwhile: list[int] = []
    defs = dg.Definitions([activity, webhooks, campaigns, *assets_of(tracks, monkeypatch)])
    with dg.DagsterInstance.ephemeral() as instance:
        ticks = Ticks(defs, instance)

        def asked() -> int:
            return ticks.requested(ASSET)

        asked()
        dg.materialize([campaigns], instance=instance)
        assert asked() == 0
        # what arrives by the hour is waited for, and webhooks, which arrive all the time, are not
        dg.materialize([webhooks], instance=instance)
        dg.materialize([activity], instance=instance, partition_key="2026-11-01-03:00")
        assert asked_meanwhile == [0, 0]
        assert asked() == 1
        assert asked() == 0
        dg.materialize([activity], instance=instance, partition_key="2026-11-01-04:00")
        dg.materialize([webhooks], instance=instance)
        assert asked_meanwhile == [0, 0, 0, 1]


def test_a_schedule_of_its_own_and_none_at_all(tracks: Tracks, monkeypatch: pytest.MonkeyPatch) -> None:
    tracks.declare(TO_FOLDER + 'schedule: "*/15 * * * *"\n')
    tracks.declare("to: {folder: other}\nenabled: false\nschedule: '@daily'\n", "off")
    (asset,) = assets_of(tracks, monkeypatch)
    assert asset.key == ASSET and asset.specs_by_key[ASSET].automation_condition is None
    (schedule,) = schedules_of(tracks)
    assert (schedule.name, schedule.cron_schedule) == ("send_track_calls_segment", "*/15 * * * *")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
