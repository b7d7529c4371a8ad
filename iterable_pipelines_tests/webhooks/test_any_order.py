"""Webhooks and exports in any order, with duplicates, lost ones and re-exports: the same tables in the end."""

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from iterable_pipelines.hours import HOUR
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, content_of, load_hours, replay
from iterable_pipelines_tests.kept_open import kept_open
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.webhooks.world import START, at, bring, rows, silent

STREAMS = {"emailClick": "iterable_activity", "pushOpen": "iterable_push_activity"}
HOURS = [START, START + HOUR]
RECEIVED = START + 2 * HOUR + timedelta(minutes=5)
# what an export says, in columns that no webhook may touch
EXPORTED = (
    "data_type, event_id, user_key, email, user_id, created_at, message_id, campaign_id, template_id, record::varchar, "
    "_hour, _source"
)
NAMES = "campaign_name, template_name, workflow_id, workflow_name, experiment_id"


@contextmanager
def a_project(project_type: str) -> Iterator[tuple[Settings, Manifest, Warehouse]]:
    with tempfile.TemporaryDirectory() as folder:
        project = Settings(
            api_key="sandbox", data_dir=Path(folder), start_date=START, project_type=project_type
        )  # fmt: skip
        warehouse = Warehouse(project.warehouse_path, project.published_path, wait_seconds=1)
        with kept_open(warehouse):
            warehouse.prepare()
            yield project, Manifest(project.landing_dir), warehouse


class History:
    """Events of few people, seconds, messages and links, so that nearly all of them could be taken for another."""

    def __init__(self, chance: random.Random, project_type: str) -> None:
        self.exported: list[tuple[str, int, dict[str, Any]]] = []
        self.bodies: list[dict[str, Any]] = []
        for number in range(chance.randint(4, 40)):
            name, hour = chance.choice(list(STREAMS)), chance.randrange(2)
            person, message = chance.choice("aab"), chance.choice(["m1", "m2", None])
            fields: dict[str, Any] = {
                "createdAt": at(chance.randrange(2), HOURS[hour]),
                "campaignId": chance.choice([7, 7, 8]),
            }
            if message:
                fields["messageId"] = message
            if name == "emailClick":
                fields["url"] = chance.choice(["https://a.example", "https://b.example"])
            who = {"email": f"{person}@x.example"} if project_type == "email" else {"userId": person}
            if project_type == "hybrid" and chance.random() < 0.5:
                who["email"] = f"{person}@x.example"
            self.exported.append((name, hour, fields | who | {"ip": f"192.0.2.{number % 3}"}))
            told = {
                "campaignName": f"Campaign {fields['campaignId']}",
                "workflowId": chance.choice([None, 5]),
                "experimentId": number % 2,
                "transactionalData": {"n": 1},
            }
            if message and chance.random() < 0.4:
                del fields["messageId"]
            self.bodies.append({**who, "eventName": name, "dataFields": {**fields, **told}})

    def of(self, name: str, hour: int) -> list[dict[str, Any]]:
        return [record for each, at_hour, record in self.exported if (each, at_hour) == (name, hour)]


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6), project_type=st.sampled_from(["email", "userid", "hybrid"]))
def test_in_whatever_order_they_come(seed: int, project_type: str) -> None:
    chance = random.Random(seed)
    history = History(chance, project_type)
    delivered = [each for each in history.bodies if chance.random() < 0.8]
    waiting = [*delivered, *chance.choices(delivered, k=3)] if delivered else []
    chance.shuffle(waiting)
    with a_project(project_type) as (project, manifest, warehouse):
        minutes = 0

        def export(partly: bool) -> None:
            nonlocal minutes
            minutes += 10
            for name in STREAMS:
                for number, hour in enumerate(HOURS):
                    there = [each for each in history.of(name, number) if not partly or chance.random() < 0.7]
                    chance.shuffle(there)
                    land(project, manifest, name, hour, there, minutes_after=minutes)
            for stream in STREAMS.values():
                load_hours(warehouse, manifest, project, stream, HOURS, "run", log=silent)

        def arrive(count: int) -> None:
            nonlocal waiting
            come, waiting = waiting[:count], waiting[count:]
            bring(project, manifest, warehouse, come, received_at=RECEIVED)

        for _ in range(chance.randint(0, 2)):
            arrive(chance.randint(0, len(waiting)))
            export(partly=True)
        arrive(chance.randint(0, len(waiting)))
        minutes = 24 * 60
        export(partly=False)
        # the rest comes late, and some of it once more
        while waiting:
            arrive(chance.randint(1, len(waiting)))
        bring(project, manifest, warehouse, chance.sample(delivered, min(2, len(delivered))), START + 48 * HOUR)
        found = {stream: rows(warehouse, stream, EXPORTED) for stream in STREAMS.values()}
        tables = [f"streams.{stream}" for stream in STREAMS.values()]
        contents = content_of(warehouse, tables)
        for stream in STREAMS.values():
            replay(warehouse, manifest, project, stream, log=silent)
        assert content_of(warehouse, tables) == contents, "made anew from landing, the tables say something else"
        named = {
            stream: rows(warehouse, stream, f"event_id, {NAMES}, webhook is null", "_webhook_id is not null")
            for stream in STREAMS.values()
        }

    with a_project(project_type) as (project, manifest, warehouse):
        for name, stream in STREAMS.items():
            for number, hour in enumerate(HOURS):
                land(project, manifest, name, hour, history.of(name, number), minutes_after=24 * 60)
            load_hours(warehouse, manifest, project, stream, HOURS, "run", log=silent)
            assert found[stream] == rows(warehouse, stream, EXPORTED), "the export's rows are not what they were"
        # everything at once, after the export
        bring(project, manifest, warehouse, delivered, received_at=RECEIVED)
        assert content_of(warehouse, tables) == contents
    told = [row for stream in STREAMS.values() for row in named[stream]]
    distinct = {repr(each) for each in delivered}
    assert len(told) <= len(distinct)
    assert all(not without_body and experiment is not None for *_, experiment, without_body in told)
    assert len(told) >= 0.8 * len(distinct) or len(distinct) < 5
