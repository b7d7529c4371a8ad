"""What Iterable answers for one person at a time: the newest events, or the in-app messages, of each who is named."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb

from iterable_pipelines.api import Iterable
from iterable_pipelines.api.user_reads import MOST_EVENTS, Person, read_events, read_messages
from iterable_pipelines.erasure.tombstones import Tombstones, hash_of, normal
from iterable_pipelines.imports.file import KEY, RECORD, Source
from iterable_pipelines.published import reading, without_values
from iterable_pipelines.settings import Settings, SettingsError

Said = Callable[[str], None]

# what names a record; an event may have none (api.md 4.2)
_OWN_IDS = {"user_events": ("_id", "id"), "in_app_messages": ("messageId",)}
# another place, at the end of an address of the web
_NOBODY = ("", ".", "..")
_SAID_EVERY = 100
_COLUMNS = ("email", "user_id")


def people_of(source: Source, settings: Settings) -> list[Person]:
    """Everybody whom an import names, once each, without the forgotten. Raises SettingsError for a query that fails."""
    found = [("email", each) for each in source.emails] + [("user_id", each) for each in source.user_ids]
    if source.people:
        found += _queried(source.people.sql, settings)
    forgotten = Tombstones(settings).hashes()
    # by address, any case is the same person
    once = {(kind, normal(name) if kind == "email" else name): name.strip() for kind, name in found}
    asked = [(kind, name) for (kind, _), name in once.items() if name not in _NOBODY and hash_of(name) not in forgotten]
    return [Person(email=name) if kind == "email" else Person(user_id=name) for kind, name in asked]


def fetch_people(
    client: Iterable, source: Source, people: Sequence[Person], folder: Path, said: Said
) -> tuple[list[Path], int]:
    """One file of NDJSON: the records with whose they are, KEY and RECORD; and of how many people there may be more.

    Nobody of that name has none. Raises what the client does, and OSError.
    """
    read = read_events if source.data_type == "user_events" else read_messages
    to, cut_off = folder / "people.ndjson", 0
    with to.open("w", encoding="utf-8") as file:
        for at, person in enumerate(people):
            if at % _SAID_EVERY == 0:
                said(f"{source.what}: {at:,} of {len(people):,}")
            records = read(client, person, MOST_EVENTS)
            cut_off += len(records) >= MOST_EVENTS
            twins: Counter[str] = Counter()
            for record in records:
                # in-app messages do not say whose they are
                named = record if record.get("email") or record.get("userId") else record | person.query
                own_id = next((record[name] for name in _OWN_IDS[source.data_type] if record.get(name)), None)
                key = f"{record.get('eventType') or 'id'}:{own_id or _hash(named)}"
                if own_id is None:
                    twins[key] += 1
                    key += f":{twins[key]}"
                file.write(json.dumps({**named, KEY: key, RECORD: record}) + "\n")
    return [to], cut_off


def _hash(record: dict[str, Any]) -> str:
    """What a record says, whatever the order of its fields, as for the events of the streams (api.md 4.2)."""
    said = {name: value for name, value in record.items() if value is not None and name != "itblInternal"}
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _queried(sql: str, settings: Settings) -> list[tuple[str, str]]:
    """Each row's person: the email, or else the user id; the other way round in projects of that type."""
    order = _COLUMNS[::-1] if settings.project_type == "userid" else _COLUMNS
    try:
        with reading(settings) as con:
            relation = con.sql(sql)
            there = [name for name in order if name in map(str.lower, relation.columns)]
            rows = relation.project(", ".join(f"{name}::varchar" for name in there)).fetchall() if there else []
    except duckdb.Error as error:
        raise SettingsError(
            f"in.people.sql fails: {without_values(error)}. Nothing was asked or stored.\n"
            "Next: iterable-pipelines query shows what it finds"
        ) from None
    if not there:
        raise SettingsError(
            "in.people.sql has no column email or user_id. Nothing was asked or stored.\n"
            "Next: name one so: select … as email"
        )
    pairs = (next(((kind, name) for kind, name in zip(there, row, strict=True) if name), None) for row in rows)
    return [pair for pair in pairs if pair]
