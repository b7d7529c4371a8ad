"""Replications in Dagster: an asset each, what its run tells, and when it runs."""

from collections.abc import Sequence

import dagster as dg
import pytest

from iterable_pipelines.declared_schedules import declared_schedules
from iterable_pipelines.failures import LATER, NEVER, NOW, when_to_retry
from iterable_pipelines.postgres import PostgresFailed, PostgresRefused
from iterable_pipelines.profiles.assets import PROFILES
from iterable_pipelines.published import NothingPublished
from iterable_pipelines.replications import load_replications
from iterable_pipelines.replications.assets import replication_assets
from iterable_pipelines.replications.errors import ReplicationRefused
from iterable_pipelines_tests.automation_ticks import Ticks
from iterable_pipelines_tests.replications.conftest import PEOPLE, VARIABLE, Replica

KEY = dg.AssetKey(["replications", "people"])


def assets_of(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> Sequence[dg.AssetsDefinition]:
    monkeypatch.setenv("ITERABLE_PROJECT_ROOT", str(replica.settings.project_root))
    return replication_assets(load_replications(replica.settings))


def materialize(assets: Sequence[dg.AssetsDefinition], **options: bool) -> dg.ExecuteInProcessResult:
    config = {"ops": {"replications__people": {"config": options}}} if options else None
    return dg.materialize([*assets], run_config=config, instance=dg.DagsterInstance.ephemeral(), raise_on_error=False)


def test_a_run_tells_what_became_of_the_rows(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    replica.here("create table marts.people as select i as id, 'p' || i as name from range(100) r(i)")
    assets = assets_of(replica, monkeypatch)
    assert materialize(assets).success
    replica.here(
        "update marts.people set name = 'x' || chr(0) where id < 5",
        "delete from marts.people where id >= 98",
        "alter table marts.people add column city varchar",
    )
    (event,) = materialize(assets).asset_materializations_for_node("replications__people")
    told = {name: each.value for name, each in event.metadata.items()}
    assert told.pop("seconds") > 0 and told.pop("bytes") > 0
    assert told == {
        "inserted": 0,
        "updated": 5,
        "deleted": 2,
        "unchanged": 93,
        "mended": 5,
        "dagster/row_count": 98,
        "notes": "new column city (text)",
    }


def test_a_guarded_run_fails_for_good_and_may_be_allowed(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    replica.here("create table marts.people as select i as id from range(100) r(i)")
    assets = assets_of(replica, monkeypatch)
    assert materialize(assets).success
    replica.here("delete from marts.people where id >= 10")
    failed = materialize(assets)
    failure = failed.failure_data_for_node("replications__people")
    assert failure and failure.user_failure_data
    assert failure.user_failure_data.metadata["retry"].value == NEVER
    assert "90 of 100 rows would be deleted" in (failure.user_failure_data.description or "")
    assert materialize(assets, allow_deletes=True).success
    assert replica.there("select count(*) from iterable.people") == [(10,)]


def test_no_run_shows_the_password(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    replica.here("create table marts.people as select 1 as id")
    assets = assets_of(replica, monkeypatch)
    monkeypatch.setenv(VARIABLE, replica.url.replace("p%40ss", "s3cr3t"))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([*assets], instance=instance, raise_on_error=False)
        entries = instance.all_logs(result.run_id)
    assert not result.success
    shown = "".join(str(each) for each in [*entries, *result.all_events])
    assert "refuses the login" in shown and "s3cr3t" not in shown


def test_it_follows_what_it_reads_and_the_copy_for_readers(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    replica.declare("query: select * from objects.lists join marts.people using (id)\nfile: a.csv\n")
    (asset,) = assets_of(replica, monkeypatch)
    parents = asset.specs_by_key[KEY].deps
    assert {each.asset_key for each in parents} == {
        PROFILES,
        dg.AssetKey(["objects", "lists"]),
        dg.AssetKey(["marts", "people"]),
    }
    assert asset.specs_by_key[KEY].automation_condition is not None
    assert declared_schedules("replications", load_replications(replica.settings), replica.settings) == []


def test_a_schedule_of_its_own_takes_the_place_of_following(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    replica.declare(PEOPLE + 'schedule: "15 6 * * 1"\n')
    (asset,) = assets_of(replica, monkeypatch)
    assert asset.specs_by_key[KEY].automation_condition is None
    (schedule,) = declared_schedules("replications", load_replications(replica.settings), replica.settings)
    assert (schedule.name, schedule.cron_schedule, schedule.execution_timezone) == (
        "replicate_people",
        "15 6 * * 1",
        None,
    )
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    repository = dg.Definitions([asset], schedules=[schedule]).get_repository_def()
    tick = dg.build_schedule_context(repository_def=repository)
    (request,) = repository.get_schedule_def(schedule.name).evaluate_tick(tick).run_requests or ()
    assert int(request.tags["dagster/max_runtime"]) > 0


def test_a_copy_that_is_published_starts_it_and_nothing_else_does(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica.here("create table marts.people as select 1 as id")
    replica.declare("table: marts.people\nfile: a.csv\n")

    @dg.asset(key=PROFILES)
    def profiles() -> None: ...

    @dg.asset(key=["marts", "people"])
    def people() -> None: ...

    defs = dg.Definitions([profiles, people, *assets_of(replica, monkeypatch)])
    with dg.DagsterInstance.ephemeral() as instance:
        ticks = Ticks(defs, instance)

        def asked() -> int:
            return ticks.requested(KEY)

        asked()
        dg.materialize([people], instance=instance)
        assert asked() == 0
        dg.materialize([profiles], instance=instance)
        assert asked() == 1
        assert asked() == 0


def test_what_is_worth_a_retry() -> None:
    assert when_to_retry(PostgresFailed("")) == NOW
    assert when_to_retry(PostgresRefused("")) == when_to_retry(ReplicationRefused("")) == NEVER
    assert when_to_retry(NothingPublished("")) == LATER
