"""Which track call each data type becomes, one line each: its name, and the fields of the call with where they are.

Names are those that Iterable itself gives its events in Segment (support.iterable.com, article 210012983; Segment's
catalog, source Iterable); those marked "by analogy" it does not send. Fields of email are Segment's email spec.
Add an event here, and nowhere else.
"""

from dataclasses import dataclass

from iterable_pipelines.data_types import DATA_TYPE


@dataclass(frozen=True)
class Field:
    """A field of the call: `place` is its path, and the first of `sources` that has a value gives it.

    A source that begins with $ is a path in the record, and then in the webhook's dataFields; any other is SQL over the
    stream's row and the names that are joined to it (select.py). Texts, unless `as_json` keeps the value's own type.
    """

    place: str
    sources: tuple[str, ...]
    as_json: bool = False


@dataclass(frozen=True)
class TrackEvent:
    """The track call of one data type."""

    data_type: str
    name: str
    fields: tuple[Field, ...]

    @property
    def stream(self) -> str:
        return DATA_TYPE[self.data_type].stream


def _text(name: str, *sources: str) -> Field:
    return Field(name if name.startswith("context.") else f"properties.{name}", sources)


def _json(name: str, *sources: str) -> Field:
    return Field(f"properties.{name}", sources, as_json=True)


_PERSON = (_text("email", "email"), _text("context.traits.email", "email"), _text("context.locale", "$.locale"))
_MESSAGE = (
    *_PERSON,
    # ids are texts: Segment's spec has them so, and a number of 64 bits would not survive JavaScript
    _text("campaign_id", "campaign_id"),
    _text("campaign_name", "campaign_name", "known_campaign_name"),
    _text("template_id", "template_id"),
    _text("template_name", "template_name", "known_template_name"),
    _text("message_id", "message_id"),
    _text("message_type_id", "message_type_id"),
    _text("channel_id", "channel_id"),
    _text("workflow_id", "workflow_id"),
    _text("workflow_name", "workflow_name"),
    _text("experiment_id", "experiment_id"),
)
_REASON = _text("reason", "$.reason")
_EMAIL = (
    *_MESSAGE,
    # webhooks have it, exports do not: it is always made of these three (api.md 7)
    _text("email_id", "$.emailId", "'c' || campaign_id || ':t' || template_id || ':' || email"),
    _text("email_subject", "$.emailSubject", "known_subject"),
)
_READER = (
    _text("context.ip", "$.ip"),
    _text("context.userAgent", "$.userAgent"),
    _text("context.location.city", "$.city"),
    _text("context.location.region", "$.region"),
    _text("context.location.country", "$.country"),
    _text("user_agent_device", "$.userAgentDevice"),
    _text("proxy_source", "$.proxySource"),
)
_LINK = (
    _text("link_id", "$.linkId", "$.canonicalUrlId", "$.hrefIndex"),
    _text("link_url", "$.linkUrl", "$.url", "$.clickedUrl"),
)
_BOUNCE = (_text("recipient_state", "$.recipientState"), _text("status", "$.status"))
_LISTS = (
    _text("list_id", "$.emailListId", "$.emailListIds[0]"),
    _json("list_ids", "$.emailListIds"),
    _json("channel_ids", "$.channelIds"),
    _json("message_type_ids", "$.messageTypeIds"),
)
_DEEPLINK = (_text("deeplink_ios", "deeplink_ios"), _text("deeplink_android", "deeplink_android"))
_PUSH = (*_MESSAGE, *_DEEPLINK, _text("push_message", "$.pushMessage"))
_PHONE = (
    *_MESSAGE,
    _text("to_phone_number", "to_phone_number"),
    _text("from_phone_number", "$.fromPhoneNumber"),
    _text("sms_message", "$.smsMessage"),
)
_DEVICE = (
    _text("context.device.id", "$.deviceInfo.deviceId"),
    _text("context.device.type", "$.deviceInfo.platform"),
    _text("context.app.namespace", "$.deviceInfo.appPackageName"),
)
_IN_APP = (
    *_MESSAGE,
    *_DEVICE,
    _text("location", "$.messageContext.location"),
    _json("save_to_inbox", "$.messageContext.saveToInbox"),
    _json("silent_inbox", "$.messageContext.silentInbox"),
)
_INBOX = (*_IN_APP, _text("inbox_session_id", "$.inboxSessionId"))

