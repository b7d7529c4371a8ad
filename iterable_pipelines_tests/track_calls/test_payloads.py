"""Each event's track call against its documented shape: Segment's email spec, and the names Iterable itself sends."""

import json
from typing import Any

import pytest

from iterable_pipelines.track_calls.events import TRACK_EVENT, TRACK_EVENTS
from iterable_pipelines_tests.track_calls.conftest import TO_FOLDER, Tracks

MESSAGE = {"campaignId": 74758, "templateId": 113541, "messageId": "73f2d3f1"}
SENT = MESSAGE | {"messageTypeId": 1759, "channelId": 1744}
CAMPAIGN = {
    "email": "Ada@Example.com",
    "campaign_id": "74758",
    "campaign_name": "November",
    "template_id": "113541",
    "template_name": "Letter",
    "message_id": "73f2d3f1",
}
CHANNEL = {"message_type_id": "1759", "channel_id": "1744"}
EMAIL = CAMPAIGN | {"email_id": "c74758:t113541:Ada@Example.com", "email_subject": "Hello"}
READER = {
    "ip": "66.249.92.93",
    "userAgent": "Mozilla/5.0",
    "userAgentDevice": "Gmail",
    "city": None,
    "region": "CA",
    "country": "United States",
}
READ = {
    "ip": "66.249.92.93",
    "userAgent": "Mozilla/5.0",
    "location": {"region": "CA", "country": "United States"},
}
DEVICE = {"deviceInfo": {"deviceId": "0F9C", "platform": "iOS", "appPackageName": "com.example.app"}}
ON_DEVICE = {"device": {"id": "0F9C", "type": "iOS"}, "app": {"namespace": "com.example.app"}}
INBOX = {"messageContext": {"saveToInbox": True, "silentInbox": False, "location": "in-app"}}
IN_INBOX = {"location": "in-app", "save_to_inbox": True, "silent_inbox": False}
SKIPPED = {"reason": "DuplicateMarketingMessage"}
LISTS: dict[str, Any] = {"emailListIds": [949814, 2], "channelIds": [27447], "messageTypeIds": []}
LISTED: dict[str, Any] = {"list_id": "949814", "list_ids": [949814, 2], "channel_ids": [27447], "message_type_ids": []}
PHONE = {"toPhoneNumber": "+16503926753"}
DIGEST = "d" * 32

