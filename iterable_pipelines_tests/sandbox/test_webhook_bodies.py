"""What the sandbox's webhooks say: the events that webhooks exist for, in the shapes of the public samples."""

import json
from collections import defaultdict
from typing import Any

import pytest

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.hours import Window
from iterable_pipelines.sandbox import ORDERLY, World, webhooks_of
from iterable_pipelines.sandbox.webhook_bodies import EVENTS
from iterable_pipelines.sandbox.world import utc
from iterable_pipelines.webhooks.body import read_body
from iterable_pipelines_tests.webhooks.bodies import sample_bodies

DAY = Window(utc("2026-11-01"), utc("2026-11-02"))
# what a sample has and another of the same event may lack: places, older names, a project's own fields
OPTIONAL = {"city", "region", "country", "proxySource", "device", "publicIdString", "email"}
OPTIONAL |= {"platformEndpoint", "transactionalData"}
# what newer samples have and older ones of the same event lack, and fields of a project's own
NEWER = {"labels", "locale", "userAgentDevice", "deviceInfo", "reason", "country", "proxySource"}
# the sample of this skip is a send's, with what no export of a skip has
OF_A_SEND = {"inAppSendSkip": {"contentId", "messageContext", "expiresAt"}}
COPIES = {"firstName", "lastName", "isFoobar", "someDate"}


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=1, start=utc("2026-10-20"), end=utc("2026-11-02"))


@pytest.fixture(scope="module")
def bodies(world: World) -> dict[str, list[dict[str, Any]]]:
    """Every body of the day, by event."""
    found = defaultdict(list)
    for _, raw in webhooks_of(world, DAY, ORDERLY):
        assert read_body(raw).unreadable is None
        body = json.loads(raw)
        found[body["eventName"]].append(body)
    return found


def test_there_are_webhooks_for_39_data_types_and_no_others(bodies):
    assert set(bodies) == set(EVENTS) and len(EVENTS) == 39 and set(EVENTS) < set(DATA_TYPE)


def test_every_event_has_one_webhook_with_its_time(world, bodies):
    for name in EVENTS:
        created = sorted(event.created for event in world.events(name, DAY, utc("2026-11-09")))
        told = [utc(body["dataFields"]["createdAt"].removesuffix(" +00:00")).timestamp() for body in bodies[name]]
        assert sorted(told) == created, name


def test_keys_and_types_are_those_of_the_public_samples(bodies):
    for sample in sample_bodies():
        name = sample.get("eventName")
        if name not in bodies or "dataFields" not in sample:
            continue
        expected, told = sample["dataFields"], [body["dataFields"] for body in bodies[name]]
        # who unsubscribes by an import or a bounce answers to no message
        for fields in [each for each in told if "campaignId" in each or "campaignId" not in expected]:
            assert set(expected) - set(fields) <= OPTIONAL | OF_A_SEND.get(name, set()), name
            assert set(fields) - set(expected) <= NEWER | COPIES | OPTIONAL, name
            for key in set(fields) & set(expected) - {"badge", "sound", "deeplink"}:
                if fields[key] is not None and expected[key] is not None:
                    assert type(fields[key]) is type(expected[key]), (name, key)


def test_everybody_is_named_outside_or_inside(bodies):
    places = {(each in body, each in body["dataFields"]) for each in ("email",) for body in bodies["emailSubscribe"]}
    assert places >= {(True, True), (False, True)}
    for body in (body for those in bodies.values() for body in those):
        assert body.get("email") or body.get("userId") or body["dataFields"].get("email")
        assert "userId" not in body["dataFields"]


def test_names_journeys_and_experiments_are_those_of_the_campaign(world, bodies):
    journeys, experiments = set(), set()
    for body in bodies["emailOpen"] + bodies["pushBounce"] + bodies["smsClick"]:
        fields = body["dataFields"]
        campaign = world.objects.campaign(fields["campaignId"])
        named = (fields["campaignName"], fields["templateId"], fields["workflowId"], fields["channelId"])
        assert named == (campaign.name, campaign.template_id, campaign.workflow_id, campaign.channel_id)
        journeys.add(fields["workflowId"] is None)
        experiments.add(fields["experimentId"] is None)
    assert journeys == {True, False} and experiments == {True, False}


def test_a_skip_says_little_and_some_events_do_not_say_which_message(bodies):
    for body in bodies["emailSendSkip"] + bodies["smsSendSkip"]:
        assert set(body["dataFields"]) - {"email"} == {"createdAt", "reason", "campaignId", "messageId"}
    for name in ("pushOpen", "pushBounce", "inAppOpen", "inAppClick", "smsSend"):
        assert not any("messageId" in body["dataFields"] for body in bodies[name])


def test_transactional_data_is_an_object_whatever_the_export_makes_of_it(bodies):
    told = [body["dataFields"]["transactionalData"] for body in bodies["pushSend"]]
    assert {type(each) for each in told} == {dict} and {} in told and any(told)


def test_a_campaign_is_found_by_its_id_as_the_listing_shows_it(world):
    for campaign in world.objects.campaigns(int(world.now().timestamp())):
        assert world.objects.campaign(campaign.id) == campaign
    assert world.objects.campaign(1) is None
