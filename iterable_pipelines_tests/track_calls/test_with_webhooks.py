"""Webhooks and exports of the same events, in any order, with runs in between: each event is sent once."""

import random
from typing import Any

import pytest

from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.streams import Warehouse, replay
from iterable_pipelines_tests.track_calls.conftest import TO_FOLDER, Tracks
from iterable_pipelines_tests.webhooks.world import at, body, bring

START = parse_hour("2026-11-01")
EVENTS = 24


def told(number: int) -> dict[str, Any]:
    """The event as a webhook has it; some happen in one second to one person."""
    return body(
        "emailClick",
        at(60 * (number // 2)),
        email=f"person{number // 4}@x.example",
        messageId=f"m{number // 4}",
        url=f"https://a.b/{number % 2}",
        campaignName="November",
    )


def exported(number: int) -> dict[str, Any]:
    """The same event as the export has it."""
    return {name: value for name, value in told(number)["dataFields"].items() if name != "campaignName"}


@pytest.mark.parametrize("seed", range(6))
def test_any_order(tracks: Tracks, seed: int) -> None:
    chance = random.Random(seed)
    tracks.declare(TO_FOLDER)
    arrived: list[int] = []
    passes = 0
    for step in range(12):
        what = chance.choice(["webhooks", "webhooks", "export", "send", "send", "rebuild", "new warehouse"])
        if what == "webhooks":
            some = chance.sample(range(EVENTS), 6)
            arrived += some
            bring(tracks.settings, tracks.manifest, prepared(tracks), [told(each) for each in some], START + HOUR)
        elif what == "export":
            passes += 1
            tracks.load([exported(each) for each in range(EVENTS)], hour=START, minutes_after=40 + step)
        elif what == "send":
            tracks.send()
        elif what == "rebuild" and passes:
            replay(prepared(tracks), tracks.manifest, tracks.settings, "iterable_activity", log=lambda text: None)
        elif what == "new warehouse" and passes:
            tracks.settings.warehouse_path.unlink()
            # the webhooks come back first
            bring(tracks.settings, tracks.manifest, prepared(tracks))
            if chance.random() < 0.5:
                tracks.send()
            tracks.load([exported(each) for each in range(EVENTS)], hour=START, minutes_after=40 + step)
    tracks.load([exported(each) for each in range(EVENTS)], hour=START, minutes_after=200)
    tracks.send()
    calls = tracks.calls()
    links = [(each["timestamp"], each["userId"], each["properties"]["link_url"]) for each in calls]
    assert len(links) == len(set(links)) == EVENTS
    assert len({each["messageId"] for each in calls}) == EVENTS


def prepared(tracks: Tracks) -> Warehouse:
    tracks.warehouse.prepare()
    return tracks.warehouse
