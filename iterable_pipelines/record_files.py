"""Records of Iterable's as one file for people: NDJSON as it came, or CSV or Parquet with a column per key."""

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from iterable_pipelines.erasure.gate import Gate
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.file_store import sync
from iterable_pipelines.landing.cut import SUSPECT, faults
from iterable_pipelines.quoting import literal, quoted

ENDINGS = (".csv", ".parquet", ".ndjson")
# from so many columns on, a row group of 20,480 rows, or one for each thread, outgrows the memory
_WIDE, _ROWS_OF_WIDE, _ROWS = 500, 2048, 20480
_USUAL_RECORD = 16 * 1024 * 1024
# what says whom a record is of; `user` is that of a list's members
_NAMES = ("email", "userId", "itblUserId", "user")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# an escaped backslash, or a whole pair; or else half a pair, escaped or as bytes
_SURROGATE = re.compile(
    rb"(\\\\|\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2})"
    rb"|\\u[dD][89a-fA-F][\da-fA-F]{2}|\xed[\xa0-\xbf][\x80-\xbf]"
)


@dataclass(frozen=True)
class Written:
    """A file of records: how many, the column of each key (none in NDJSON), and the file's size in bytes. `erased` were
    of the forgotten, and are not in it.
    """

    records: int
    columns: dict[str, str]
    bytes: int
    erased: int = 0


@dataclass(frozen=True)
class Lines:
    """One file of NDJSON, without blank lines: how many there are, and how many bytes the longest has."""

    path: Path
    count: int
    longest: int

    @property
    def source(self) -> str:
        """The file for a FROM."""
        return (
            f"read_ndjson_objects({literal(str(self.path))}, "
            f"maximum_object_size = {max(_USUAL_RECORD, 2 * self.longest)})"
        )


def write_records(
    parts: Sequence[Path],
    to: Path,
    spare_column: str,
    memory_limit: str = "512MB",
    tombstones: Tombstones | None = None,
) -> Written:
    """Write the records of verified NDJSON files, which are used up, into `to`, by its ending; synced to disk.

    Every value in CSV and Parquet is text, nested ones as JSON; what a record does not have is NULL. Without any key
    CSV is empty, and Parquet has the `spare_column`, because it needs one, and no row. Other files are made beside
    `to`, so that its folder should be a scratch one. Raises Unreadable if a line is not a JSON object.
    """
    lines = joined(parts, to.with_name(f"{to.name}.ndjson"))
    ending = to.suffix.lower()
    columns: dict[str, str] = {}
    with duckdb.connect(to.with_name(f"{to.name}.duckdb")) as con:
        con.execute(f"set memory_limit = '{memory_limit}'")
        con.execute("set preserve_insertion_order = false")
        check_lines(con, lines)
        came = lines.count
        lines = without_forgotten(con, lines, tombstones)
        if ending != ".ndjson":
            columns = _columns(con, lines)
            _write_table(con, lines, columns, to, spare_column)
    if ending == ".ndjson":
        os.replace(lines.path, to)
    sync(to)
    return Written(lines.count, columns, to.stat().st_size, came - lines.count)