TRACK_EVENTS = (
    TrackEvent("emailSend", "Email Delivered", _EMAIL),
    TrackEvent("emailOpen", "Email Opened", (*_EMAIL, *_READER)),
    TrackEvent("emailClick", "Email Link Clicked", (*_EMAIL, *_READER, *_LINK)),
    TrackEvent("emailBounce", "Email Bounced", (*_EMAIL, *_BOUNCE)),
    TrackEvent("emailComplaint", "Email Marked as Spam", (*_EMAIL, *_READER, *_BOUNCE)),
    TrackEvent("emailSubscribe", "Subscribed", (*_EMAIL, *_LISTS, _text("signup_source", "$.signupSource"))),
    TrackEvent(
        "emailUnSubscribe", "Unsubscribed", (*_EMAIL, *_READER, *_LISTS, _text("unsub_source", "$.unsubSource"))
    ),
    TrackEvent("hostedUnsubscribeClick", "Hosted Unsubscribe Click", (*_EMAIL, *_READER, *_LINK)),
    TrackEvent("emailSendSkip", "Email Send Skip", (*_EMAIL, _REASON)),
    TrackEvent("pushSend", "Push Delivered", _PUSH),
    TrackEvent("pushBounce", "Push Bounced", _PUSH),
    TrackEvent(
        "pushOpen",
        "Push Opened",
        (*_PUSH, _text("action", "$.actionIdentifier"), _json("app_already_running", "$.appAlreadyRunning")),
    ),
    TrackEvent("pushUninstall", "Mobile App Uninstalled", (*_PUSH, _json("is_ghost_push", "$.isGhostPush"))),
    TrackEvent("pushSendSkip", "Push Send Skip", (*_MESSAGE, _REASON)),
    TrackEvent("smsSend", "SMS Delivered", _PHONE),
    TrackEvent(
        "smsBounce",
        "SMS Bounced",
        (*_PHONE, _text("reason", "$.smsProviderResponse.message"), _text("code", "$.smsProviderResponse.code")),
    ),
    TrackEvent("smsClick", "SMS Clicked", (*_PHONE, *_LINK)),
    TrackEvent("smsReceived", "SMS Received", _PHONE),
    TrackEvent("smsSendSkip", "SMS Send Skip", (*_MESSAGE, _REASON)),
    TrackEvent("inAppSend", "In App Sent", _IN_APP),
    TrackEvent("inAppDelivery", "In App Delivered", _IN_APP),
    TrackEvent("inAppOpen", "In App Opened", _IN_APP),
    TrackEvent("inAppClick", "In App Clicked", (*_IN_APP, *_LINK)),
    TrackEvent("inAppSendSkip", "In App Send Skip", (*_MESSAGE, _REASON)),
    TrackEvent("webPushSend", "Web Push Delivered", (*_MESSAGE, _text("push_message", "$.webPushMessage"))),
    TrackEvent("webPushClick", "Web Push Clicked", _MESSAGE),
    TrackEvent("webPushSendSkip", "Web Push Send Skip", (*_MESSAGE, _REASON)),
    # by analogy
    TrackEvent("inAppClose", "In App Closed", (*_INBOX, *_LINK, _text("close_action", "$.closeAction"))),
    TrackEvent("inAppDelete", "In App Deleted", (*_INBOX, _text("delete_action", "$.deleteAction"))),
    TrackEvent("inAppRecall", "In App Recalled", _IN_APP),
)
TRACK_EVENT = {each.data_type: each for each in TRACK_EVENTS}
