"""Every data type Iterable exports, one line each, and the stream each belongs to.

Add a data type here, and nowhere else: its landing files, its stream, its checks and its profile
columns follow from the line. Names are spelled as in Iterable's Swagger (api.md 3.1).
"""

from dataclasses import dataclass, field

EMAIL = "iterable_activity"
PUSH = "iterable_push_activity"
SMS = "iterable_sms_activity"
IN_APP = "iterable_in_app_activity"
WEB_PUSH = "iterable_web_push_activity"
EMBEDDED = "iterable_embedded_activity"
WHATSAPP = "iterable_whatsapp_activity"
RCS = "iterable_rcs_activity"
CUSTOM = "iterable_custom_activity"
PURCHASE = "iterable_purchase_activity"
JOURNEY = "iterable_journey_activity"
USERS = "iterable_users"


@dataclass(frozen=True)
class DataType:
    """One of Iterable's export data types.

    `profile` is the stem of its profile columns: "email_open" gives `it_email_openct`,
    `it_first_email_open_ts` and `it_last_email_open_ts`.
    `impression` and `conversion` say in which map an event counts (checklist L37, L38, L66, L67, L90, L91).
    """

    name: str
    stream: str
    profile: str
    impression: bool = False
    conversion: bool = False


@dataclass(frozen=True)
class Stream:
    """One table of the schema `streams`, fed by one or more data types.

    `columns` are the stream's own columns beside the ones every stream has: column name to (SQL type, JSON paths
    in the record, first one present wins).
    """

    name: str
    title: str
    columns: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def data_types(self) -> tuple[str, ...]:
        return tuple(each.name for each in DATA_TYPES if each.stream == self.name)


STREAMS = (
    Stream(USERS, "Users"),
    Stream(EMAIL, "Email"),
    Stream(
        PUSH,
        "Push",
        {
            "deeplink_ios": ("VARCHAR", ("$.deeplink.ios", "$.deeplink_ios")),
            # "andriod" is how the field is spelled where it was first documented (checklist L54)
            "deeplink_android": ("VARCHAR", ("$.deeplink.android", "$.deeplink_android", "$.deeplink_andriod")),
        },
    ),
    Stream(SMS, "SMS", {"to_phone_number": ("VARCHAR", ("$.toPhoneNumber",))}),
    Stream(IN_APP, "In-app"),
    Stream(WEB_PUSH, "Web push"),
    Stream(EMBEDDED, "Embedded"),
    Stream(WHATSAPP, "WhatsApp", {"to_phone_number": ("VARCHAR", ("$.toPhoneNumber",))}),
    Stream(RCS, "RCS"),
    Stream(CUSTOM, "Custom events"),
    Stream(PURCHASE, "Purchases", {"total": ("DOUBLE", ("$.total",))}),
    Stream(JOURNEY, "Journeys"),
)

DATA_TYPES = (
    DataType("user", USERS, "user"),
    DataType("emailSend", EMAIL, "email_send"),
    DataType("emailOpen", EMAIL, "email_open"),
    DataType("emailClick", EMAIL, "email_click"),
    DataType("emailBounce", EMAIL, "email_bounce"),
    DataType("emailComplaint", EMAIL, "email_complaint"),
    DataType("emailSendSkip", EMAIL, "email_send_skip"),
    DataType("emailSubscribe", EMAIL, "email_subscribe"),
    DataType("emailUnSubscribe", EMAIL, "email_unsubscribe"),
    DataType("hostedUnsubscribeClick", EMAIL, "hosted_unsubscribe_click"),
    DataType("pushSend", PUSH, "push_send", impression=True),
    DataType("pushOpen", PUSH, "push_open", conversion=True),
    DataType("pushBounce", PUSH, "push_bounce"),
    DataType("pushUninstall", PUSH, "push_uninstall"),
    DataType("pushSendSkip", PUSH, "push_send_skip"),
    DataType("smsSend", SMS, "sms_send", impression=True),
    DataType("smsReceived", SMS, "sms_received", conversion=True),
    DataType("smsBounce", SMS, "sms_bounce"),
    DataType("smsClick", SMS, "sms_click"),
    DataType("smsSendSkip", SMS, "sms_send_skip"),
    DataType("smsUsageInfo", SMS, "sms_usage_info"),
    DataType("inAppSend", IN_APP, "in_app_send"),
    DataType("inAppOpen", IN_APP, "in_app_open", impression=True),
    DataType("inAppClick", IN_APP, "in_app_click", conversion=True),
    DataType("inAppClose", IN_APP, "in_app_close"),
    DataType("inAppDelete", IN_APP, "in_app_delete"),
    DataType("inAppDelivery", IN_APP, "in_app_delivery"),
    DataType("inAppSendSkip", IN_APP, "in_app_send_skip"),
    DataType("inAppRecall", IN_APP, "in_app_recall"),
    DataType("inboxSession", IN_APP, "inbox_session"),
    DataType("inboxMessageImpression", IN_APP, "inbox_message_impression"),
    DataType("webPushSend", WEB_PUSH, "web_push_send"),
    DataType("webPushClick", WEB_PUSH, "web_push_click"),
    DataType("webPushSendSkip", WEB_PUSH, "web_push_send_skip"),
    DataType("embeddedSend", EMBEDDED, "embedded_send"),
    DataType("embeddedSendSkip", EMBEDDED, "embedded_send_skip"),
    DataType("embeddedReceived", EMBEDDED, "embedded_received"),
    DataType("embeddedImpression", EMBEDDED, "embedded_impression"),
    DataType("embeddedClick", EMBEDDED, "embedded_click"),
    DataType("embeddedSession", EMBEDDED, "embedded_session"),
    DataType("whatsAppSend", WHATSAPP, "whatsapp_send"),
    DataType("whatsAppSendSkip", WHATSAPP, "whatsapp_send_skip"),
    DataType("whatsAppReceived", WHATSAPP, "whatsapp_received"),
    DataType("whatsAppSeen", WHATSAPP, "whatsapp_seen"),
    DataType("whatsAppClick", WHATSAPP, "whatsapp_click"),
    DataType("whatsAppBounce", WHATSAPP, "whatsapp_bounce"),
    DataType("whatsAppUsageInfo", WHATSAPP, "whatsapp_usage_info"),
    DataType("rcsSend", RCS, "rcs_send"),
    DataType("rcsSendSkip", RCS, "rcs_send_skip"),
    DataType("customEvent", CUSTOM, "custom_event"),
    DataType("purchase", PURCHASE, "purchase"),
    DataType("journeyExit", JOURNEY, "journey_exit"),
    DataType("unknownSession", JOURNEY, "unknown_session"),
)

STREAM = {each.name: each for each in STREAMS}
DATA_TYPE = {each.name: each for each in DATA_TYPES}
ACTIVITY_STREAMS = tuple(each for each in STREAMS if each.name != USERS)