# data type, name, what the record has beside who and when, properties, and what the context has beside the usual
Row = tuple[str, str, dict[str, Any], dict[str, Any], dict[str, Any]]
ROWS: list[Row] = [
    ("emailSend", "Email Delivered", SENT, EMAIL | CHANNEL, {}),
    ("emailOpen", "Email Opened", MESSAGE | READER, EMAIL | {"user_agent_device": "Gmail"}, READ),
    (
        "emailClick",
        "Email Link Clicked",
        MESSAGE | READER | {"url": 'https://a.b/?q="ü"\n', "hrefIndex": 1},
        EMAIL | {"user_agent_device": "Gmail", "link_id": "1", "link_url": 'https://a.b/?q="ü"\n'},
        READ,
    ),
    (
        "emailBounce",
        "Email Bounced",
        MESSAGE | {"recipientState": "HardBounce", "status": "5.1.1"},
        EMAIL | {"recipient_state": "HardBounce", "status": "5.1.1"},
        {},
    ),
    (
        "emailComplaint",
        "Email Marked as Spam",
        MESSAGE | {"recipientState": "Complaint"},
        EMAIL | {"recipient_state": "Complaint"},
        {},
    ),
    (
        "emailSubscribe",
        "Subscribed",
        LISTS | {"signupSource": "Import", "isFoobar": True},
        {"email": "Ada@Example.com", "signup_source": "Import"} | LISTED,
        {},
    ),
    (
        "emailUnSubscribe",
        "Unsubscribed",
        MESSAGE | LISTS | {"unsubSource": "EmailLink", "workflowId": 76786, "channelId": 1744},
        EMAIL | LISTED | {"unsub_source": "EmailLink", "workflow_id": "76786", "channel_id": "1744"},
        {},
    ),
    (
        "hostedUnsubscribeClick",
        "Hosted Unsubscribe Click",
        SENT | READER | {"url": "https://a.b"},
        EMAIL | CHANNEL | {"user_agent_device": "Gmail", "link_url": "https://a.b"},
        READ,
    ),
    ("emailSendSkip", "Email Send Skip", MESSAGE | SKIPPED, EMAIL | SKIPPED, {}),
    (
        "pushSend",
        "Push Delivered",
        SENT | {"deeplink": {"ios": "app://x"}, "platformEndpoint": "arn:aws:sns:1"},
        CAMPAIGN | CHANNEL | {"deeplink_ios": "app://x"},
        {},
    ),
    ("pushBounce", "Push Bounced", SENT, CAMPAIGN | CHANNEL, {}),
    (
        "pushOpen",
        "Push Opened",
        MESSAGE | {"appAlreadyRunning": False, "actionIdentifier": "default"},
        CAMPAIGN | {"app_already_running": False, "action": "default"},
        {},
    ),
    (
        "pushUninstall",
        "Mobile App Uninstalled",
        MESSAGE | {"isGhostPush": True},
        CAMPAIGN | {"is_ghost_push": True},
        {},
    ),
    ("pushSendSkip", "Push Send Skip", MESSAGE | SKIPPED, CAMPAIGN | SKIPPED, {}),
    ("smsSend", "SMS Delivered", SENT | PHONE, CAMPAIGN | CHANNEL | {"to_phone_number": "+16503926753"}, {}),
    (
        "smsBounce",
        "SMS Bounced",
        MESSAGE | {"smsProviderResponse": {"status": 404, "message": "not found", "code": 20404}},
        CAMPAIGN | {"reason": "not found", "code": "20404"},
        {},
    ),
    ("smsClick", "SMS Clicked", MESSAGE | {"clickedUrl": "https://a.b"}, CAMPAIGN | {"link_url": "https://a.b"}, {}),
    (
        "smsReceived",
        "SMS Received",
        PHONE | {"fromPhoneNumber": "+14155824541", "smsMessage": "STOP"},
        {
            "email": "Ada@Example.com",
            "to_phone_number": "+16503926753",
            "from_phone_number": "+14155824541",
            "sms_message": "STOP",
        },
        {},
    ),
    ("smsSendSkip", "SMS Send Skip", MESSAGE | SKIPPED, CAMPAIGN | SKIPPED, {}),
    ("inAppSend", "In App Sent", SENT | INBOX, CAMPAIGN | CHANNEL | IN_INBOX, {}),
    ("inAppDelivery", "In App Delivered", MESSAGE | INBOX | DEVICE, CAMPAIGN | IN_INBOX, ON_DEVICE),
    ("inAppOpen", "In App Opened", MESSAGE | DEVICE, CAMPAIGN, ON_DEVICE),
    (
        "inAppClick",
        "In App Clicked",
        MESSAGE | DEVICE | {"clickedUrl": "https://a.b"},
        CAMPAIGN | {"link_url": "https://a.b"},
        ON_DEVICE,
    ),
    ("inAppSendSkip", "In App Send Skip", MESSAGE | SKIPPED, CAMPAIGN | SKIPPED, {}),
    ("webPushSend", "Web Push Delivered", SENT | {"browserToken": "cZn_"}, CAMPAIGN | CHANNEL, {}),
    ("webPushClick", "Web Push Clicked", MESSAGE, CAMPAIGN, {}),
    ("webPushSendSkip", "Web Push Send Skip", MESSAGE | SKIPPED, CAMPAIGN | SKIPPED, {}),
    (
        "inAppClose",
        "In App Closed",
        MESSAGE | {"closeAction": "link", "inboxSessionId": "3f0e"},
        CAMPAIGN | {"close_action": "link", "inbox_session_id": "3f0e"},
        {},
    ),
    (
        "inAppDelete",
        "In App Deleted",
        MESSAGE | {"deleteAction": "inbox-swipe"},
        CAMPAIGN | {"delete_action": "inbox-swipe"},
        {},
    ),
    ("inAppRecall", "In App Recalled", MESSAGE, CAMPAIGN, {}),
]


def test_every_event_has_its_row() -> None:
    assert [(row[0], row[1]) for row in ROWS] == [(each.data_type, each.name) for each in TRACK_EVENTS]