def column_names(keys: dict[str, int]) -> dict[str, str]:
    """A column for each key, in the order of the keys; `keys` are counted.

    Of those that differ only by case, the most frequent one keeps its name and the others get a number: few readers
    of tables tell A from a.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    reserved = {key.casefold() for key in keys}
    for key in sorted(keys, key=lambda each: (-keys[each], each)):
        name, number = key or "_", 1
        while name.casefold() in taken or (number > 1 and name.casefold() in reserved):
            number += 1
            name = f"{key}_{number}"
        taken.add(name.casefold())
        names[key] = name
    return {key: names[key] for key in sorted(keys)}


def joined(parts: Iterable[Path], to: Path) -> Lines:
    """All records of `parts`, which are used up, in one file `to`, without blank lines."""
    count = longest = 0
    with to.open("wb") as file:
        for part in parts:
            with part.open("rb") as lines:
                for number, line in enumerate(lines):
                    record = (line.removeprefix(_BYTE_ORDER_MARK) if number == 0 else line).strip()
                    if record:
                        file.write(record + b"\n")
                        count, longest = count + 1, max(longest, len(record))
            # so that the disk holds the records once
            part.unlink()
    return Lines(to, count, longest)


def without_lone_surrogates(lines: Lines, to: Path) -> Lines:
    """The same records in `to`, U+FFFD in place of each half of a surrogate pair; `lines` are used up."""
    with lines.path.open("rb") as source, to.open("wb") as file:
        for line in source:
            file.write(_SURROGATE.sub(lambda found: found[1] or rb"\ufffd", line))
    lines.path.unlink()
    # an escape is at most twice as long as the bytes it stands for
    return Lines(to, lines.count, 2 * lines.longest)


def without_forgotten(con: duckdb.DuckDBPyConnection, lines: Lines, tombstones: Tombstones | None) -> Lines:
    """The same records, each byte of them, without those of the forgotten. `lines` are used up if there are any."""
    gate, named = Gate(con, tombstones), [f"json_extract_string(json, '{pointer(key)}')" for key in _NAMES]
    if not gate.meets(lines.source, named):
        return lines
    forgotten = {name for (name,) in con.execute("from forgotten_names").fetchall()}
    to, count = lines.path.with_suffix(".rest.ndjson"), 0
    with lines.path.open("rb") as source, to.open("wb") as file:
        for line in source:
            record = json.loads(line)
            if forgotten.isdisjoint(str(record[key]) for key in _NAMES if record.get(key) is not None):
                file.write(line)
                count += 1
    lines.path.unlink()
    return Lines(to, count, lines.longest)


def check_lines(con: duckdb.DuckDBPyConnection, lines: Lines) -> None:
    """Raise Unreadable if a line is not a JSON object."""
    try:
        count, suspects = con.execute(
            f"select count(*), count_if({SUSPECT}) from (select json::varchar as record from {lines.source})"
        ).fetchone() or (0, 0)
    except duckdb.InvalidInputException as error:
        raise next(faults([lines.path]), error) from None
    if suspects or count != lines.count:
        for fault in faults([lines.path]):
            raise fault


def _columns(con: duckdb.DuckDBPyConnection, lines: Lines) -> dict[str, str]:
    keys = f"select unnest(json_keys(json)) as key from {lines.source}"
    return column_names(dict(con.execute(f"select key, count(*) from ({keys}) group by key").fetchall()))


def _write_table(
    con: duckdb.DuckDBPyConnection, lines: Lines, columns: dict[str, str], to: Path, spare_column: str
) -> None:
    options = parquet_options(con, len(columns))
    if to.suffix.lower() != ".parquet":
        options = "format csv, header"
    if columns:
        # JSON pointers: in the other kind of path a dot or a quote in a key would have a meaning
        pointers = (literal(pointer(key)) for key in columns)
        values = ", ".join(f"x[{at}] as {quoted(name)}" for at, name in enumerate(columns.values(), 1))
        extracted = f"select json_extract_string(json, [{', '.join(pointers)}]) as x from {lines.source}"
        con.execute(f"copy (select {values} from ({extracted})) to {literal(str(to))} ({options})")
    elif to.suffix.lower() == ".parquet":
        nothing = f"select ''::varchar as {quoted(spare_column)} limit 0"
        con.execute(f"copy ({nothing}) to {literal(str(to))} ({options})")
    else:
        to.touch()


def parquet_options(con: duckdb.DuckDBPyConnection, columns: int) -> str:
    """How a Parquet file of so many columns is written within the memory limit; a wide one by a single thread."""
    if columns > _WIDE:
        con.execute("set threads = 1")
    return f"format parquet, compression zstd, row_group_size {_ROWS_OF_WIDE if columns > _WIDE else _ROWS}"


def pointer(key: str) -> str:
    """The JSON pointer to a field of the top level, whatever signs its name has."""
    return "/" + key.replace("~", "~0").replace("/", "~1")
