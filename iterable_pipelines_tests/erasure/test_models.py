"""After an erasure the models count what a full build counts, and name nobody who is gone."""

from iterable_pipelines.erasure.run import erase, follow_up
from iterable_pipelines.erasure.scan import scan
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles import run_models
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.erasure.people import ADA, ADA_BEFORE, ADA_ID, forget, import_people
from iterable_pipelines_tests.marts.conftest import COUNTING_MARTS, rows


def stored(warehouse: Warehouse) -> dict[str, list[str]]:
    """Every row that counts something, in the order of what it says."""
    found = {
        mart: sorted(repr(row) for row in rows(warehouse, mart) if row.get("events", row.get("count_events", 1)))
        for mart in COUNTING_MARTS
    }
    own = "select columns(lambda c: left(c, 1) <> '_') from profiles.{}"
    found["profiles"] = sorted(map(repr, warehouse.read(own.format("user_profiles"))))
    found["hours"] = sorted(map(repr, warehouse.read(own.format("user_activity_hourly") + " where events > 0")))
    return found


def test_incremental_is_full_refresh(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    import_people(project, manifest, warehouse)
    run_models(project, warehouse, log=lambda text: None)
    counted = "select campaign_id, events, count_unique_users from marts.campaign_activity order by 1"
    # only Ada clicked in campaign 3, which nobody speaks of afterwards
    assert [row[0] for row in warehouse.read(counted)] == [1, 2, 3]
    forget(project, ADA)
    certificate = erase(project, lambda text: None)
    assert {"profiles.user_profiles", "marts.user_campaign_activity"} <= {each.place for each in certificate.erased}
    follow_up(project, certificate, lambda text: None)
    # Bob: a send, two events of his own, an open; Cat: a send and an open
    assert warehouse.read(counted) == [(1, 4, 1), (2, 2, 1)]
    incremental = stored(warehouse)
    run_models(project, warehouse, full_refresh=True, log=lambda text: None)
    assert stored(warehouse) == incremental
    assert not scan(project, [ADA_BEFORE, ADA_ID]).found
