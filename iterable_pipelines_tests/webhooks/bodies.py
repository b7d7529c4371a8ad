"""A body for each of the 31 shapes of webhooks that are publicly known (api.md 7), and the row each must become."""

from datetime import UTC, datetime, timedelta
from typing import Any

from iterable_pipelines.data_types import DATA_TYPE

HOUR = datetime(2026, 10, 5, 9, tzinfo=UTC)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36"

Body = dict[str, Any]


def sample_bodies(hour: datetime = HOUR) -> list[Body]:
    """The 31 bodies in the order of api.md 7 (RSWH 0 to 30); nth happens n minutes into `hour`.

    Keys, nesting and types are those of the public samples. Oddities among them: 1 and 30 have no email outside
    dataFields, 2 has eventTitle for eventName, 2 and 10 have another email outside than inside, 3 has no dataFields.
    """
    bodies: list[Body] = [
        _event("emailSubscribe", _subscription("ada@example.com"), email="ada@example.com"),
        _event("emailSubscribe", _subscription("bob@example.com")),
        {
            "email": "cleo.old@example.com",
            "eventTitle": "smsReceived",
            "dataFields": _text_received("cleo@example.com"),
        },
        {"email": "dan@example.com", "eventName": "inAppSendSkip"},
        _event("emailSend", {"contentId": 8104, **_email(4, "eve@example.com")}),
        _event("emailBounce", {"recipientState": "HardBounce", **_email(5, "fay@example.com")}),
        _event(
            "emailClick",
            {
                **_browser(),
                "ip": "192.0.2.6",
                "url": "https://example.com/sale?a=1&b=2",
                "canonicalUrlId": "6006006006",
                "linkUrl": "https://example.com/sale?a=1&b=2",
                "linkId": "6006006006",
                "city": "Lyon",
                "region": "ARA",
                **_email(6, "gil@example.com"),
            },
        ),
        _event("emailComplaint", {"recipientState": "Complaint", **_email(7, "hal@example.com")}),
        _event(
            "emailOpen",
            {
                "userAgent": BROWSER,
                "proxySource": "Gmail",
                "ip": "192.0.2.8",
                # the older name of userAgentDevice
                "device": "Gmail",
                **_email(8, "ida@example.com"),
            },
        ),
        _event("emailSendSkip", _skip(9, "jan@example.com")),
        _event("emailSubscribe", _subscription("kim@example.com"), email="kim.old@example.com"),
        _event(
            "emailUnSubscribe",
            {
                **_email(11, "lea@example.com", workflow="Winback"),
                **_newer(),
                "unsubSource": "EmailLink",
                "emailListIds": [],
                "channelIds": [3011],
                "messageTypeIds": [],
            },
        ),
        {
            "userId": "u-12",
            **_event(
                "hostedUnsubscribeClick",
                {
                    **_browser(),
                    "country": "France",
                    "city": "Nantes",
                    "region": "PDL",
                    "ip": "192.0.2.12",
                    "url": "https://example.com/preferences",
                    **_email(12, "max@example.com", workflow="Welcome"),
                    **_newer(),
                },
            ),
        },
        _event("inAppClick", _bare(13, "nia@example.com")),
        _event("inAppOpen", _bare(14, "oli@example.com")),
        _event("inAppSend", _in_app(15, "pam@example.com")),
        _event("inAppSendSkip", _in_app(16, "quin@example.com")),
        _event("pushBounce", {"platformEndpoint": _endpoint(17), **_push(17, "rita@example.com")}),
        _event("pushOpen", {"appAlreadyRunning": False, **_push(18, "sam@example.com"), "sound": None}),
        _event(
            "pushSend",
            {
                "contentId": 8119,
                "platformEndpoint": _endpoint(19),
                "messageId": _message_id(19),
                **_push(19, "tom@example.com"),
                "badge": "",
            },
        ),
        _event("pushSendSkip", _skip(20, "una@example.com")),
        _event(
            "pushUninstall",
            {
                "isGhostPush": False,
                "platformEndpoint": _endpoint(21),
                "messageId": _message_id(21),
                **_push(21, "vic@example.com"),
            },
        ),
        _event(
            "smsBounce",
            {
                "smsProviderResponse": {
                    "status": 400,
                    "message": "The number cannot receive text messages",
                    "code": 21614,
                    "more_info": "https://provider.example.com/errors/21614",
                },
                **_sms(22, "wes@example.com"),
            },
        ),
        _event(
            "smsClick",
            {
                "labels": [],
                "clickedUrl": "https://example.com/text",
                "messageId": _message_id(23),
                **_sms(23, "xia@example.com"),
            },
        ),
        _event("smsReceived", _text_received("yan@example.com")),
        _event(
            "smsSend",
            {
                "toPhoneNumber": "+12025550125",
                "fromSMSSenderId": 425,
                "contentId": 8125,
                **_sms(25, "zoe@example.com"),
            },
        ),
        _event("smsSendSkip", _skip(26, "abe@example.com")),
        _event(
            "emailSend",
            {
                "contentId": 8127,
                # an object here, where exports have a string
                "transactionalData": {"order": 1027, "items": [{"sku": "RR-27", "price": 4.5}], "gift": None},
                **_email(27, "bea@example.com"),
            },
        ),
        _event(
            "webPushSend",
            {
                "browserToken": "dR28:APA91bExample",
                "contentId": 8128,
                "webPushIcon": None,
                "webPushMessage": "",
                "webPushBody": None,
                "webPushClickAction": None,
                "messageId": _message_id(28),
                **_newer(),
                **_message(28, "cas@example.com", workflow="Browse abandonment"),
                **_email_id(28, "cas@example.com"),
            },
        ),
        _event("webPushSendSkip", _skip(29, "dee@example.com")),
        {"userId": "u-30", "eventName": "webPushSendSkip", "dataFields": _skip(30, "eli@example.com")},
    ]
    for number, body in enumerate(bodies):
        if "dataFields" in body:
            at = hour + timedelta(minutes=number)
            body["dataFields"]["createdAt"] = at.strftime("%Y-%m-%d %H:%M:%S +00:00")
    return bodies


