"""The ready-made audiences and traits equal a count by brute force.

Windows end with the newest hour of activity (P11), which lies in the past here: the clock moves nobody.
"""

import random
import shutil
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.plan import plan_sync
from iterable_pipelines.data_types import DATA_TYPES, STREAMS
from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles import run_models
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines.streams.load import naive
from iterable_pipelines_tests.landing_by_hand import land

END = parse_hour("2026-11-01")
DAY = timedelta(days=1)
ENGAGED = (
    "emailOpen", "emailClick", "pushOpen", "smsClick", "inAppOpen", "inAppClick", "webPushClick", "embeddedImpression",
    "embeddedClick", "whatsAppSeen", "whatsAppClick",
)  # fmt: skip
OPENABLE = ("emailSend", "pushSend", "inAppSend", "embeddedSend", "whatsAppSend")
CHANNELS = {
    "email": ("emailSend", "emailOpen"),
    "push": ("pushSend", "pushOpen"),
    "sms": ("smsSend", "smsClick"),
    "in_app": ("inAppSend", "inAppOpen"),
}
PUSH = ("pushSend", "pushBounce", "pushUninstall")
Events = list[tuple[str, str, datetime]]


def happened(chance: random.Random) -> Events:
    """Events of many kinds of people: some active once, some always, around the edges of every window."""
    events: Events = []
    edges = [END - 30 * DAY, END - 60 * DAY, END - 90 * DAY]
    moments = [edge + side for edge in edges for side in (-HOUR, timedelta(0))] + [
        END - HOUR,
        *(END - chance.randrange(1, 100) * DAY - chance.randrange(24) * HOUR for _ in range(12)),
    ]
    for person in range(80):
        kinds = chance.sample([*ENGAGED, *OPENABLE, *PUSH, "smsSend", "emailBounce"], chance.randrange(1, 5))
        events += [
            (f"p{person}@x.example", chance.choice(kinds), chance.choice(moments) + timedelta(minutes=minute))
            for minute in range(chance.randrange(1, 18))
        ]
    # somebody makes the newest hour the newest, whatever chance says
    return [*events, ("last@x.example", "customEvent", END - timedelta(minutes=1))]


def build(project: Settings, manifest: Manifest, warehouse: Warehouse, attempts: list[Events]) -> None:
    """Build the models after each attempt: what an earlier one had, and a later one has not, is gone."""
    by_part: dict[tuple[str, datetime], list[dict[str, str]]] = {}
    for attempt, events in enumerate(attempts):
        by_part = {part: [] for part in by_part}
        for email, data_type, moment in events:
            record = {"email": email, "createdAt": f"{moment:%Y-%m-%d %H:%M:%S} +00:00"}
            by_part.setdefault((data_type, moment.replace(minute=0)), []).append(record)
        for (data_type, hour), records in by_part.items():
            land(project, manifest, data_type, hour, records, minutes_after=200 * (1 + attempt))
        hours = sorted({hour for _, hour in by_part})
        for stream in STREAMS:
            load_hours(warehouse, manifest, project, stream.name, hours, "run", log=lambda text: None)
        run_models(project, warehouse)


def stored(warehouse: Warehouse, model: str, *columns: str) -> dict[str, Any]:
    found = warehouse.read(f"select user_key, {', '.join(columns)} from audiences.{model}")
    by_key = {key: values[0] if len(values) == 1 else tuple(values) for key, *values in found}
    assert len(by_key) == len(found)
    return by_key


