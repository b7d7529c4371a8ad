"""The columns of an import: what each is called, which fields it reads, and how a value becomes one of its type."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from iterable_pipelines.imports.file import TIME, UNTYPED, Column
from iterable_pipelines.imports.values import strptime_format
from iterable_pipelines.landing.timestamps import timestamp_sql
from iterable_pipelines.quoting import literal
from iterable_pipelines.record_files import Lines

# the shapes a guess knows, in the format's own letters (api.md 1.6)
_SHAPES = {
    "yyyy-MM-dd HH:mm:ss xxx": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d",
    "yyyy-MM-dd HH:mm:ss": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "yyyy-MM-dd'T'HH:mm:ss'Z'": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "yyyy-MM-dd": r"\d{4}-\d\d-\d\d",
}
_OF_A_SAMPLE = 10_000


@dataclass(frozen=True)
class Reading:
    """A column, and the fields of the records that it reads; the first that has a value counts, the others are kept."""

    column: Column
    fields: tuple[str, ...]

    def value(self, found: Mapping[str, str]) -> str:
        """The SQL of the column's value; NULL for what does not fit its type.

        `found` is the SQL of each field: as JSON for a column of that type, else as text.
        """
        return _typed(self.column, self.raw(found))

    def raw(self, found: Mapping[str, str]) -> str:
        """The SQL of the value as it came."""
        return _first(found[field] for field in self.fields)

    def kept(self, found: Mapping[str, str], typed: str) -> dict[str, str]:
        """The SQL of what does not get into the column, by what it is called in `_untyped`; NULL where all did.

        `typed` is the SQL of the column itself.
        """
        name = self.column.name
        kept = {
            f"{name} ({field})": f"case when {_first(found[each] for each in self.fields[:at])} is not null "
            f"then {found[field]}::varchar end"
            for at, field in enumerate(self.fields)
            if at
        }
        if self.fields and self.column.type not in ("string", "json"):
            kept[name] = f"case when {typed} is null then {self.raw(found)} end"
        return kept


def column_name(field: str) -> str:
    """The field's name in snake case, as Treasure Data guesses it (checklist T65): `itblInternal.emailDomain` is
    `itbl_internal.email_domain`.
    """
    words = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3_\2\4", field).lower()
    plain = re.sub(r"[^\w.]+", "_", words).rstrip("_") or "_"
    # these two are columns of every table
    return f"{plain}_" if plain in (TIME, UNTYPED) else plain


def readings(columns: Sequence[Column], fields: Iterable[str]) -> list[Reading]:
    """What each column reads of the `fields` there are. Without columns, every field is a string of its own name."""
    by_name: dict[str, list[str]] = {}
    claimed = {column.field for column in columns}
    for field in sorted(fields, key=_exact_first):
        if field not in claimed:
            by_name.setdefault(column_name(field), []).append(field)
    columns = columns or [Column(name=name, type="string") for name in by_name]
    return [Reading(each, (each.field,) if each.field else tuple(by_name.get(each.name, ()))) for each in columns]


def fields_of(con: duckdb.DuckDBPyConnection, lines: Lines) -> set[str]:
    """Every field of the top level that any record has."""
    found = con.execute(f"select distinct unnest(json_keys(json)) from {lines.source}").fetchall()
    return {str(field) for (field,) in found}


def guess_columns(con: duckdb.DuckDBPyConnection, lines: Lines) -> list[Column]:
    """A column for each field of the first ten thousand records (checklist T27 to T29, T65).

    Only the top level is looked at: nested values are json. Texts stay texts whatever they look like, except times.
    """
    fits = [f"regexp_full_match(text, {literal(shape)})" for shape in _SHAPES.values()]
    # one field, written in several ways
    fits.append(f"regexp_matches(text, '^\\d{{4}}-\\d\\d-\\d\\d') and {timestamp_sql('text')} is not null")
    all_fit = ", ".join(f"bool_and({each})" for each in fits)
    rows = con.execute(
        "with each as (select json, unnest(json_keys(json)) as field from "
        f"(select json from {lines.source} limit {_OF_A_SAMPLE})), told as ("
        "select field, json_type(json, pointer) as kind, json_extract_string(json, pointer) as text from "
        "(select *, '/' || replace(replace(field, '~', '~0'), '/', '~1') as pointer from each)) "
        f"select field, list(distinct kind) filter (kind <> 'NULL'), {all_fit} from told group by field"
    ).fetchall()
    taken: dict[str, str] = {}
    guessed = []
    # of fields that differ by case, the one that is called like the column keeps its name
    for field, kinds, *fitting in sorted(rows, key=lambda row: _exact_first(row[0])):
        name, number = column_name(field), 1
        while name in taken:
            number += 1
            name = f"{column_name(field)}_{number}"
        taken[name] = field
        kind, shape = _type_of(set(kinds or ()), dict(zip([*_SHAPES, None], fitting, strict=True)))
        guessed.append(Column(name=name, type=kind, format=shape, field=field if number > 1 else None))
    return sorted(guessed, key=lambda column: column.name)


def _type_of(kinds: set[str], fits: dict[str | None, bool | None]) -> tuple[str, str | None]:
    if kinds & {"OBJECT", "ARRAY"}:
        return "json", None
    if kinds == {"BOOLEAN"}:
        return "boolean", None
    if kinds and kinds <= {"BIGINT", "UBIGINT"}:
        return "long", None
    if kinds and kinds <= {"BIGINT", "UBIGINT", "DOUBLE"}:
        return "double", None
    if kinds == {"VARCHAR"} and any(fits.values()):
        return "timestamp", next(shape for shape, fit in fits.items() if fit)
    return "string", None


def _typed(column: Column, text: str) -> str:
    if column.type in ("string", "json"):
        return text
    if column.type == "boolean":
        return f"case {text} when 'true' then true when 'false' then false end"
    if column.type == "long":
        # a plain cast would round 1.5 up
        whole = f"try_cast(split_part({text}, '.', 1) as bigint)"
        return f"case when regexp_full_match({text}, '-?\\d+(\\.0+)?') then {whole} end"
    if column.type == "double":
        # a plain cast would take nan and inf, which are no JSON
        return f"case when regexp_full_match({text}, '-?\\d.*') then try_cast({text} as double) end"
    known = timestamp_sql(text)
    if column.format is None:
        return known
    parsed = f"try_strptime({text}, {literal(strptime_format(column.format))})"
    if "%z" in strptime_format(column.format):
        parsed += " at time zone 'UTC'"
    # Iterable writes the same field in several ways (api.md 1.6): what is not in this format may be in one of those
    return f"coalesce(cast({parsed} as timestamp), {known})"


def _exact_first(field: str) -> tuple[bool, str]:
    return field != column_name(field), field


def _first(values: Iterable[str]) -> str:
    listed = list(values)
    if not listed:
        return "null"
    return listed[0] if len(listed) == 1 else f"coalesce({', '.join(listed)})"
