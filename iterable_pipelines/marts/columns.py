"""The marts: every column of each, its SQL type and one line on what it says, and what identifies a row.

Names are those of Fivetran's dbt package for Iterable wherever it has the same column.
"""

from dataclasses import dataclass

from iterable_pipelines.data_types import DATA_TYPES, USERS
from iterable_pipelines.marts.event_fields import EVENT_FIELDS
from iterable_pipelines.profiles.columns import ProfileColumn as Column

_TEXT, _ID, _COUNT, _TIME, _YES, _MONEY = "VARCHAR", "BIGINT", "BIGINT", "TIMESTAMP", "BOOLEAN", "DOUBLE"


@dataclass(frozen=True)
class Mart:
    """One table or view of the schema `marts`. `keys` identify a row, and none of them is NULL; they are tested to.

    Rows that a build cannot have changed are not tested again where `hour` or `person` says by which column to tell.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    keys: tuple[str, ...] = ()
    hour: str = ""
    person: str = ""


def _column(name: str, kind: str, description: str) -> Column:
    return Column(name, kind, description)


_PERSON = _column("unique_user_key", _TEXT, "The person: the key of their profile, by whatever name they were told of.")
_EVENTS = tuple(each for each in DATA_TYPES if each.stream != USERS)


def _totals(whose: str) -> tuple[Column, ...]:
    return tuple(_column(f"total_{each.name.lower()}", _COUNT, f"{each.name} events {whose}.") for each in _EVENTS)


def _totals_and_people(of: str) -> tuple[Column, ...]:
    return tuple(
        column
        for each in _EVENTS
        for column in (
            _column(f"total_{each.name.lower()}", _COUNT, f"{each.name} events {of}."),
            _column(f"unique_total_{each.name.lower()}", _COUNT, f"People with an {each.name} event {of}."),
        )
    )


_CAMPAIGN = _column("campaign_id", _ID, "Campaign; NULL is none.")
_EXPERIMENT = _column("experiment_id", _ID, "Experiment; NULL is none.")
_RECURRING = (
    _column("is_campaign_recurring", _YES, "Whether it is the recurring campaign that others are children of."),
    _column("recurring_campaign_id", _ID, "The recurring campaign it is a child of."),
    _column("recurring_campaign_name", _TEXT, "Name of the recurring campaign it is a child of."),
)
_TEMPLATE = (
    _column("template_id", _ID, "Template: the campaign's, else the newest that its events name."),
    _column("template_name", _TEXT, "Name of the template."),
)
_CHANNEL = (
    _column("channel_id", _ID, "Channel."),
    _column("channel_name", _TEXT, "Name of the channel."),
    _column("channel_type", _TEXT, "Marketing or Transactional."),
    _column("message_medium", _TEXT, "Email, Push, SMS and so on."),
)
_MESSAGE_TYPE = (
    _column("message_type_id", _ID, "Message type."),
    _column("message_type_name", _TEXT, "Name of the message type."),
)
_WORKFLOW = (
    _column("workflow_id", _ID, "Journey that the campaign belongs to."),
    _column("workflow_name", _TEXT, "Name of the journey."),
)
_SPAN = (
    _column("first_event_at", _TIME, "Time of the first event, UTC."),
    _column("last_event_at", _TIME, "Time of the last event, UTC."),
)
_REVENUE = _column("purchase_revenue", _MONEY, "Sum of the totals of purchases.")
_EXACT_REVENUE = _column("purchase_revenue", "DECIMAL(38,6)", "Exact sum of the totals of purchases.")
_CHANNELS = (
    ("email", "Emails", "opened"),
    ("push", "Pushes", "opened"),
    ("sms", "Text messages", "clicked"),
    ("in_app", "In-app messages", "opened"),
)
_CARRIED = (
    _column("template_id", _ID, "Newest template that the events name."),
    _column("campaign_name", _TEXT, "Newest name of the campaign that the events carry themselves."),
    _column("template_name", _TEXT, "Newest name of the template that the events carry themselves."),
)
_FIRST_REACTION = _column("first_open_or_click_event_at", _TIME, "Time of the first open or click of any channel, UTC.")

MARTS = (
    Mart(
        "iterable__events",
        "Every event of every activity stream, with the campaign, template, message type, channel, journey and person "
        "it is about. Always current: it is a view over the streams, whose hours are replaced as they change.",
        (
            _column("unique_event_id", _TEXT, "The event, however often it was exported; two of one second are two."),
            _column("event_name", _TEXT, "Iterable's data type, such as emailOpen; customEvent for your own."),
            _column("custom_event_name", _TEXT, "Your name of a custom event."),
            _column("stream", _TEXT, "The table of the schema streams that the event is in."),
            _column("created_at", _TIME, "When it happened, UTC; NULL where unreadable."),
            _column("created_on", "DATE", "Day on which it happened, UTC."),
            _PERSON,
            _column("email", _TEXT, "Address that the event names, lower-cased, else the person's."),
            _column("user_id", _TEXT, "The person's userId, else the one that the event names."),
            _column("user_full_name", _TEXT, "First and last name of the person."),
            _CAMPAIGN,
            _column("campaign_name", _TEXT, "The campaign's name now, else the one that the event carries."),
            _column("campaign_type", _TEXT, "Blast or Triggered."),
            *_RECURRING,
            _column("template_id", _ID, "Template that the event names, else the campaign's."),
            _column("template_name", _TEXT, "The template's name now, else the one that the event carries."),
            _column("template_creator_user_id", _TEXT, "Who made the template."),
            _column("message_type_id", _ID, "Message type that the event names, else the template's."),
            _column("message_type_name", _TEXT, "Name of the message type."),
            _column("channel_id", _ID, "Channel that the event names, else the message type's."),
            *_CHANNEL[1:],
            _column("workflow_id", _ID, "Journey that the event names, else the campaign's."),
            _column("workflow_name", _TEXT, "The journey's name now, else the one that the event carries."),
            _column("message_id", _TEXT, "One message to one person: its opens and clicks share it."),
            _column("content_id", _ID, "Content."),
            _EXPERIMENT,
            _column("experience_id", _TEXT, "What was shown."),
            _column("purchase_revenue", _MONEY, "Total of a purchase."),
            *(_column(name, _TEXT, f"The event's {field}, as text.") for name, field in EVENT_FIELDS.items()),
            _column("additional_properties", "JSON", "The whole event as it was received."),
            _column("_hour", _TIME, "The partition it came in, UTC."),
            _column("_source", _TEXT, "export or webhook."),
            _column("_loaded_at", _TIME, "When it was loaded, UTC."),
        ),
        ("unique_event_id", "_hour"),
        hour="_hour",
    ),
    Mart(
        "iterable__user_campaign",
        "One row per person, campaign and experiment: what they did. Events of no campaign are one called organic.",
        (
            _column("unique_user_campaign_id", _TEXT, "Identifies the row."),
            _PERSON,
            _column("user_id", _TEXT, "The person's userId."),
            _column("user_email", _TEXT, "The person's address, lower-cased."),
            _column("user_full_name", _TEXT, "First and last name of the person."),
            _CAMPAIGN,
            _EXPERIMENT,
            _column("campaign_name", _TEXT, "Name now, else the newest that events carry; organic for none."),
            *_TEMPLATE,
            *_RECURRING[1:],
            *_SPAN,
            _FIRST_REACTION,
            _column("count_events", _COUNT, "Events of any kind."),
            *_totals("of the person in the campaign"),
            _REVENUE,
        ),
        ("unique_user_campaign_id",),
        person="unique_user_key",
    ),
    Mart(
        "iterable__campaigns",
        "One row per campaign and experiment, with what came of it. Campaigns without events are there, and so are "
        "those that only events speak of. People are counted once, by whatever name they are known.",
        (
            _column("unique_campaign_version_id", _TEXT, "Identifies the row."),
            _column("campaign_id", _ID, "Campaign."),
            _EXPERIMENT,
            _column("campaign_name", _TEXT, "The campaign's name now, else the newest that events carry."),
            _column("is_listed", _YES, "Whether Iterable lists the campaign, or has done so."),
            _column("campaign_state", _TEXT, "Draft, Running, Finished and so on."),
            _column("campaign_type", _TEXT, "Blast or Triggered."),
            _column("send_size", _COUNT, "How many people it was meant for, as Iterable says."),
            _column("start_at", _TIME, "When it began to be sent, UTC."),
            _column("ended_at", _TIME, "When it was sent, UTC."),
            _column("created_at", _TIME, "When it was made, UTC."),
            _column("updated_at", _TIME, "When it was last changed, UTC."),
            _column("created_by_user_id", _TEXT, "Who made it."),
            *_RECURRING,
            _column("recurring_campaign_state", _TEXT, "State of the recurring campaign."),
            _column("recurring_campaign_send_size", _COUNT, "Send size of the recurring campaign."),
            _column("recurring_campaign_start_at", _TIME, "Start of the recurring campaign, UTC."),
            _column("count_send_lists", _COUNT, "Lists that it was sent to."),
            _column("count_suppress_lists", _COUNT, "Lists that it was not sent to."),
            _column("labels", _TEXT, "Labels, with commas between them."),
            *_TEMPLATE,
            _column("template_creator_user_id", _TEXT, "Who made the template."),
            *_MESSAGE_TYPE,
            *_CHANNEL,
            *_WORKFLOW,
            _column("count_unique_users", _COUNT, "People with any event."),
            _column("count_events", _COUNT, "Events of any kind; those that name nobody are in iterable__events only."),
            *_SPAN,
            *_totals_and_people("in the campaign"),
            _REVENUE,
        ),
        ("unique_campaign_version_id",),
    ),
    Mart(
        "iterable__users",
        "One row per person, with or without a user record, an address, or events: who they are and what they did. "
        "Who is known from nothing but a list is there while they are on it.",
        (
            _PERSON,
            _column("email", _TEXT, "Address, lower-cased."),
            _column("user_id", _TEXT, "Iterable userId."),
            _column("first_name", _TEXT, "First name."),
            _column("last_name", _TEXT, "Last name."),
            _column("signup_date", _TIME, "When the person signed up, UTC."),
            _column("signup_source", _TEXT, "How the person signed up."),
            _column("updated_at", _TIME, "When the user's record last changed in Iterable, UTC."),
            _column("phone_number", _TEXT, "Telephone number: the user's, else that of the newest SMS event."),
            _column("email_list_ids", _TEXT, "Lists that the person is on, ascending, as a JSON array."),
            _column("count_lists", _COUNT, "How many lists the person is on."),
            _column("count_total_campaigns", _COUNT, "How many campaigns the person has events of."),
            *_SPAN,
            _column("count_events", _COUNT, "Events of any kind."),
            *_totals("of the person"),
            _REVENUE,
            _column("has_user_record", _YES, "Whether Iterable has a user record of the person."),
        ),
        ("unique_user_key",),
    ),
    Mart(
        "iterable__list_user_history",
        "One row each time a person joined a list, with when they left it.",
        (
            _PERSON,
            _column("user_id", _TEXT, "The person's userId."),
            _column("user_email", _TEXT, "The person's address, lower-cased."),
            _column("user_first_name", _TEXT, "First name."),
            _column("user_last_name", _TEXT, "Last name."),
            _column("user_signup_date", _TIME, "When the person signed up, UTC."),
            _column("user_signup_source", _TEXT, "How the person signed up."),
            _column("user_updated_at", _TIME, "When the user's record last changed in Iterable, UTC."),
            _column("list_id", _ID, "List."),
            _column("list_name", _TEXT, "Name of the list."),
            _column("list_type", _TEXT, "Standard, Dynamic, Suppression or Internal."),
            _column("list_description", _TEXT, "Description of the list."),
            _column("list_created_at", _TIME, "When the list was made, UTC."),
            _column("joined_at", _TIME, "When the person was first seen on the list, UTC."),
            _column("left_at", _TIME, "When the person was not on it any more, UTC; NULL for who is on it."),
            _column("is_current", _YES, "Whether the person is on the list now."),
            _column("source", _TEXT, "Where the membership was read."),
        ),
        ("list_id", "unique_user_key", "joined_at"),
    ),
    Mart(
        "iterable__user_unsubscriptions",
        "What each person is unsubscribed from now: one row per person and message type, or channel without any. A "
        "channel that was left stands once for each message type that it has now; one of those that was left by name, "
        "too, has a second row, in which is_unsubscribed_channel_wide is false.",
        (
            _column("unique_unsubscription_id", _TEXT, "Identifies the row."),
            _PERSON,
            _CHANNEL[0],
            _MESSAGE_TYPE[0],
            _column("updated_at", _TIME, "When the person unsubscribed, UTC; at the latest, where source is user."),
            _CHANNEL[1],
            _MESSAGE_TYPE[1],
            *_CHANNEL[2:],
            _column("is_unsubscribed_channel_wide", _YES, "Whether it is the whole channel that the person left."),
            _column("source", _TEXT, "What says so: event, or user, the user's record."),
            _column("unsub_source", _TEXT, "How it came about, such as EmailLink or HardBounce."),
            _column("campaign_id", _ID, "Campaign that the person left by."),
        ),
        ("unique_unsubscription_id",),
        person="unique_user_key",
    ),
    Mart(
        "iterable__user_unsubscription_history",
        "One row each time a person left a channel or a message type, with when they came back.",
        (
            _column("unique_unsubscription_id", _TEXT, "Identifies the row."),
            _PERSON,
            _column("is_unsubscribed_channel_wide", _YES, "Whether it is a whole channel that the person left."),
            *_CHANNEL,
            _column("message_type_id", _ID, "Message type; NULL for a whole channel."),
            _MESSAGE_TYPE[1],
            _column("unsubscribed_at", _TIME, "When the person left, UTC; at the latest, where source is user."),
            _column("resubscribed_at", _TIME, "When the person came back, UTC; NULL for who did not."),
            _column("is_current", _YES, "Whether the person is unsubscribed now."),
            _column("source", _TEXT, "What says so: event, or user, the user's record."),
            _column("unsub_source", _TEXT, "How it came about, such as EmailLink or HardBounce."),
            _column("campaign_id", _ID, "Campaign that the person left by."),
        ),
        ("unique_unsubscription_id",),
        person="unique_user_key",
    ),
    Mart(
        "campaign_names",
        "What the listed campaigns are called and belong to, for the marts to join.",
        (
            _column("campaign_id", _ID, "Campaign."),
            _column("name", _TEXT, "Name."),
            _column("type", _TEXT, "Blast or Triggered."),
            _column("campaign_state", _TEXT, "State."),
            _column("message_medium", _TEXT, "Medium."),
            _column("template_id", _ID, "Template."),
            _column("workflow_id", _ID, "Journey."),
            _column("send_size", _COUNT, "How many people it was meant for."),
            _column("start_at", _TIME, "When it began to be sent, UTC."),
            _column("ended_at", _TIME, "When it was sent, UTC."),
            _column("created_at", _TIME, "When it was made, UTC."),
            _column("updated_at", _TIME, "When it was last changed, UTC."),
            _column("created_by_user_id", _TEXT, "Who made it."),
            _column("labels", _TEXT, "Labels, as a JSON array."),
            _column("list_ids", _TEXT, "Lists it is sent to, as a JSON array."),
            _column("suppression_list_ids", _TEXT, "Lists it is not sent to, as a JSON array."),
            _column("is_recurring", _YES, "Whether others are its children."),
            _column("recurring_campaign_id", _ID, "The recurring campaign it is a child of."),
            _column("recurring_campaign_name", _TEXT, "Name of that."),
            _column("recurring_campaign_state", _TEXT, "State of that."),
            _column("recurring_campaign_send_size", _COUNT, "Send size of that."),
            _column("recurring_campaign_start_at", _TIME, "Start of that, UTC."),
        ),
        ("campaign_id",),
    ),
    Mart(
        "touched_people",
        "The people whose campaigns this build counts anew.",
        (
            _column("user_key", _TEXT, "Key of the profile."),
            _column("whole", _YES, "Whether all of their campaigns are, and not only those of what came."),
            _column("built_to", _ID, "Newest load that the build has seen."),
            _column("made_at", "TIMESTAMP WITH TIME ZONE", "When this was told."),
        ),
        ("user_key",),
    ),
    Mart(
        "touched_keys",
        "The keys of events whose last 30 days this build counts anew.",
        (_column("user_key", _TEXT, "Key of the events."),),
        ("user_key",),
    ),
    Mart(
        "recent_activity",
        "What each key of events did within the 30 days that audiences look back.",
        (
            _column("user_key", _TEXT, "Key of the events."),
            _column("counted_from", _TIME, "Where the 30 days began when it was counted, UTC."),
            _column("oldest_hour", _TIME, "The first hour that is counted, UTC."),
            *(
                _column(f"{channel}_{what}", _COUNT, f"{messages} {how} within 30 days.")
                for channel, messages, reaction in _CHANNELS
                for what, how in (("sends", "sent"), ("opens", reaction))
            ),
            *(
                _column(f"engagements_at_{hour}", _COUNT, f"Openings and clicks in hour {hour} of the day, UTC.")
                for hour in range(24)
            ),
        ),
        ("user_key",),
    ),
    Mart(
        "user_campaign_activity",
        "What is counted for iterable__user_campaign: every data type, whatever the settings show. Rows of zeros are "
        "what is not there any more.",
        (
            _column("unique_user_campaign_id", _TEXT, "Identifies the row."),
            _column("user_key", _TEXT, "Key of the profile."),
            _CAMPAIGN,
            _EXPERIMENT,
            _column("events", _COUNT, "Events of any kind."),
            *_SPAN,
            _FIRST_REACTION,
            *_CARRIED,
            _EXACT_REVENUE,
            *_totals("of the person in the campaign"),
            _column("_other_keys", "VARCHAR[]", "The keys of the events that are counted, other than user_key."),
            _column("_load_id", _ID, "Newest load when the row became what it is."),
        ),
    ),
    Mart(
        "campaign_activity",
        "What is counted for iterable__campaigns: every data type, whatever the settings show.",
        (
            _column("campaign_id", _ID, "Campaign."),
            _EXPERIMENT,
            _column("events", _COUNT, "Events of any kind."),
            _column("count_unique_users", _COUNT, "People with any event."),
            *_SPAN,
            *_CARRIED,
            *_totals_and_people("in the campaign"),
            _EXACT_REVENUE,
        ),
    ),
    Mart(
        "builds",
        "One row per finished build of profiles and marts.",
        (
            _column("built_to", _ID, "Newest load that the build has seen."),
            _column("tail_start", _TIME, "Where its tail began, UTC."),
            _column("configuration", _TEXT, "A fingerprint of the data types and profile fields it was built with."),
            _column("finished_at", "TIMESTAMP WITH TIME ZONE", "When it was done."),
        ),
        ("finished_at",),
    ),
)  # fmt: skip