@pytest.fixture
def named(tracks: Tracks) -> Tracks:
    """A project that knows the names of campaigns and templates, which exports do not have."""
    tracks.declare(TO_FOLDER)
    tracks.here(
        "insert into objects.campaigns by name select 74758 as id, 'November' as name",
        "insert into objects.templates by name select 113541 as id, 'Letter' as name",
        "insert into objects.template_contents by name select 113541 as id, 'email' as medium, 'Hello' as subject",
    )
    return tracks


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_an_exported_event(named: Tracks, row: Row) -> None:
    data_type, name, fields, properties, context = row
    record = {"createdAt": "2026-11-01 03:04:05 +00:00", "email": "Ada@Example.com", "userId": "u-1"}
    named.load([record | fields], data_type)
    assert named.send().sent == 1
    (call,) = named.calls()
    assert len(call.pop("messageId")) == 32
    assert call == {
        "type": "track",
        "event": name,
        "userId": "u-1",
        "timestamp": "2026-11-01T03:04:05.000Z",
        "context": {
            "integration": {"name": "Iterable", "version": "1.0.0"},
            "traits": {"email": "Ada@Example.com"},
            **context,
        },
        "properties": properties,
    }


@pytest.mark.parametrize(
    ("who", "email_as", "named_as"),
    [
        ({"email": "Ada@Example.com", "userId": "u-1"}, "userId", {"userId": "u-1"}),
        ({"email": "Ada@Example.com", "userId": "u-1"}, "anonymousId", {"userId": "u-1"}),
        ({"email": "Ada@Example.com"}, "userId", {"userId": "ada@example.com"}),
        ({"email": "Ada@Example.com", "userId": " "}, "anonymousId", {"anonymousId": "ada@example.com"}),
        ({"userId": "u-1"}, "anonymousId", {"userId": "u-1"}),
    ],
)
def test_who_it_is(tracks: Tracks, who: dict[str, str], email_as: str, named_as: dict[str, str]) -> None:
    tracks.declare(TO_FOLDER + f"email_as: {email_as}\n")
    tracks.load([{"createdAt": "2026-11-01 03:04:05 +00:00"} | who], "pushOpen")
    tracks.send()
    (call,) = tracks.calls()
    assert {name: call[name] for name in ("userId", "anonymousId") if name in call} == named_as
    assert call["context"].get("traits") == ({"email": who["email"]} if "email" in who else None)


def test_what_only_a_webhook_knows_comes_along(named: Tracks) -> None:
    told = {
        "emailSubject": "First shirt on us",
        "emailId": "c74758:t113541:x",
        "linkId": "3145668988",
        "locale": "en-US",
        "hrefIndex": None,
    }
    named.load([{"createdAt": "2026-11-01 03:04:05 +00:00", "email": "a@b.c", "hrefIndex": 3} | MESSAGE], "emailClick")
    body = json.dumps({"eventName": "emailClick", "dataFields": told})
    named.here(
        f"update streams.iterable_activity set webhook = '{body}', _webhook_id = '{DIGEST}', workflow_name = 'Welcome'"
    )
    named.send()
    (call,) = named.calls()
    found = {name: call["properties"][name] for name in ("email_subject", "email_id", "link_id", "workflow_name")}
    assert found == {
        "email_subject": "First shirt on us",
        "email_id": "c74758:t113541:x",
        "link_id": "3145668988",
        "workflow_name": "Welcome",
    }
    assert call["context"]["locale"] == "en-US" and call["messageId"] == DIGEST


def test_odd_texts_stay_one_line_and_json(tracks: Tracks) -> None:
    tracks.declare(TO_FOLDER)
    odd = '\x01\x00tab\tnew\nline\u2028 "quoted" \'x\' \\ 😀 {} ,"device":{}'
    tracks.load([{"createdAt": "2026-11-01 03:04:05 +00:00", "email": "a@b.c", "smsMessage": odd}], "smsReceived")
    assert tracks.send().sent == 1
    (call,) = tracks.calls()
    assert call["properties"]["sms_message"] == odd


def test_segments_own_spec_is_kept() -> None:
    """The properties that Segment's email spec names for each of its events."""
    common = {"email_id", "email_subject", "campaign_id", "campaign_name"}
    spec = {
        "Email Bounced": common,
        "Email Delivered": common,
        "Email Link Clicked": common | {"link_id", "link_url"},
        "Email Marked as Spam": common,
        "Email Opened": common,
        "Unsubscribed": common | {"list_id"},
    }
    for each in TRACK_EVENTS:
        there = {field.place.removeprefix("properties.") for field in each.fields if not field.as_json}
        assert spec.pop(each.name, set()) <= there, each.name
    assert spec == {} and len(TRACK_EVENT) == len(TRACK_EVENTS)
