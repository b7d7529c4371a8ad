"""Profiles and marts after any mix of webhooks and exports are those of a build from scratch."""

import random
import shutil
from pathlib import Path
from typing import Any

from iterable_pipelines.hours import HOUR
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles.build import run_models
from iterable_pipelines.profiles.dbt import run_dbt
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Content, Warehouse, content_of, load_hours
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.webhooks.world import START, at, body, bring, silent

STREAMS = {"emailOpen": "iterable_activity", "pushOpen": "iterable_push_activity"}
# the last one leaves the first two behind, out of the tail of 48 hours
HOURS = [START, START + HOUR, START + 60 * HOUR]
PROFILES = "build_span changed_hours activity user_activity_hourly user_base user_keys touched_users user_profiles"
OF_PROFILES = ["profiles.user_profiles"]
OF_ALL = [
    *OF_PROFILES,
    *("marts.campaign_activity", "marts.iterable__campaigns", "marts.iterable__user_campaign", "marts.recent_activity"),
    *("audiences.fatigue", "audiences.best_hour_to_send"),
]


class Mix:
    """A project whose events are told by webhooks, exports, or both."""

    def __init__(self, project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
        self.project, self.manifest, self.warehouse = project, manifest, warehouse
        self.chance, self.minutes = random.Random(5), 0
        self.records = {
            (name, hour): [self.record(hour, n) for n in range(self.chance.randint(10, 25))]
            for name in STREAMS
            for hour in HOURS
        }

    def record(self, hour: Any, number: int) -> dict[str, Any]:
        who = f"{self.chance.choice('abcdefghij')}@x.example"
        moment = at(self.chance.randrange(3600), hour)
        return {"createdAt": moment, "email": who, "campaignId": self.chance.randint(1, 3), "messageId": f"m{number}"}

    def tell(self, hours: list[Any], share: float) -> None:
        told = [
            body(name, **({"moment": each["createdAt"]} | {k: v for k, v in each.items() if k != "createdAt"}),
                 campaignName=f"Campaign {each['campaignId']}", templateId=number)
            for (name, hour), records in self.records.items()
            if hour in hours
            for number, each in enumerate(records)
            if self.chance.random() < share
        ]  # fmt: skip
        bring(self.project, self.manifest, self.warehouse, told, received_at=hours[-1] + HOUR)

    def export(self, hours: list[Any], share: float) -> None:
        self.minutes += 100
        for (name, hour), records in self.records.items():
            if hour in hours:
                there = [each for each in records if self.chance.random() < share]
                land(self.project, self.manifest, name, hour, there, minutes_after=self.minutes)
        for stream in STREAMS.values():
            load_hours(self.warehouse, self.manifest, self.project, stream, hours, "run", log=silent)

    def build_profiles(self) -> None:
        run_dbt(self.project, ["run", "--select", *PROFILES.split(), "profile_builds"])

    def from_scratch(self, tables: list[str], folder: Path) -> dict[str, Content]:
        elsewhere = self.project.model_copy(update={"data_dir": folder, "warehouse": folder / "iterable.duckdb"})
        folder.mkdir()
        shutil.copyfile(self.warehouse.path, elsewhere.warehouse_path)
        copy = Warehouse(elsewhere.warehouse_path, elsewhere.published_path, wait_seconds=1)
        run_models(elsewhere, copy, full_refresh=True, log=silent)
        return content_of(copy, tables)


def test_any_mix_equals_a_build_from_scratch(
    project: Settings, manifest: Manifest, warehouse: Warehouse, tmp_path: Path
) -> None:
    mix = Mix(project, manifest, warehouse)
    mix.tell(HOURS[:1], 0.5)
    run_models(project, warehouse, log=silent)
    mix.tell(HOURS[:2], 0.6)
    mix.build_profiles()
    mix.export(HOURS[:1], 0.8)
    mix.tell(HOURS[:2], 0.7)
    mix.build_profiles()
    # only the second hour has grown, and nobody else's rows are counted
    mix.tell(HOURS[1:2], 0.5)
    mix.build_profiles()
    changed = warehouse.read(
        "select hour, whole from profiles.changed_hours where load_id > (select built_from from profiles.build_span)"
    )
    assert changed == [(HOURS[1].replace(tzinfo=None), False)]
    assert content_of(warehouse, OF_PROFILES) == mix.from_scratch(OF_PROFILES, tmp_path / "first")
    mix.tell(HOURS, 0.9)
    mix.build_profiles()
    mix.export(HOURS[:2], 1.0)
    mix.build_profiles()
    mix.tell(HOURS[1:], 0.9)
    # a row of the first hour leaves, for nobody has exported it
    mix.records["emailOpen", HOURS[0]].pop()
    mix.export(HOURS[:2], 1.0)
    run_models(project, warehouse, log=silent)
    assert content_of(warehouse, OF_ALL) == mix.from_scratch(OF_ALL, tmp_path / "second")
    told = "select sum(it_email_openct + it_push_openct) from profiles.user_profiles"
    rows = sum(warehouse.read(f"select count(*) from streams.{stream}")[0][0] for stream in STREAMS.values())
    assert warehouse.read(told)[0][0] == rows