def test_every_ready_made_model_equals_a_count_by_brute_force(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    chance = random.Random(3)
    events = happened(chance)
    # of whom nothing changes, but that the window leaves some or all of it behind
    opens = [END - 31 * DAY + timedelta(minutes=minute) for minute in range(6)]
    events += [
        (who, kind, at)
        for who in ("gone@x.example", "partly@x.example")
        for kind in ("emailSend", "emailOpen")
        for at in opens
    ]
    events += [("partly@x.example", "pushOpen", END - 5 * DAY + timedelta(minutes=minute)) for minute in range(4)]
    # two days before some was not known yet, and some was said that was not so
    early = [event for event in events if event[2] < END - 2 * DAY]
    known = [event for event in early if event[0] in ("gone@x.example", "partly@x.example") or chance.random() < 0.8]
    untrue = [event for event in happened(random.Random(4)) if event[2] < END - 2 * DAY]
    build(project, manifest, warehouse, [known + chance.sample(untrue, 40), events])
    mine: dict[str, Events] = defaultdict(list)
    for event in events:
        mine[event[0]].append(event)

    def newest(person: str, kinds: tuple[str, ...]) -> datetime | None:
        return max((moment for _, kind, moment in mine[person] if kind in kinds), default=None)

    def count(person: str, kinds: tuple[str, ...], since: datetime = END - 1000 * DAY) -> int:
        return sum(kind in kinds and moment >= since for _, kind, moment in mine[person])

    last = {person: naive(moment) for person in mine if (moment := newest(person, ENGAGED))}
    now = naive(END)
    engaged = {person: moment for person, moment in last.items() if moment >= now - 30 * DAY}
    lapsing = {person: at for person, at in last.items() if now - 90 * DAY <= at < now - 60 * DAY}
    never = {person: count(person, OPENABLE) for person in mine if person not in last and count(person, OPENABLE) >= 5}
    reachable = {
        person: naive(sent)
        for person in mine
        if (sent := newest(person, ("pushSend",)))
        and sent > (newest(person, ("pushBounce", "pushUninstall")) or END - 1000 * DAY)
    }
    assert engaged and lapsing and never and reachable
    assert stored(warehouse, "engaged", "last_engaged_at") == engaged
    assert stored(warehouse, "lapsing", "last_engaged_at") == lapsing
    assert stored(warehouse, "never_opened", "sends") == never
    assert stored(warehouse, "push_reachable", "last_push_sent_at") == reachable

    month = END - 30 * DAY
    hours = {
        person: Counter(moment.hour for _, kind, moment in found if kind in ENGAGED and moment >= month)
        for person, found in mine.items()
    }
    best = {
        person: max(counts, key=lambda hour: (counts[hour], hour)) if counts.total() >= 3 else None
        for person, counts in hours.items()
        if counts
    }
    assert {None} < set(best.values())
    assert stored(warehouse, "best_hour_to_send", "best_hour_to_send") == best
    fatigue = {
        person: tuple(
            round(sends / max(count(person, (opened,), month), 1), 2)
            if (sends := count(person, (send,), month))
            else None
            for send, opened in CHANNELS.values()
        )
        for person in mine
    }
    fatigue = {person: found for person, found in fatigue.items() if any(found)}
    assert stored(warehouse, "fatigue", *(f"{channel}_fatigue" for channel in CHANNELS)) == fatigue
    # here, because building the models takes its time
    assert_examples_read_them(project, warehouse)


def assert_examples_read_them(project: Settings, warehouse: Warehouse) -> None:
    """Every example can be planned: its columns are there, and its rows are fine."""
    warehouse.publish()
    shutil.copytree(project.checkout / "docs/syncs-examples", project.data_dir / "syncs")
    root = project.model_copy(update={"project_root": project.data_dir})
    plans = {each.name: plan_sync(root, each, Options(offline=True), lambda text: None) for each in load_syncs(root)}
    assert {name: plan.invalid for name, plan in plans.items() if plan.invalid} == {}
    # these read what this world has no rows of
    without = {"buyers_30_days", "large_orders", "best_seller", "product_catalog"}
    assert {name for name, plan in plans.items() if not plan.sends} == without


def test_data_types_that_the_models_name_exist() -> None:
    known = {each.name for each in DATA_TYPES}
    assert known >= {*ENGAGED, *OPENABLE, *PUSH, *(name for pair in CHANNELS.values() for name in pair)}
