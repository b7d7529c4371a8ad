"""The SQL that turns the rows of a stream into track calls, as Segment's spec has them."""

from typing import Any

from iterable_pipelines.quoting import literal
from iterable_pipelines.track_calls.events import Field, TrackEvent

_USER_ID = "nullif(trim(user_id), '')"
_EMAIL = "nullif(trim(email), '')"
# the names that exports do not have (api.md 4.3)
_NAMES = (
    "left join (select id as known_campaign, name as known_campaign_name from objects.campaigns) "
    "on known_campaign = campaign_id "
    "left join (select id as known_template, name as known_template_name from objects.templates) "
    "on known_template = template_id "
    "left join (select id as known_content, subject as known_subject from objects.template_contents) "
    "on known_content = template_id"
)
AT = "coalesce(created_at, _hour)"
# a webhook's, of an hour whose export is not in this warehouse
_EARLY = "(_source = 'webhook' and (data_type, _hour) not in (select (data_type, hour) from streams.loads))"


def calls_sql(event: TrackEvent, email_as: str, condition: str) -> str:
    """A select of (event_id, webhook_id, hour, early, happened_at, event, call) from the rows that meet `condition`.

    `early` says that the export of the event's hour is not loaded yet; `hour` is that of the data type, as one text.
    `call` is the JSON text of the track call, without what has no value; NULL for an event of nobody. A message goes by
    the digest of its webhook, if there is one, whichever of its two sources is here: it is deterministic.
    """
    texts = [path for each in event.fields if not each.as_json for path in _paths(each)]
    values = [path for each in event.fields if each.as_json for path in _paths(each)]
    email = f"lower({_EMAIL})"
    identity = {
        "userId": f"coalesce({_USER_ID}, {email})" if email_as == "userId" else _USER_ID,
        "anonymousId": "null" if email_as == "userId" else f"case when {_USER_ID} is null then {email} end",
    }
    call: dict[str, Any] = {
        "type": "'track'",
        "messageId": "coalesce(_webhook_id, event_id)",
        "event": literal(event.name),
        **identity,
        "timestamp": f"strftime({AT}, '%Y-%m-%dT%H:%M:%S.%gZ')",
        "context": {"integration": {"name": "'Iterable'", "version": "'1.0.0'"}},
    }
    for each in event.fields:
        *above, name = each.place.split(".")
        inner = call
        for part in above:
            inner = inner.setdefault(part, {})
        inner[name] = _value(each, texts, values)
    return (
        f"select event_id, _webhook_id as webhook_id, "
        f"data_type || ' ' || _hour as hour, {_EARLY} as early, {AT} as happened_at, {literal(event.name)} as event, "
        f"case when coalesce({_USER_ID}, {_EMAIL}) is not null "
        f"then json_merge_patch('{{}}', {_object(call)})::varchar end as call "
        f"from (select *, {_extracted('json_extract_string', texts, 'text')}, "
        f"{_extracted('json_extract', values, 'value')} from streams.{event.stream} "
        f"where data_type = {literal(event.data_type)} and {condition}) {_NAMES}"
    )


def _paths(field: Field) -> list[str]:
    return [each for each in field.sources if each.startswith("$")]


def _extracted(function: str, paths: list[str], name: str) -> str:
    # one list of paths for each of the two texts: every record is parsed once
    here = ", ".join(map(literal, paths))
    there = ", ".join(literal("$.dataFields" + path[1:]) for path in paths)
    return (
        f"{function}(record, [{here}]::varchar[]) as {name}_here, "
        f"{function}(webhook, [{there}]::varchar[]) as {name}_there"
    )


def _value(field: Field, texts: list[str], values: list[str]) -> str:
    """The SQL of a field's value, NULL where it has none."""
    found = []
    for source in field.sources:
        if not source.startswith("$"):
            found.append(f"({source})::varchar")
        elif field.as_json:
            at = values.index(source) + 1
            found += [f"nullif(value_{where}[{at}]::varchar, 'null')::json" for where in ("here", "there")]
        else:
            at = texts.index(source) + 1
            found += [f"text_{where}[{at}]" for where in ("here", "there")]
    value = f"coalesce({', '.join(found)})" if len(found) > 1 else found[0]
    return value if field.as_json else f"nullif({value}, '')"


def _object(members: dict[str, Any]) -> str:
    """An object of the members that have a value; NULL if none has."""
    given = {name: _object(each) if isinstance(each, dict) else each for name, each in members.items()}
    listed = ", ".join(f"{literal(name)}, {each}" for name, each in given.items())
    some = ", ".join(f"({each})::varchar" for each in given.values())
    return f"case when coalesce({some}) is not null then json_object({listed}) end"
