"""The job `webhooks`, its sensor and what follows it, as Dagster runs them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from iterable_pipelines.hours import HOUR, hour_of, now
from iterable_pipelines.old_runs import forget_old_runs
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.webhooks.arrived import JOB, whether_to_run
from iterable_pipelines_tests.automation_ticks import Ticks
from iterable_pipelines_tests.webhooks.world import at, body, receive, silent, spool_of

MARTS = {"marts/builds", "marts/user_campaign_activity", "marts/touched_people"}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Settings:
    given = {"api_key": "sandbox", "base_url": "http://127.0.0.1:9", "data_dir": str(tmp_path_factory.mktemp("data"))}
    for name, value in (given | {"start_date": f"{now() - 10 * 24 * HOUR:%Y-%m-%d}"}).items():
        monkeypatch.setenv(f"ITERABLE_{name.upper()}", value)
    return load_settings()


@pytest.fixture
def definitions(settings: Settings) -> dg.Definitions:
    from iterable_pipelines.definitions import defs

    return defs()


def run(definitions: dg.Definitions, instance: dg.DagsterInstance) -> dict[str, dict[str, Any]]:
    """Run the job; the metadata of its two own assets by the name of their stage."""
    result = definitions.resolve_job_def(JOB).execute_in_process(instance=instance)
    assert result.success
    found = [each for each in result.get_asset_materialization_events() if each.asset_key and each.partition is None]
    return {
        each.asset_key.path[0]: {name: value.value for name, value in each.materialization.metadata.items()}
        for each in found
        if each.asset_key and each.asset_key.path[-1] == "webhooks"
    }


def test_from_a_webhook_to_the_profile(
    settings: Settings, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    moment = now()
    told = [body("emailOpen", at(0, moment), email=f"{n}@x.example", campaignName="Spring") for n in range(30)]
    receive(settings, [*told, body("brandNewEvent", at(0, moment))], moment)
    found = run(definitions, instance)
    assert (found["landing"]["bodies"], found["landing"]["put_aside"]) == (31, 0)
    assert {name: found["streams"][name] for name in ("bodies", "streams", "matched", "waiting", "unknown")} == {
        "bodies": 31, "streams": "iterable_activity", "matched": 0, "waiting": 30, "unknown": 1,
    }  # fmt: skip
    warehouse = Warehouse.of(settings, log=silent)
    opened = "select user_key, it_email_openct, it_campaign_names from profiles.user_profiles where it_email_openct > 0"
    assert sorted(warehouse.read(opened)) == sorted((f"{n}@x.example", 1, ["Spring"]) for n in range(30))

    # and nothing else runs because of it, but for the models that were never built
    tick = Ticks(definitions, instance).models
    for _ in range(2):
        for name in tick():
            instance.report_runless_asset_event(dg.AssetMaterialization(name.split("/")))
    receive(settings, [body("emailOpen", at(1, moment), email="late@x.example")], moment)
    run(definitions, instance)
    assert tick() == set()
    # what an export brings is built with the marts, even while webhooks are at work
    instance.create_run_for_job(definitions.resolve_job_def(JOB), status=dg.DagsterRunStatus.STARTED)
    hour = f"{hour_of(moment) - HOUR:%Y-%m-%dT%H}"
    instance.report_runless_asset_event(dg.AssetMaterialization(["streams", "iterable_activity"], partition=hour))
    assert tick() >= MARTS | {"profiles/user_profiles", "profiles/build_span"}


def test_without_any_webhook_it_costs_nothing(
    settings: Settings, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    assert "no webhook was ever received" in whether_to_run(instance, settings, now())
    result = definitions.resolve_job_def(JOB).execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey(["landing", "webhooks"]), dg.AssetKey(["streams", "webhooks"])]
    )
    assert result.success
    assert not settings.spool_path.exists()


@pytest.mark.parametrize("why", ["file is not a database", "Not a directory"])
def test_a_spool_that_cannot_be_moved_says_what_to_do(
    settings: Settings, definitions: dg.Definitions, instance: dg.DagsterInstance, why: str
) -> None:
    receive(settings, [body("emailOpen", at(0, now()))], now())
    if why == "Not a directory":
        settings.landing_dir.mkdir()
        (settings.landing_dir / "webhooks").touch()
    else:
        for file in settings.spool_path.parent.glob("spool.db*"):
            file.write_bytes(b"x" * 10_000)
    with pytest.raises(dg.Failure, match=f"(?s){why}.*Stored data is safe.*Next: "):
        definitions.resolve_job_def(JOB).execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(["landing", "webhooks"])]
        )


def test_the_sensor_runs_one_after_the_other(
    settings: Settings, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    spool = spool_of(settings)
    assert whether_to_run(instance, settings, now()) == "no webhook is queued"
    receive(settings, [body("emailOpen", at(0, now()))], now())
    assert whether_to_run(instance, settings, now()) == ""
    job = definitions.resolve_job_def(JOB)
    alive = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert whether_to_run(instance, settings, now()) == f"run {alive.run_id[:8]} is at work"
    instance.report_run_failed(alive)
    spool.remove(each.id for each in spool.queued(10))
    # what it has landed may not be loaded
    assert "failed" in whether_to_run(instance, settings, now())
    assert whether_to_run(instance, settings, now() + timedelta(minutes=2)) == ""


def test_old_runs_are_forgotten_and_others_are_not(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    def finished(job: str, **tags: str) -> str:
        job_def = definitions.resolve_job_def(job)
        return instance.create_run_for_job(job_def, status=dg.DagsterRunStatus.SUCCESS, tags=tags).run_id

    old, other, newest = finished(JOB), finished("read_lists"), finished(JOB)
    assert forget_old_runs(instance, now() + timedelta(hours=23), job_name=JOB) == 0
    assert forget_old_runs(instance, now() + timedelta(hours=25), job_name=JOB) == 1
    assert {each.run_id for each in instance.get_runs()} == {other, newest}
    assert old not in {other, newest}
    sent = [finished("send_track_calls", often="true") for _ in range(3)]
    assert forget_old_runs(instance, now() + timedelta(hours=25), tags={"often": "true"}) == 2
    assert {each.run_id for each in instance.get_runs()} == {other, newest, sent[-1]}


def test_a_run_that_is_forgotten_leaves_nothing_on_the_disk(tmp_path: Path) -> None:
    @dg.asset
    def shouting(context: dg.AssetExecutionContext) -> None:
        context.log.info("heard")

    job = dg.Definitions([shouting], jobs=[dg.define_asset_job(JOB)]).resolve_job_def(JOB)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        old, newest = (job.execute_in_process(instance=instance).run_id for _ in range(2))
        assert forget_old_runs(instance, now() + timedelta(hours=25), job_name=JOB) == 1
        left = {run: [each for each in tmp_path.rglob("*") if run in each.name] for run in (old, newest)}
    assert left[old] == []
    assert left[newest] != []
