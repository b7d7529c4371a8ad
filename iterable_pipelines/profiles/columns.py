"""Every column of `profiles.user_profiles`: name, SQL type, and one line on what it says."""

from collections.abc import Mapping
from dataclasses import dataclass

from iterable_pipelines.data_types import ACTIVITY_STREAMS, DATA_TYPES, USERS


@dataclass(frozen=True)
class ProfileColumn:
    """One column of a profile. Names that begin with an underscore serve the models, not readers."""

    name: str
    type: str
    description: str


_TEXT, _TIME, _COUNT, _SET, _MAP = "VARCHAR", "TIMESTAMP", "BIGINT", "VARCHAR[]", "MAP(VARCHAR, BIGINT)"

_PERSON = (
    ProfileColumn("user_key", _TEXT, "Lower-cased address, else the user id; in userid projects the reverse."),
    ProfileColumn("email", _TEXT, "Address, lower-cased: the user's, else that of the events."),
    ProfileColumn("emaildomain", _TEXT, "What stands after the last @ of the address."),
    ProfileColumn("it_user_id", _TEXT, "Iterable userId: the user's, else that of the events."),
    ProfileColumn("first_name", _TEXT, "First name."),
    ProfileColumn("last_name", _TEXT, "Last name."),
    ProfileColumn("gender", _TEXT, "Gender."),
    ProfileColumn("city", _TEXT, "City."),
    ProfileColumn("country", _TEXT, "Country."),
    ProfileColumn("timezone", _TEXT, "Time zone."),
    ProfileColumn("profile_updated_at", _TIME, "When the user's record last changed in Iterable, UTC."),
    ProfileColumn("signup_date", _TIME, "When the user signed up, UTC."),
)  # fmt: skip

_ACTIVITY = (
    ProfileColumn("it_unsub_ts", _TIME, "When the app was last uninstalled (the newest pushUninstall), UTC."),
    ProfileColumn("last_active_ts", _TIME, "Time of the newest event of any kind, UTC."),
    ProfileColumn("it_event", _SET, "The data types seen, sorted."),
    ProfileColumn("it_campaigns", _SET, "Campaign ids seen, sorted as text."),
    ProfileColumn("it_templates", _SET, "Template ids seen, sorted as text."),
    ProfileColumn("it_channels", _SET, "Channel ids seen, sorted as text."),
    ProfileColumn("it_message_types", _SET, "Message type ids seen, sorted as text."),
    ProfileColumn("it_workflow_ids", _SET, "Workflow (journey) ids seen, sorted as text."),
    ProfileColumn("it_messages", _SET, "Message ids of push events, sorted."),
    ProfileColumn("it_campaign_names", _SET, "Campaign names of the events, else of the campaigns table, sorted."),
    ProfileColumn("it_template_names", _SET, "Template names of the events, else of the templates table, sorted."),
    ProfileColumn("it_workflow_names", _SET, "Workflow names of the events, else of the journeys table, sorted."),
    ProfileColumn("it_impressions", _MAP, "Times something was shown, by experience_id, else campaign id."),
    ProfileColumn("it_conversions", _MAP, "Times somebody acted on it, by experience_id, else campaign id."),
    ProfileColumn("it_mobile_hourlyopen", _MAP, "Push events by hour of day, 0 to 23, UTC."),
    ProfileColumn("it_mobile_hourofweek", _MAP, "Push events by hour of week, 0 to 167, Monday 00:00 UTC is 0."),
    ProfileColumn("it_mobile_monthly", _MAP, "Push events by year and month, yymm, UTC."),
    ProfileColumn("it_custom_events", _MAP, "Custom events by name."),
    ProfileColumn("it_push_deeplink", _TEXT, "Newest deep link of a push: the one for iOS, else for Android."),
    ProfileColumn("phone", _TEXT, "Newest telephone number of an SMS event."),
    ProfileColumn("it_purchase_revenue", "DOUBLE", "Sum of the totals of all purchases."),
)

_OWN = (
    ProfileColumn("_unnamed_campaigns", _SET, "Campaign ids of events without a name: who must know of a renaming."),
    ProfileColumn("_unnamed_templates", _SET, "Template ids of events without a name."),
    ProfileColumn("_unnamed_workflows", _SET, "Workflow ids of events without a name."),
    ProfileColumn("_raw_keys", _SET, "The keys of events that went into this profile."),
    ProfileColumn("_has_user", "BOOLEAN", "Whether there is a user record."),
    ProfileColumn("_events", _COUNT, "How many events went into this profile."),
)

_TITLES = {each.name: each.title for each in ACTIVITY_STREAMS}


def profile_columns(profile_fields: Mapping[str, str] = {}) -> list[ProfileColumn]:
    """Every column, the custom ones too: `profile_fields` says column to field of the user's record."""
    custom = [
        ProfileColumn(column, _TEXT, f"The user's own field {field}, as text.")
        for column, field in profile_fields.items()
    ]
    by_type = []
    for each in DATA_TYPES:
        if each.stream == USERS:
            continue
        what = f"{each.name} event ({_TITLES[each.stream]})"
        by_type += [
            ProfileColumn(f"it_{each.profile}ct", _COUNT, f"How many {what}s; 0 for none."),
            ProfileColumn(f"it_first_{each.profile}_ts", _TIME, f"Time of the first {what}, UTC."),
            ProfileColumn(f"it_last_{each.profile}_ts", _TIME, f"Time of the last {what}, UTC."),
        ]
    return [*_PERSON, *custom, *by_type, *_ACTIVITY, *_OWN]
