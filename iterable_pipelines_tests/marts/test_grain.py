"""Each mart is tested for its grain, and the test turns red where a fault is planted."""

import json

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
# every row of these twice, below the marts that show them
DOUBLED = (
    "streams.iterable_activity",
    "marts.user_campaign_activity",
    "marts.campaign_activity",
    "profiles.user_profiles",
    "objects.channels",
)
TESTED = [mart.name for mart in MARTS if mart.name.startswith("iterable__")]


@pytest.fixture
def built(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    """Somebody with an event of a campaign, on a list, and unsubscribed."""
    left = {"campaignId": 7, "channelIds": [1], "messageTypeIds": [2], "createdAt": "2026-11-01 03:01:00 +00:00"}
    user = {"unsubscribedChannelIds": [1], "profileUpdatedAt": "2026-11-01 03:00:00 +00:00"}
    land(project, manifest, "emailUnSubscribe", HOUR, [left | {"email": "a@b.c"}])
    land(project, manifest, "user", HOUR, [user | {"email": "a@b.c"}])
    for stream in ("iterable_activity", "iterable_users"):
        load_hours(warehouse, manifest, project, stream, [HOUR], "run", log=lambda text: None)
    with warehouse.transaction() as con:
        con.execute("insert into objects.channels (id, name) values (1, 'Email')")
        con.execute("insert into objects.list_members values (3, 'a@b.c', '2026-11-01', null, 'users', 1)")
    run_models(project, warehouse)


@pytest.mark.usefixtures("built")
def test_planted_faults_turn_the_grain_test_of_every_mart_red(project: Settings, warehouse: Warehouse) -> None:
    tests = ["test", "--select", *(f"{mart},test_name:one_row_per" for mart in TESTED)]
    run_dbt(project, tests)
    with warehouse.transaction() as con:
        for table in DOUBLED:
            con.execute(f"create or replace table {table} as select twice.* from {table} as twice, range(2)")
    with pytest.raises(ModelsFailed):
        run_dbt(project, tests)
    results = json.loads((project.data_dir / "dbt" / "run_results.json").read_text())["results"]
    red = [each["unique_id"] for each in results if each["status"] == "fail"]
    assert {test.split(".")[2] for test in red} == {f"one_row_per_{mart}" for mart in TESTED}
