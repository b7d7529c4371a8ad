"""The rows of a query as one file for people: CSV, whose cells no spreadsheet takes for formulas, Parquet or NDJSON."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

from iterable_pipelines.file_store import sync
from iterable_pipelines.landing.scratch import scratch_beside
from iterable_pipelines.published import check_query, reading
from iterable_pipelines.quoting import literal, quoted
from iterable_pipelines.settings import Settings

# what a spreadsheet computes; apostrophes before it count too, so that taking one away gives back the text as it was
_FORMULA = r"^'*[=+\-@\t\r\n＝＋－＠]"  # noqa: RUF001
_GUARDED = _FORMULA.replace("'*", "'+", 1)
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_PLAIN_TYPES = re.compile(
    r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BIGNUM|DECIMAL\(.*\)|FLOAT|DOUBLE|BOOLEAN|UUID|INTERVAL|(DATE|TIME)[^\[\]()]*)"
)
_NESTED_TYPES = re.compile(r".*\]|(STRUCT|MAP|UNION|VARIANT).*", re.DOTALL)
_HUGE = re.compile(r"\bU?HUGEINT\b")
_OPTIONS = {
    ".csv": "format csv, header",
    ".parquet": "format parquet, compression zstd",
    ".ndjson": "format json",
}


@dataclass(frozen=True)
class Written:
    """Rows and bytes of a file, and in how many cells of a CSV an apostrophe stands before what could be a formula."""

    rows: int
    bytes: int
    guarded: int = 0


def write_file(settings: Settings, query: str, to: Path) -> Written:
    """Write the rows of a query (see `only_query`) over the published copy to `to`, by its ending.

    The file is whole and synced when it appears; one that was there is replaced then. Raises duckdb.Error for a query
    that cannot be run, OSError for a file that cannot be written, and what `reading` does.
    """
    with scratch_beside(to) as scratch:
        part = scratch / f"rows{to.suffix.lower()}"
        with reading(settings, scratch) as con:
            check_query(con, query)
            written = write_rows(con, query, part)
        sync(part)
        os.replace(part, to)
    sync(to.parent)
    return written


def write_rows(con: duckdb.DuckDBPyConnection, query: str, to: Path) -> Written:
    """Write the rows of a query to `to`, in their order, by its ending. The query is run twice for CSV."""
    described = con.execute(f"describe from (\n{query}\n)").fetchall()
    columns = [(f"#{at}", name, kind) for at, (name, kind, *_) in enumerate(described, 1)]
    ending, source = to.suffix.lower(), f"from (\n{query}\n)"
    texts = [_csv_text(column, kind) for column, _, kind in columns if not _PLAIN_TYPES.fullmatch(kind)]
    guarded = 0
    if ending == ".csv":
        cells = [_csv_cell(column, kind) for column, _, kind in columns]
        names = [guard(name) for _, name, _ in columns]
        if texts:
            counted = con.execute(
                f"select {' + '.join(f'count(*) filter ({_is_formula(text)})' for text in texts)} {source}"
            )
            guarded = (counted.fetchone() or (0,))[0]
        guarded += sum(guard(name) != name for _, name, _ in columns)
    else:
        cells = [as_parquet(column, kind) if ending == ".parquet" else column for column, _, kind in columns]
        names = [name for _, name, _ in columns]
    select = ", ".join(f"{cell} as {quoted(name)}" for cell, name in zip(cells, names, strict=True))
    copied = con.execute(f"copy (select {select} {source}) to {literal(str(to))} ({_OPTIONS[ending]})").fetchone()
    return Written(copied[0] if copied else 0, to.stat().st_size, guarded)


def guard(text: str) -> str:
    """`text` with an apostrophe before it if a spreadsheet could take it for a formula; a number is none."""
    return f"'{text}" if re.match(_FORMULA, text) and not re.fullmatch(_NUMBER, text) else text


def _is_formula(text: str) -> str:
    return f"(regexp_matches({text}, {literal(_FORMULA)}) and not regexp_matches({text}, {literal(_NUMBER)}))"


def _csv_cell(column: str, kind: str) -> str:
    if _PLAIN_TYPES.fullmatch(kind):
        return column
    text = _csv_text(column, kind)
    return f"case when {_is_formula(text)} then '''' || {text} else {text} end"


def _csv_text(column: str, kind: str) -> str:
    return f"to_json({column})::varchar" if _NESTED_TYPES.fullmatch(kind) else f"{column}::varchar"


def unguarded(column: str) -> str:
    """SQL that takes away the apostrophe that `guard` has put before a text: what was exported comes back as it was."""
    return f"case when regexp_matches({column}, {literal(_GUARDED)}) then {column}[2:] else {column} end"


def as_parquet(column: str, kind: str) -> str:
    """SQL of a column as Parquet holds it: it has no integers of more than 64 bits, and DuckDB would round them."""
    return f"{column}::{_HUGE.sub('DECIMAL(38, 0)', kind)}" if _HUGE.search(kind) else column
