"""Counts profiles by brute force, in plain Python: what the dbt models must come to, whatever way the data came in."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from iterable_pipelines.data_types import CUSTOM, DATA_TYPE, DATA_TYPES, PURCHASE, PUSH, SMS, USERS

Record = Mapping[str, Any]
Event = tuple[str, Record]
Names = Mapping[str, Mapping[int, str]]

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:\.\d{3})?(?: ?(Z|[+-]\d\d:?\d\d))?)?"
)
_BIGINT = 2**63
_SETS = {
    "it_campaigns": "campaignId",
    "it_templates": "templateId",
    "it_channels": "channelId",
    "it_message_types": "messageTypeId",
    "it_workflow_ids": "workflowId",
}


def text(record: Record, *fields: str) -> str | None:
    """The first of `fields` that is neither missing nor null, as text; what is no text is written as JSON."""
    for field in fields:
        value: Any = record
        for part in field.split("/"):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return None


def decimal(record: Record, field: str) -> Decimal | None:
    """A number, also when it came as text."""
    try:
        value = Decimal((text(record, field) or "").strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def whole(record: Record, field: str) -> int | None:
    """A whole number, also when it came as text; half an id is none."""
    value = decimal(record, field)
    return int(value) if value is not None and value == int(value) and -_BIGINT <= value < _BIGINT else None


def moment(record: Record, field: str) -> datetime | None:
    """A time of any shape that Iterable writes (api.md 1.6), in UTC without a zone; None for what is no time."""
    value = text(record, field)
    if value is None:
        return None
    if re.fullmatch(r"\d{10}|\d{13}", value):
        milliseconds = int(value) if len(value) == 13 else int(value) * 1000
        return datetime(1970, 1, 1) + timedelta(milliseconds=milliseconds)
    found = _TIME.fullmatch(value)
    if not found:
        return None
    *clock, fraction, zone = found.groups()
    try:
        local = datetime(*(int(each or 0) for each in clock), int((fraction or "").ljust(6, "0")[:6]))  # type: ignore[arg-type, misc]
    except ValueError:
        return None
    if zone in (None, "Z"):
        return local
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:])) * (-1 if zone[0] == "-" else 1)
    return local.replace(tzinfo=timezone(offset)).astimezone(UTC).replace(tzinfo=None)


def address(record: Record) -> str | None:
    """The address as it identifies people."""
    return (text(record, "email") or "").strip(" ").lower() or None


def key_of(record: Record, project_type: str) -> str | None:
    """Who a record is about, by its own words."""
    names = [address(record), text(record, "userId") or None]
    if project_type == "userid":
        names.reverse()
    return names[0] or names[1] or text(record, "itblUserId") or None


def current_users(users: Iterable[Record], project_type: str) -> dict[str, Record]:
    """The newest version of each person, and of the persons of one key the newest: key to record."""

    def newest(found: dict[str, Record], key: str, user: Record) -> None:
        before = found.get(key)
        if before is None or age(user) >= age(before):
            found[key] = user

    def age(user: Record) -> datetime:
        return moment(user, "profileUpdatedAt") or datetime.min

    people: dict[str, Record] = {}
    for user in users:
        itbl = text(user, "itblUserId")
        newest(people, f"itbl {itbl}" if itbl else f"key {key_of(user, project_type)}", user)
    found: dict[str, Record] = {}
    for user in people.values():
        key = key_of(user, project_type)
        if key is not None:
            newest(found, key, user)
    return found


def link(raw: Mapping[str, list[Event]], users: Mapping[str, Record], project_type: str) -> dict[str, str]:
    """Each raw key of events to the profile it belongs to: itself, unless exactly one user answers to it."""
    by_name, by_itbl = defaultdict(list), defaultdict(list)
    for key, user in users.items():
        by_name[address(user) if project_type == "userid" else text(user, "userId")].append(key)
        by_itbl[text(user, "itblUserId")].append(key)
    found = {}
    for key, events in raw.items():
        hint = max((text(record, "itblUserId") or "" for _, record in events), default="") or None
        named, hinted = by_name.get(key, []), by_itbl.get(hint, []) if hint else []
        if key in users:
            found[key] = key
        elif len(named) == 1:
            found[key] = named[0]
        else:
            found[key] = hinted[0] if len(hinted) == 1 else key
    return found


def recount(
    events: Iterable[Event],
    users: Iterable[Record],
    names: Names,
    project_type: str = "email",
    profile_fields: Mapping[str, str] = {},
) -> dict[str, dict[str, Any]]:
    """Every profile by its key, with every column. `names` has "campaign", "template", "workflow": id to name."""
    raw: dict[str, list[Event]] = defaultdict(list)
    for data_type, record in events:
        key = key_of(record, project_type)
        if key is not None:
            raw[key].append((data_type, record))
    known = current_users(users, project_type)
    links = link(raw, known, project_type)
    grouped: dict[str, list[Event]] = {key: [] for key in known}
    for key, belongs_to in links.items():
        grouped.setdefault(belongs_to, []).extend(raw[key])
    return {
        key: {"user_key": key}
        | _user(known.get(key, {}), [record for _, record in own], profile_fields)
        | _times(own)
        | _things(own, names)
        | _maps(own)
        for key, own in grouped.items()
    }


def _user(user: Record, records: list[Record], profile_fields: Mapping[str, str]) -> dict[str, Any]:
    email = address(user) or max((address(each) or "" for each in records), default="") or None
    user_id = text(user, "userId") or max((text(each, "userId") or "" for each in records), default="") or None
    return {
        "email": email,
        "emaildomain": (email.rpartition("@")[2] if email and "@" in email else None) or None,
        "it_user_id": user_id,
        "first_name": text(user, "firstName", "first_name"),
        "last_name": text(user, "lastName", "last_name"),
        "gender": text(user, "gender"),
        "city": text(user, "city"),
        "country": text(user, "country"),
        "timezone": text(user, "timeZone"),
        "profile_updated_at": moment(user, "profileUpdatedAt"),
        "signup_date": moment(user, "signupDate"),
        # a field's name is one name, slashes and all
        **{column: text({"field": user.get(field)}, "field") for column, field in profile_fields.items()},
    }


def _times(events: list[Event]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for each in DATA_TYPES:
        if each.stream == USERS:
            continue
        own = [record for data_type, record in events if data_type == each.name]
        at = [time for time in (moment(record, "createdAt") for record in own) if time]
        columns[f"it_{each.profile}ct"] = len(own)
        columns[f"it_first_{each.profile}_ts"] = min(at, default=None)
        columns[f"it_last_{each.profile}_ts"] = max(at, default=None)
    columns["it_unsub_ts"] = columns["it_last_push_uninstall_ts"]
    columns["last_active_ts"] = max(
        (time for time in (moment(record, "createdAt") for _, record in events) if time), default=None
    )
    return columns


def _things(events: list[Event], names: Names) -> dict[str, Any]:
    columns: dict[str, Any] = {"it_event": sorted({data_type for data_type, _ in events})}
    for column, field in _SETS.items():
        columns[column] = sorted({str(each) for _, record in events if (each := whole(record, field)) is not None})
    columns["it_messages"] = _sorted(text(record, "messageId") for record in _of(events, PUSH))
    for kind in ("campaign", "template", "workflow"):
        columns[f"it_{kind}_names"] = _sorted(
            name
            if (name := text(record, f"{kind}Name")) is not None
            else names[kind].get(whole(record, f"{kind}Id") or -1)
            for _, record in events
        )
    columns["it_push_deeplink"] = _latest(
        _of(events, PUSH),
        ("deeplink/ios", "deeplink_ios", "deeplink/android", "deeplink_android", "deeplink_andriod"),
    )
    columns["phone"] = _latest(_of(events, SMS), ("toPhoneNumber",))
    totals = [total for record in _of(events, PURCHASE) if (total := decimal(record, "total")) is not None]
    columns["it_purchase_revenue"] = float(sum((total.quantize(Decimal("0.000001")) for total in totals), Decimal(0)))
    return columns


def _maps(events: list[Event]) -> dict[str, Any]:
    def shown(flag: str) -> dict[str, int]:
        counted: Counter[str] = Counter()
        for data_type, record in events:
            campaign = whole(record, "campaignId")
            shown = text(record, "experience_id") or (str(campaign) if campaign is not None else None)
            if getattr(DATA_TYPE[data_type], flag) and shown is not None:
                counted[shown] += 1
        return dict(counted)

    at = [time for time in (moment(record, "createdAt") for record in _of(events, PUSH)) if time]
    return {
        "it_impressions": shown("impression"),
        "it_conversions": shown("conversion"),
        "it_mobile_hourlyopen": dict(Counter(str(time.hour) for time in at)),
        "it_mobile_hourofweek": dict(Counter(str(time.weekday() * 24 + time.hour) for time in at)),
        "it_mobile_monthly": dict(Counter(f"{time.year % 100:02d}{time.month:02d}" for time in at)),
        "it_custom_events": dict(
            Counter(name for record in _of(events, CUSTOM) if (name := text(record, "eventName")) is not None)
        ),
    }


def _of(events: list[Event], stream: str) -> list[Record]:
    return [record for data_type, record in events if DATA_TYPE[data_type].stream == stream]


def _sorted(values: Iterable[str | None]) -> list[str]:
    return sorted({value for value in values if value is not None})


def _latest(records: list[Record], fields: tuple[str, ...]) -> str | None:
    dated = [(moment(each, "createdAt"), text(each, *fields)) for each in records]
    found = [(at, value) for at, value in dated if at is not None and value is not None]
    return max(found)[1] if found else None
