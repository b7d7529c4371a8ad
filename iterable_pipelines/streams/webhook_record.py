"""How the body of a webhook is read: as the record that an export would have, so that the same paths find the same."""

from collections.abc import Sequence


def event_name_sql(body: str) -> str:
    """The name of the event, as text; old samples have `eventTitle` instead (api.md 7)."""
    return f"coalesce(json_extract_string({body}, '$.eventName'), json_extract_string({body}, '$.eventTitle'))"


def created_at_sql(body: str) -> str:
    """When the event happened, as the text it came in."""
    return f"json_extract_string({body}, '$.dataFields.createdAt')"


def named_in_sql(body: str, names: Sequence[str] = ("email", "userId", "itblUserId")) -> list[str]:
    """Whoever the body says it is about, outside and inside its dataFields (api.md 7): expressions of texts."""
    return [f"json_extract_string({body}, '$.{place}{name}')" for place in ("", "dataFields.") for name in names]


def record_sql(body: str) -> str:
    """The record of an event, as JSON: its dataFields, with who it is about put in where that stands outside only.

    transactionalData that is an object becomes the text that exports have (api.md 7).
    """
    fields = f"case when json_type({body}, '$.dataFields') = 'OBJECT' then {body}->'$.dataFields' else '{{}}'::json end"
    outside = [
        f"case when nullif({body}->>'$.{name}', '') is not null and nullif({body}->>'$.dataFields.{name}', '') is null "
        f"then '\"{name}\":' || ({body}->'$.{name}')::varchar end"
        for name in ("email", "userId", "itblUserId")
    ]
    text = (
        f"case when json_type({body}, '$.dataFields.transactionalData') = 'OBJECT' "
        f"then '\"transactionalData\":' || to_json(({body}->'$.dataFields.transactionalData')::varchar)::varchar end"
    )
    put_in = f"concat_ws(',', {', '.join([*outside, text])})"
    # most bodies have it all inside, and writing a record anew would spell its numbers anew
    return (
        f"case when {put_in} = '' then {fields} else json_merge_patch({fields}, ('{{' || {put_in} || '}}')::json) end"
    )
