"""Each mart is tested for its grain, and the test turns red where a fault is planted."""

import pytest

from iterable_pipelines.hours import parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.marts.columns import MARTS
from iterable_pipelines.profiles import ModelsFailed, run_models
from iterable_pipelines.profiles.dbt import run_dbt
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.landing_by_hand import land

HOUR = parse_hour("2026-11-01T03")
# the same row twice, or one that says nothing of what it is, below the mart that shows it
FAULTS = {
    "iterable__events": "insert into streams.iterable_activity select * from streams.iterable_activity",
    "iterable__user_campaign": "insert into marts.user_campaign_activity select * from marts.user_campaign_activity",
    "iterable__campaigns": "insert into marts.campaign_activity select * from marts.campaign_activity",
    "iterable__users": "insert into profiles.user_profiles select * from profiles.user_profiles",
    "iterable__list_user_history": "update objects.lists set id = null; "
    "insert into objects.list_members values (null, 'a@b.c', timestamp '2026-11-01', null, 'users', 1)",
    "iterable__user_unsubscriptions": "insert into streams.iterable_users select * from streams.iterable_users",
    "iterable__user_unsubscription_history": "insert into profiles.user_keys select raw_key, user_key || '2' from "
    "profiles.user_keys",
}


@pytest.fixture
def built(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    """Somebody with an event of a campaign, on a list, and unsubscribed."""
    left = {"campaignId": 7, "channelIds": [1], "messageTypeIds": [2], "createdAt": "2026-11-01 03:01:00 +00:00"}
    user = {"unsubscribedChannelIds": [1], "profileUpdatedAt": "2026-11-01 03:00:00 +00:00"}
    land(project, manifest, "emailUnSubscribe", HOUR, [left | {"email": "a@b.c"}])
    land(project, manifest, "user", HOUR, [user | {"email": "a@b.c"}])
    for stream in ("iterable_activity", "iterable_users"):
        load_hours(warehouse, manifest, project, stream, [HOUR], "run", log=lambda text: None)
    run_models(project, warehouse)


def test_every_mart_has_a_grain() -> None:
    assert {mart.name for mart in MARTS if mart.name.startswith("iterable__") and mart.keys} == set(FAULTS)
