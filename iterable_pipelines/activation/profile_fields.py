"""Which fields of the profile a plan would write, and what Iterable says of them: new ones, and types that clash.

A field has the type of its first value for ever, and a project has 1,000 of them (api.md 1.9).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.api import Iterable

MOST_FIELDS = 1_000
_AT_ONCE = 20_000
_MIXED = "JSON"
# what DuckDB finds in JSON → what Iterable takes it for; a text may be a date, and geo points come as objects
_TAKEN_FOR = {
    "VARCHAR": {"string", "date"},
    "BIGINT": {"long", "double", "date"},
    "UBIGINT": {"long", "double", "date"},
    "HUGEINT": {"double"},
    "DOUBLE": {"double", "long"},
    "BOOLEAN": {"boolean"},
}


@dataclass(frozen=True)
class ProfileFields:
    """`new`: fields that Iterable would make. `conflicts`: field, its type there, and the type that would be sent."""

    new: tuple[str, ...] = ()
    conflicts: tuple[tuple[str, str, str], ...] = ()
    known: int = 0

    def warnings(self, sync: Sync) -> list[str]:
        """What Iterable will not take."""
        said = [
            f"the field {name} is of type {there} in Iterable, and {sent} is sent"
            for name, there, sent in self.conflicts
        ]
        if self.new and sync.create_new_fields is False:
            said.append(f"Iterable drops {', '.join(self.new)}: it has no such field, and `create_new_fields` is false")
        return said


def fields_of_changes(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Each field that `scratch.changes` would write into profiles, with dots where it nests, and its JSON type."""
    (last,) = con.execute("select max(number) from scratch.changes").fetchone() or (None,)
    fields: dict[str, str] = {}
    for first in range(1, (last or 0) + 1, _AT_ONCE):
        # of a million rows at once it would take more memory than there is
        found = con.execute(
            "select json_group_structure(payload::json->'$.dataFields') from scratch.changes "
            "where number between ? and ? and endpoint in ('users', 'user') and op <> 'remove'",
            [first, first + _AT_ONCE - 1],
        ).fetchone()
        for name, kind in _flat(json.loads(found[0]), "") if found and found[0] else ():
            fields[name] = kind if fields.get(name, kind) == kind else _MIXED
    return fields


def compare_fields(client: Iterable, fields: dict[str, str]) -> ProfileFields:
    """What becomes of these fields. Raises IterableError when Iterable does not say which it has."""
    there = client.get("/api/users/getFields").get("fields", {})
    known = {str(name): str(kind) for name, kind in there.items()} if isinstance(there, dict) else {}
    prefixes = {".".join(name.split(".")[: end + 1]) for name in known for end in range(name.count("."))}
    new = [name for name in sorted(fields) if name not in known and name not in prefixes]
    conflicts = [
        (name, known[name], kind)
        for name, kind in sorted(fields.items())
        if kind in _TAKEN_FOR and known.get(name) in _ALL and known[name] not in _TAKEN_FOR[kind]
    ]
    return ProfileFields(tuple(new), tuple(conflicts), len(known))


_ALL = {each for kinds in _TAKEN_FOR.values() for each in kinds}


def _flat(structure: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(structure, list):
        yield from _flat(structure[0] if structure else "NULL", name)
    elif isinstance(structure, dict) and not name.endswith("_geo_location"):
        for member, inner in structure.items():
            yield from _flat(inner, f"{name}.{member}" if name else member)
    elif name and structure != "NULL":
        # NULL clears what is there, and makes nothing
        yield name, str(structure)
