"""Webhooks on their way: lost, twice, out of order, in bursts; posted while the world lives, tried again, given up."""

import json
import time
from collections import Counter
from datetime import datetime, timedelta

import pytest
import requests

from iterable_pipelines.hours import Window
from iterable_pipelines.sandbox import ORDERLY, Delivery, Hook, World, running_sandbox, webhooks_of
from iterable_pipelines.sandbox.webhook_sender import AS_USUAL
from iterable_pipelines.sandbox.world import utc
from iterable_pipelines_tests.sandbox.inbox import open_inbox

DAY = Window(utc("2026-11-01"), utc("2026-11-02"))
BEFORE, AFTER = utc("2026-11-01 10:20:00"), utc("2026-11-01 11:10:00")
IMPATIENT = Delivery(waits=(0.01, 0.01, 0.01))


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=1, start=utc("2026-10-20"), end=utc("2026-11-02"))


def living_world() -> World:
    """A world without an end, whose clock stands at BEFORE."""
    world = World(seed=1, users=100, start=utc("2026-10-20"))
    world.stop_clock(BEFORE)
    return world


def between(world: World, start: datetime, end: datetime, delivery: Delivery = AS_USUAL) -> list[bytes]:
    """The bodies that are due after `start`, up to `end`."""
    around = Window(start - timedelta(hours=7), end + timedelta(hours=1))
    return [body for moment, body in webhooks_of(world, around, delivery) if start < moment <= end]


class TestDelivery:
    def test_the_same_webhooks_at_the_same_moments_each_time(self, world):
        again = World(seed=1, start=utc("2026-10-20"), end=utc("2026-11-02"))
        assert webhooks_of(world, DAY) == webhooks_of(again, DAY)

    def test_windows_tile(self, world):
        hours = [Window.of_hour(hour) for hour in DAY.hours()]
        assert Counter(webhooks_of(world, DAY)) == Counter(each for hour in hours for each in webhooks_of(world, hour))

    def test_some_are_lost_and_some_come_twice(self, world):
        every, usual = (Counter(body for _, body in webhooks_of(world, DAY, each)) for each in (ORDERLY, Delivery()))
        assert set(usual) < set(every)
        assert 0.003 < 1 - len(usual) / len(every) < 0.03
        twice = sum(count > every[body] for body, count in usual.items())
        assert 0.01 < twice / len(every) < 0.04

    def test_all_of_it_can_be_switched_off(self, world):
        found = webhooks_of(world, DAY, ORDERLY)
        assert all(moment.microsecond == 0 for moment, _ in found)
        assert webhooks_of(world, DAY, Delivery(lost=1)) == []

    def test_they_come_out_of_order_and_in_bursts(self, world):
        created = [json.loads(body)["dataFields"]["createdAt"] for _, body in webhooks_of(world, DAY)]
        assert created != sorted(created)
        bursts = Counter(moment for moment, _ in webhooks_of(world, DAY) if moment.timestamp() % 20 == 0)
        assert len(bursts) > 50 and max(bursts.values()) >= 3

    def test_opens_are_told_before_the_export_has_them(self, world):
        told = {body: moment for moment, body in webhooks_of(world, DAY, ORDERLY) if b'"emailOpen"' in body}
        late = [
            event for event in world.events("emailOpen", DAY, utc("2026-11-09")) if event.visible > event.created + 60
        ]
        assert len(late) > 100
        for body, moment in told.items():
            created = utc(json.loads(body)["dataFields"]["createdAt"].removesuffix(" +00:00"))
            assert timedelta(0) < moment - created < timedelta(minutes=1)

    @pytest.mark.parametrize("kind", ["Blast", "Triggered"])
    def test_the_two_flags_gate_the_sends_of_such_campaigns_and_nothing_else(self, world, kind):
        every = [json.loads(body) for _, body in webhooks_of(world, DAY, ORDERLY)]
        flags = {"blast": kind != "Blast", "triggered": kind != "Triggered"}
        kept = [json.loads(body) for _, body in webhooks_of(world, DAY, ORDERLY, **flags)]
        gone = [each for each in every if each not in kept]
        assert {each["eventName"] for each in gone} == {
            *("emailSend", "pushSend", "smsSend", "inAppSend", "webPushSend", "whatsAppSend")
        }
        types = {world.objects.campaign(each["dataFields"]["campaignId"]).type for each in gone}
        assert types == {kind}
        sends = [each for each in kept if each["eventName"] == "emailSend"]
        assert {world.objects.campaign(each["dataFields"]["campaignId"]).type for each in sends} == {
            "Blast",
            "Triggered",
        } - {kind}