_REFERENCE = ("campaign_id", "template_id", "message_id")
_NAMED = ("campaign_name", "template_name", "channel_id", "message_type_id")
_JOURNEY = ("workflow_id", "workflow_name")
_SKIPPED = ("campaign_id", "message_id")

# which columns of its stream's table a webhook of this event fills, beside email, user_id and created_at; all others
# that are read from the record stay NULL
FILLED: dict[str, tuple[str, ...]] = {
    "emailSubscribe": (),
    "emailUnSubscribe": (*_REFERENCE, *_NAMED, *_JOURNEY),
    "emailSend": (*_REFERENCE, *_NAMED, "content_id"),
    "emailOpen": (*_REFERENCE, *_NAMED),
    "emailClick": (*_REFERENCE, *_NAMED),
    "emailBounce": (*_REFERENCE, *_NAMED),
    "emailComplaint": (*_REFERENCE, *_NAMED),
    "emailSendSkip": _SKIPPED,
    "hostedUnsubscribeClick": (*_REFERENCE, *_NAMED, *_JOURNEY),
    "inAppClick": ("campaign_id",),
    "inAppOpen": ("campaign_id",),
    "inAppSend": (*_REFERENCE, *_NAMED, "content_id"),
    "inAppSendSkip": (*_REFERENCE, *_NAMED, "content_id"),
    "pushBounce": ("campaign_id", "template_id", *_NAMED),
    "pushOpen": ("campaign_id", "template_id", *_NAMED),
    "pushSend": (*_REFERENCE, *_NAMED, "content_id"),
    "pushSendSkip": _SKIPPED,
    "pushUninstall": (*_REFERENCE, *_NAMED),
    "smsBounce": ("campaign_id", "template_id", *_NAMED),
    "smsClick": (*_REFERENCE, *_NAMED),
    "smsReceived": ("to_phone_number",),
    "smsSend": ("campaign_id", "template_id", *_NAMED, "content_id", "to_phone_number"),
    "smsSendSkip": _SKIPPED,
    "webPushSend": (*_REFERENCE, *_NAMED, *_JOURNEY, "content_id"),
    "webPushSendSkip": _SKIPPED,
}


