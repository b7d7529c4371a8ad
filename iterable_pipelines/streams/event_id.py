"""The id of an event: a hash of what it says, the same however its keys are ordered and whether nulls are spelled out.

Iterable exports no id (api.md 4.2), so the id is the md5 of the data type and the record in canonical form: keys
sorted, null members and `itblInternal` left out, nested objects likewise. Twins get an ordinal when they are loaded.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

import duckdb

# objects nested deeper than this keep the order their keys came in
_DEEPEST = 3
# past this many different keys one long path list costs more than casting each record to a map
_WIDEST = 400
_NESTED = " or ".join(
    f"contains(replace(record, '\"itblInternal\":{{', ''), '{mark}')" for mark in (":{", "[{", ": {", "[ {")
)


@dataclass(frozen=True)
class Way:
    """How the ids of one kind of record are told: `condition` says which, `paths` what to extract for it, and
    `digest` gives the expression for the md5 when told by what name the n-th extracted text goes.
    """

    condition: str
    paths: tuple[str, ...]
    digest: Callable[[Callable[[int], str]], str]


def _create_canonical_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Make the temporary macros that digests by map call: they write a JSON value in canonical form."""
    con.execute("create or replace temp macro canonical_0(v) as v->>'$'")
    for depth in range(1, _DEEPEST + 1):
        con.execute(
            f"create or replace temp macro canonical_{depth}(v) as case "
            f"when left(v::varchar, 1) = '{{' "
            f"then coalesce('{{' || {_members('v', f'canonical_{depth - 1}', '')} || '}}', v::varchar) "
            f"when left(v::varchar, 1) = '[' and contains(v::varchar, '{{') "
            f"then '[' || array_to_string([canonical_{depth - 1}(x) for x in cast(v as json[])], ',') || ']' "
            "else v->>'$' end"
        )


def _members(value: str, below: str, left_out: str) -> str:
    # a key that stands twice makes no map: try_cast gives NULL and the caller keeps the text as it came
    return (
        f"array_to_string([to_json(e.key)::varchar || ':' || {below}(e.value) "
        f"for e in list_sort(map_entries(try_cast({value} as map(varchar, json)))) "
        f"if e.value::varchar <> 'null' and e.key <> '{left_out}'], ',')"
    )


def ways_to_tell_ids(con: duckdb.DuckDBPyConnection, source: str) -> list[Way]:
    """The ways that together tell the ids of all records of `source`, which has columns data_type and record.

    Flat records, nearly all of them, are read with one list of paths made of the keys that occur in `source`; nested
    ones are cast to maps, five times slower. Both write the same canonical text. They are separate conditions, not one
    CASE, because DuckDB evaluates the map cast of a CASE for every row. What a way calls is there on `con`.
    """
    some_flat, some_nested = con.execute(
        f"select bool_or(not nested), bool_or(nested) from (select {_NESTED} as nested from {source})"
    ).fetchone() or (False, False)
    found = con.execute(f"select distinct unnest(json_keys(record)) from {source} limit {_WIDEST + 2}").fetchall()
    keys = sorted(key for (key,) in found if key != "itblInternal")
    told_by_paths = bool(keys) and len(keys) <= _WIDEST
    if some_nested or not told_by_paths:
        # they take longer to make than a small hour to load
        _create_canonical_macros(con)
    by_map = f"coalesce({_members('record::json', f'canonical_{_DEEPEST}', 'itblInternal')}, record)"
    if not told_by_paths:
        return [Way("true", (), lambda _: _digest(by_map))]

    def by_paths(name: Callable[[int], str]) -> str:
        members = (f"{_quoted(json.dumps(key, ensure_ascii=False) + ':')} || {name(n)}" for n, key in enumerate(keys))
        # concat_ws leaves NULLs out, and so the members that are absent or null
        return _digest(f"concat_ws(',', {', '.join(members)})")

    pointers = tuple("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
    ways = []
    if some_flat:
        condition = f"not ({_NESTED})" if some_nested else "true"
        ways.append(Way(condition, pointers, by_paths))
    if some_nested:
        ways.append(Way(_NESTED if some_flat else "true", (), lambda _: _digest(by_map)))
    return ways


def _digest(members: str) -> str:
    return f"md5(data_type || '{{' || {members} || '}}')"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
