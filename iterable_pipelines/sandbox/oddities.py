"""The oddness of Iterable's own data, in one place: shapes of time, drifting types, cut strings (api.md 1.6, 3.7)."""

import json
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Any

COMMON_SHAPE = "%Y-%m-%d %H:%M:%S +00:00"
RARE_SHAPES = (
    "%Y-%m-%d %H:%M:%S +0000",
    "%Y-%m-%dT%H:%M:%S.000Z",
    "%Y-%m-%dT%H:%M:%S.134105.000Z",
    "%Y-%m-%d %H:%M:%S",
)
BIG_INTEGER = 123456789012345678901234567890


@lru_cache(maxsize=10_000)
def stamp(moment: int) -> str:
    """Epoch seconds as Iterable mostly writes them: 2026-11-01 03:04:05 +00:00."""
    return datetime.fromtimestamp(moment, UTC).strftime(COMMON_SHAPE)


def odd_stamp(moment: int, chance: Random) -> str:
    """As `stamp`, and once in fifty times in one of the rarer shapes; the true time is the same."""
    if chance.random() < 0.98:
        return stamp(moment)
    return datetime.fromtimestamp(moment, UTC).strftime(chance.choice(RARE_SHAPES))


def transactional_data(chance: Random) -> str | None:
    """A JSON object as a string, as exports write it; sometimes broken, empty or null (api.md 3.7 row 11)."""
    roll = chance.random()
    if roll < 0.05:
        return '{"order": 17, "note": "cut off here'
    if roll < 0.10:
        return None
    if roll < 0.15:
        return ""
    return json.dumps({"order": chance.randrange(10_000), "note": chance.choice(('say "hi"', "größer", "a\nb", ""))})


def drifting(chance: Random) -> Any:
    """One custom field whose type is never the same for long: integer, text, float, object, list, null."""
    number = chance.randrange(1000)
    return chance.choice((number, number, number, str(number), number / 10, {"value": number}, [number], None, ""))


def custom_fields(chance: Random) -> dict[str, Any]:
    """A few custom fields of an event or a user, with keys and values that trip importers."""
    fields: dict[str, Any] = {"score": drifting(chance)}
    roll = chance.random()
    if roll < 0.20:
        fields |= {"Plan": chance.choice(("Pro", "Team")), "plan": chance.choice(("pro", "free", None))}
    elif roll < 0.30:
        fields |= {"senate Districts": [3, 17], "a.b": 1, "a": {"b": 2}}
    elif roll < 0.40:
        fields |= {"bigNumber": BIG_INTEGER, "nearlyExact": 9007199254740993, "ratio": 0.1}
    elif roll < 0.50:
        fields |= {
            "note": "line one\nline two\u2028three",
            'quote\'d "key"': "'; DROP TABLE streams;--",
            "emoji 🎉": "ünïcødé",
        }
    elif roll < 0.58:
        fields |= {"id": "custom-17", "type": "gold", "_loaded_at": "never", "": "empty key"}
    elif roll < 0.66:
        fields |= {
            "empty": "",
            "null": None,
            "text null": "null",
            "text nan": "NaN",
            "yes": True,
            "nested": {"deep": [{"er": None}]},
        }
    return fields


def drift_ids(record: dict[str, Any], chance: Random) -> None:
    """Once in a hundred records, an id that is text instead of a number, or null instead of missing."""
    roll = chance.random()
    if roll < 0.01 and isinstance(record.get("campaignId"), int):
        record["campaignId"] = str(record["campaignId"])
    elif roll < 0.02:
        record["templateId"] = record.get("templateId")
    elif roll < 0.03:
        record["itblInternal"] = {"documentCreatedAt": record["createdAt"], "documentUpdatedAt": record["createdAt"]}


def plain(record: dict[str, Any], moment: int) -> dict[str, Any]:
    """The event without what stops other people's importers: rare times, text for ids, strings that are no JSON."""
    record |= {"createdAt": stamp(moment)}
    if not str(record.get("transactionalData", "{}")).endswith("}"):
        record["transactionalData"] = "{}"
    if "campaignId" in record:
        record["campaignId"] = int(record["campaignId"])
    return {key: value for key, value in record.items() if key != "templateId" or value is not None}


def encode(record: dict[str, Any], escaped: bool) -> bytes:
    """One line of NDJSON without its newline; non-ASCII characters either escaped or as they are."""
    return json.dumps(record, ensure_ascii=escaped, separators=(",", ":")).encode()