def expected(body: Body) -> dict[str, Any]:
    """What one of `sample_bodies` must become: data_type, stream, and the value of every column that it fills.

    created_at is without a zone, in UTC, as DuckDB gives it. stream is None for the body that says no moment: it
    belongs to no hour. Where a body names two emails, that of the event itself, inside dataFields, is the one.
    """
    data_type = body.get("eventName") or body["eventTitle"]
    fields = body.get("dataFields")
    if fields is None:
        return {"data_type": data_type, "stream": None}
    created = datetime.strptime(fields["createdAt"], "%Y-%m-%d %H:%M:%S +00:00")
    found = {"data_type": data_type, "stream": DATA_TYPE[data_type].stream, "created_at": created}
    found["email"] = fields["email"]
    if "userId" in body:
        found["user_id"] = body["userId"]
    return found | {column: fields[_key(column)] for column in FILLED[data_type]}


def _key(column: str) -> str:
    first, *rest = column.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _event(name: str, fields: Body, **outside: str) -> Body:
    # most samples repeat outside what is inside; a subscription of sample 1 does not
    email = {} if name == "emailSubscribe" else {"email": fields["email"]}
    return {**email, **outside, "eventName": name, "dataFields": fields}


def _subscription(email: str) -> Body:
    """A subscription carries fields of the profile: publicIdString is a project's own."""
    return {
        "profileUpdatedAt": "2026-10-05 08:59:59 +00:00",
        "publicIdString": "7c1f0c9e-1111-4222-8333-94445566aabb",
        "signupSource": "WebForm",
        "email": email,
        "messageTypeIds": [],
        "emailListIds": [700_100],
        "channelIds": [],
    }


def _text_received(email: str) -> Body:
    return {
        "fromPhoneNumber": "+12025550102",
        "toPhoneNumber": "+12025550199",
        "smsMessage": "YES please",
        "email": email,
    }


def _bare(number: int, email: str) -> Body:
    return {"email": email, "campaignId": 1000 + number}


def _skip(number: int, email: str) -> Body:
    return {"reason": "FrequencyCap", "messageId": _message_id(number), **_bare(number, email)}


def _message(number: int, email: str, workflow: str | None = None) -> Body:
    """What nearly every event of a message says."""
    return {
        **_bare(number, email),
        "templateId": 2000 + number,
        "campaignName": f"Campaign {number}",
        "templateName": f"Template {number} ü",
        "workflowId": 5000 + number if workflow else None,
        "workflowName": workflow,
        "channelId": 3000 + number,
        "messageTypeId": 4000 + number,
        "experimentId": None,
    }


def _email_id(number: int, email: str) -> Body:
    return {"emailId": f"c{1000 + number}:t{2000 + number}:{email}"}


def _email(number: int, email: str, workflow: str | None = None) -> Body:
    return {
        **_message(number, email, workflow),
        "messageId": _message_id(number),
        "emailSubject": f"Subject {number}",
        **_email_id(number, email),
    }


def _newer() -> Body:
    """What samples of 2019 and later add."""
    return {"labels": [], "locale": None}


def _browser() -> Body:
    return {"userAgent": BROWSER, "userAgentDevice": "Linux"}


def _in_app(number: int, email: str) -> Body:
    return {
        "messageContext": {"saveToInbox": False, "trigger": "immediate"},
        "contentId": 8100 + number,
        "messageId": f"inApp{number}Opaque0123456789abcdefghijklmn",
        "inAppBody": "<!DOCTYPE html><p>Hello</p>",
        "expiresAt": "2026-10-06 09:00:00 +00:00",
        **_newer(),
        **_message(number, email),
        **_email_id(number, email),
    }


def _push(number: int, email: str) -> Body:
    return {
        **_message(number, email),
        "pushMessage": "Something is waiting for you",
        "payload": {"path": f"offers/{number}"},
        "sound": "",
        "badge": None,
        "contentAvailable": False,
        "deeplink": None,
        "locale": None,
    }


def _sms(number: int, email: str) -> Body:
    return {
        **_message(number, email),
        "smsMessage": "Reply YES to confirm",
        "fromPhoneNumberId": 425,
        "imageUrl": None,
        "locale": None,
        **_email_id(number, email),
    }


def _endpoint(number: int) -> str:
    return f"arn:aws:sns:us-east-1:1:endpoint/APNS/app/{number}"


def _message_id(number: int) -> str:
    return f"{number:032x}"
