"""From NDJSON to one typed Parquet file: all that a target needs, made before any database is opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from iterable_pipelines.api import Broken
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.imports.columns import Reading, fields_of, guess_columns, readings
from iterable_pipelines.imports.file import KEY, TIME, UNTYPED, Column, Import
from iterable_pipelines.landing.cut import Unreadable
from iterable_pipelines.quoting import literal, quoted
from iterable_pipelines.record_files import (
    Lines,
    check_lines,
    joined,
    parquet_options,
    pointer,
    without_forgotten,
    without_lone_surrogates,
)
from iterable_pipelines.settings import SettingsError

_MOST_SECONDS = 100_000_000_000
# the years 1 to 9999, in milliseconds: a number beyond them is no time
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999


@dataclass(frozen=True)
class Staged:
    """Typed rows on disk. `columns` maps names to SQL types, in order; `untyped` counts, by column, the values that did
    not fit; `left_out` are the fields that no column reads; `erased` records were of the forgotten, and are no rows.
    """

    path: Path
    rows: int
    columns: dict[str, str]
    untyped: dict[str, int]
    left_out: list[str]
    erased: int = 0


def stage(
    made: Import, parts: Sequence[Path], to: Path, memory_limit: str, tombstones: Tombstones | None = None
) -> Staged:
    """Type the records of `parts`, which are used up, and write them to `to` in the order of their time.

    A value that does not fit its column's type is NULL there, and stands as it came in `_untyped`, an object by column;
    so does that of a second field of the column's name. Half a surrogate pair, which no database holds, is U+FFFD.
    Raises Broken if a line is not a JSON object, SettingsError if the time column is none of the records'.
    """
    with _opened(to, memory_limit) as con:
        lines = _verified(con, parts, to)
        came = lines.count
        lines = without_forgotten(con, lines, tombstones)
        fields = fields_of(con, lines)
        columns = readings(made.source.all_columns, fields)
        _check_time(made, [each.column for each in columns])
        untyped = _write(con, made, columns, lines, to)
        (rows,) = con.execute(f"select count(*) from {literal(str(to))}").fetchone() or (0,)
        described = con.execute(f"describe from {literal(str(to))}").fetchall()
    read = {field for each in columns for field in each.fields}
    types = {name: kind for name, kind, *_ in described}
    return Staged(to, rows, types, untyped, sorted(fields - read), came - lines.count)


def guess(parts: Sequence[Path], scratch: Path, memory_limit: str) -> list[Column]:
    """The columns of the records of `parts`, which are used up. Raises Broken if a line is not a JSON object."""
    with _opened(scratch, memory_limit) as con:
        return guess_columns(con, _verified(con, parts, scratch))


def _opened(beside: Path, memory_limit: str) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(beside.with_suffix(".duckdb"))
    con.execute(f"set memory_limit = '{memory_limit}'")
    con.execute("set timezone = 'UTC'")
    return con


def _verified(con: duckdb.DuckDBPyConnection, parts: Sequence[Path], beside: Path) -> Lines:
    lines = joined(parts, beside.with_suffix(".ndjson"))
    try:
        check_lines(con, lines)
        return lines
    except Unreadable:
        lines = without_lone_surrogates(lines, beside.with_suffix(".mended.ndjson"))
    try:
        check_lines(con, lines)
    except Unreadable as error:
        raise Broken(
            f"what Iterable sent cannot be read: {error}; should it come again, in.omit_fields leaves a field out"
        ) from None
    return lines


def _write(
    con: duckdb.DuckDBPyConnection, made: Import, columns: list[Reading], lines: Lines, to: Path
) -> dict[str, int]:
    zone = literal(made.target.timezone)
    # one pass over each record for all texts, and one for what stays JSON: a path at a time would parse it as often
    texts, text_of = _places("texts[{}]", [each for each in columns if each.column.type != "json"])
    jsons, json_of = _places("nullif(jsons[{}], 'null')", [each for each in columns if each.column.type == "json"])
    # names of our own until the very last: a column may be called like anything that is used on the way
    named = [(f"c{at}", each, json_of if each.column.type == "json" else text_of) for at, each in enumerate(columns)]
    values = [f"{_stored(each, found, zone)} as {name}" for name, each, found in named]
    misfits = [
        f"{{'k': {literal(key)}, 'v': {value}}}"
        for name, each, found in named
        for key, value in each.kept(found, name).items()
    ]
    kept = f"list_filter([{', '.join(misfits)}], lambda each: each.v is not null)"
    untyped = f"case when len({kept}) > 0 then to_json(map_from_entries({kept})) end" if misfits else "null::json"
    own = "".join(f"{name} as {quoted(each.column.name)}, " for name, each, _ in named)
    extracted = (
        f"select json_extract_string(json, [{texts}]) as texts, json_extract(json, [{jsons}]) as jsons "
        f"from {lines.source}"
    )
    typed = f"select {', '.join(['texts, jsons', *values])} from ({extracted})"
    added = f"select *, {_time(made, columns)} as t, {untyped} as u from ({typed})"
    ordered = f" order by {TIME}" if made.target.time_column else ""
    # somebody who is asked for by address and by id comes twice
    key = next((name for name, each, _ in named if made.source.of_people and each.column.name == KEY), None)
    once = f"distinct on ({key}) " if key else ""
    con.execute(
        f"copy (select {once}{own}t as {TIME}, u as {UNTYPED} from ({added}){ordered}) "
        f"to {literal(str(to))} ({parquet_options(con, len(columns))})"
    )
    return dict(
        con.execute(
            f"select name, count(*) from (select unnest(json_keys({UNTYPED})) as name from {literal(str(to))}) "
            "group by name order by name"
        ).fetchall()
    )


def _places(place: str, columns: list[Reading]) -> tuple[str, dict[str, str]]:
    """The paths to extract into a list for these columns, and the SQL of each field: its place in that list."""
    fields = sorted({field for each in columns for field in each.fields})
    pointers = ", ".join(literal(pointer(field)) for field in fields) or "''"
    return pointers, {field: place.format(at) for at, field in enumerate(fields, start=1)}


def _stored(each: Reading, found: dict[str, str], zone: str) -> str:
    value = f"cast({each.value(found)} as {each.column.sql_type})"
    if each.column.type != "timestamp" or zone == "'UTC'":
        return value
    # a moment of UTC, as the clocks of the zone show it
    return f"({value} at time zone 'UTC' at time zone {zone})"


def _time(made: Import, columns: list[Reading]) -> str:
    zone = literal(made.target.timezone)
    loaded = f"date_trunc('second', now()) at time zone {zone}"
    chosen = made.target.time_column
    if chosen is None:
        return loaded
    at, kind = next((at, each.column.type) for at, each in enumerate(columns) if each.column.name == chosen)
    column = f"c{at}"
    if kind == "long":
        # seconds since 1970, as Treasure Data reads it, or milliseconds, as Iterable writes it
        seconds = f"{column} > -{_MOST_SECONDS} and {column} < {_MOST_SECONDS}"
        millis = f"case when {seconds} then 1000 * {column} else {column} end"
        moment = f"case when {column} between {_FIRST} and {_LAST} then make_timestamptz(1000 * ({millis})) end"
        column = f"({moment} at time zone {zone})"
    return f"coalesce({column}, {loaded})"


def _check_time(made: Import, columns: list[Column]) -> None:
    chosen = made.target.time_column
    if chosen is not None and chosen not in {each.name for each in columns if each.type in ("timestamp", "long")}:
        raise SettingsError(
            f"{made.name}: out.time_column is {chosen!r}, but in.columns declares no column of that name with type "
            "timestamp or long. Nothing was stored.\nNext: declare it in the file; iterable-pipelines import guess "
            "writes the columns for you"
        )