class TestPosting:
    def test_what_becomes_due_is_posted_one_by_one_over_connections_that_stay(self):
        with open_inbox() as inbox, running_sandbox(world=living_world(), webhooks=[Hook(51, inbox.url)]) as sandbox:
            expected = between(sandbox.world, BEFORE, AFTER)
            self.let_it_begin(sandbox)
            sandbox.world.stop_clock(AFTER)
            inbox.wait_for(len(expected))
            assert Counter(inbox.bodies) == Counter(expected) and len(expected) > 30
            assert len({each.port for each in inbox.received}) <= 4 < len(inbox.received)
            assert {each.headers["content-type"] for each in inbox.received} == {"application/json"}
            self.wait_until(lambda: sandbox.sender.counts == {"answered": len(expected)})

    @pytest.mark.parametrize(
        ("hook", "delivery", "headers"),
        [
            (Hook(1, ""), ORDERLY, {"authorization": None}),
            (Hook(1, "", auth_type="Basic", auth_token="t-1"), ORDERLY, {"authorization": "t-1"}),
            (Hook(1, "", auth_type="OAuth2", auth_token="t-1"), ORDERLY, {"authorization": "OAuth2 t-1"}),
            (
                Hook(1, "", auth_type="OAuth2", auth_token="t-1"),
                Delivery(oauth2_scheme="Bearer"),
                {"authorization": "Bearer t-1"},
            ),
            (Hook(1, "", headers=(("X-Token", "t-2"),)), ORDERLY, {"x-token": "t-2", "authorization": None}),
        ],
    )
    def test_the_token_is_where_its_scheme_says(self, hook, delivery, headers):
        with (
            open_inbox() as inbox,
            running_sandbox(world=living_world(), webhooks=[hook], delivery=delivery) as sandbox,
        ):
            sandbox.world.hooks.update(1, endpoint=inbox.url)
            self.let_it_begin(sandbox)
            sandbox.world.stop_clock(AFTER)
            inbox.wait_for(1)
            assert {name: inbox.received[0].headers.get(name) for name in headers} == headers

    def test_what_is_refused_is_tried_again_and_at_last_given_up(self, caplog):
        with (
            open_inbox(statuses=[503, 500, 302, 401] + [429] * 20) as inbox,
            running_sandbox(world=living_world(), webhooks=[Hook(51, inbox.url)], delivery=IMPATIENT) as sandbox,
        ):
            expected = between(sandbox.world, BEFORE, AFTER, IMPATIENT)
            self.let_it_begin(sandbox)
            sandbox.world.stop_clock(AFTER)
            self.wait_until(
                lambda: sandbox.sender.counts["answered"] + sandbox.sender.counts["given up"] == len(expected)
            )
            counts = sandbox.sender.counts
            assert counts["tried again"] + counts["given up"] == 24
            assert len(inbox.received) == counts["answered"] + 24
            assert max(Counter(inbox.bodies).values()) >= 2
            # each answer is told of once, so that a wrong token is seen
            told = [each.getMessage() for each in caplog.records if "is not taken" in each.getMessage()]
            assert sorted(each.split(": ")[1][:8] for each in told) == [f"HTTP {n}" for n in (302, 401, 429, 500, 503)]

    def test_nobody_there_is_no_error_of_the_sandbox(self):
        with open_inbox() as inbox:
            url = inbox.url
        with running_sandbox(world=living_world(), webhooks=[Hook(51, url)], delivery=IMPATIENT) as sandbox:
            self.let_it_begin(sandbox)
            sandbox.world.stop_clock(AFTER)
            self.wait_until(lambda: sandbox.sender.counts["given up"] > 10)
            answer = requests.get(sandbox.url + "/api/channels", headers={"Api-Key": sandbox.key}, timeout=30)
            assert answer.status_code == 200 and not sandbox.sender.counts["answered"]

    def test_only_what_happens_after_a_webhook_is_enabled_is_sent_and_nothing_after_it_is_disabled(self):
        with (
            open_inbox() as inbox,
            running_sandbox(
                world=living_world(), webhooks=[Hook(51, inbox.url, enabled=False)], delivery=ORDERLY
            ) as sandbox,
        ):
            half = utc("2026-11-01 10:45:00")
            sandbox.world.stop_clock(half)
            sandbox.world.hooks.update(51, enabled=True)
            self.let_it_begin(sandbox)
            sandbox.world.stop_clock(AFTER)
            expected = between(sandbox.world, half, AFTER, ORDERLY)
            inbox.wait_for(len(expected))
            assert Counter(inbox.bodies) == Counter(expected)
            self.wait_until(lambda: sandbox.sender.counts["answered"] == len(expected))
            sandbox.world.hooks.update(51, enabled=False)
            time.sleep(0.3)
            sandbox.world.stop_clock(AFTER + timedelta(hours=1))
            time.sleep(0.5)
            assert len(inbox.received) == len(expected)

    def test_a_webhook_without_blast_sends_gets_everything_else(self):
        with (
            open_inbox() as inbox,
            open_inbox() as other,
            running_sandbox(
                world=living_world(),
                webhooks=[Hook(51, inbox.url, blast=False), Hook(52, other.url)],
                delivery=ORDERLY,
            ) as sandbox,
        ):
            expected = between(sandbox.world, BEFORE, AFTER, ORDERLY)
            self.let_it_begin(sandbox)
            sandbox.world.stop_clock(AFTER)
            other.wait_for(len(expected))
            blast = [body for body in expected if self.is_blast_send(sandbox.world, json.loads(body))]
            inbox.wait_for(len(expected) - len(blast))
            assert Counter(inbox.bodies) == Counter(expected) - Counter(blast) and blast

    def test_what_clients_write_is_told_at_once(self):
        with (
            open_inbox() as inbox,
            running_sandbox(world=living_world(), webhooks=[Hook(51, inbox.url)], delivery=ORDERLY) as sandbox,
        ):
            self.let_it_begin(sandbox)
            sandbox.world.stop_clock(BEFORE + timedelta(seconds=1))
            body = {"listId": 949810, "subscribers": [{"email": "somebody.new@example.com"}]}
            url, headers = sandbox.url + "/api/lists/subscribe", {"Api-Key": sandbox.key}
            assert requests.post(url, json=body, headers=headers, timeout=30).status_code == 200
            self.wait_until(lambda: any(b"somebody.new@example.com" in each for each in inbox.bodies))

    def test_a_world_that_has_ended_sends_nothing(self, world):
        with open_inbox() as inbox, running_sandbox(world=world, webhooks=[Hook(51, inbox.url)]) as sandbox:
            time.sleep(0.5)
            assert inbox.received == [] and not sandbox.sender.counts

    def let_it_begin(self, sandbox):
        """Until the sender has looked at the clock for the first time."""
        self.wait_until(lambda: sandbox.sender.since is not None)

    def wait_until(self, holds):
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def is_blast_send(self, world, body):
        campaign = world.objects.campaign(body["dataFields"].get("campaignId") or 0)
        return body["eventName"].endswith("Send") and campaign is not None and campaign.type == "Blast"
