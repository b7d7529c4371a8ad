"""Persons out of files, whatever they are: told by their first bytes, written aside and renamed into their place."""

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import duckdb
import pyarrow as pa

from iterable_pipelines.erasure.duckdb_rows import (
    TEXTS,
    erase_from_duckdb,
    find_in_columns,
    find_in_duckdb,
    is_nested,
    names_sql,
)
from iterable_pipelines.erasure.errors import Failures
from iterable_pipelines.erasure.found import Found
from iterable_pipelines.erasure.named import OWNERS, Named
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.sqlite_rows import erase_from_sqlite, find_in_sqlite
from iterable_pipelines.erasure.store import Erased
from iterable_pipelines.file_store import sync
from iterable_pipelines.quoting import literal, quoted

# what is written aside; a killed erasure leaves it, and the next one takes it away
PART = ".erased.part"
_MARKS = {b"\x1f\x8b": "gz", b"\x28\xb5\x2f\xfd": "zst"}
_ENDINGS = re.compile(r"(\.(csv|ndjson|json|parquet|txt|log|db|sqlite|duckdb|gz|zst))+$")
_COMPRESSION = {"gz": "gzip", "zst": "zstd"}


def find_in_files(files: Iterable[tuple[Path, str]], to: Path, memory_limit: str) -> list[Path]:
    """Whom files name, each given with its place, as stores offer it: in one file `to`.

    Raises StoreBusy for those that cannot be read, once the others are.
    """
    found, failures = Found(to), Failures()
    for path, place in files:
        found.text(name_and_ending(path)[0])
        with failures.of(place):
            _find_in_file(path, found, place, memory_limit)
    offered = [found.close()]
    failures.tell(found=offered)
    return offered


def name_and_ending(path: Path) -> tuple[str, str]:
    """A file's name, and its ending apart: `ada@x.co.csv` is of ada@x.co."""
    ending = _ENDINGS.search(path.name)
    return (path.name[: ending.start()], ending.group()) if ending else (path.name, "")


def _find_in_file(path: Path, found: Found, place: str, memory_limit: str) -> None:
    kind = kind_of(path)
    if kind == "empty":
        return
    if kind == "sqlite":
        find_in_sqlite(path, found, place)
    elif kind == "duckdb":
        find_in_duckdb(path, found, place, memory_limit)
    elif kind == "parquet":
        with duckdb.connect() as con:
            source = f"read_parquet({literal(str(path))})"
            columns = [name for name, *_ in con.execute(f"describe from {source}").fetchall()]
            find_in_columns(con, source, [name for name in columns if name.lower() in OWNERS], columns, found)
    else:
        names: list[str] = []
        with _reading(path, _COMPRESSION.get(kind)) as lines:
            for number, line in enumerate(_lines(path, lines)):
                text = line.decode("utf-8", "replace")
                if ".csv" in path.suffixes:
                    cells = next(csv.reader(io.StringIO(text)), [])
                    names = cells if number == 0 else names
                    found.row(dict(zip(names, cells, strict=False)))
                found.text(text)


def erase_from_file(path: Path, persons: Persons, named: Named, place: str, memory_limit: str) -> Erased | None:
    """Take persons out of a file: rows and lines of their own go, and what names them elsewhere says `erased`.

    None where nobody is named in it. Raises StoreBusy where another program has it open, OSError.
    """
    kind = kind_of(path)
    if kind == "empty":
        return None
    if kind == "sqlite":
        return erase_from_sqlite(path, named, place)
    if kind == "duckdb":
        return erase_from_duckdb(path, persons, place, memory_limit)
    if kind == "parquet":
        return _erase_from_parquet(path, persons, place)
    return _erase_from_text(path, named, place, _COMPRESSION.get(kind))


def kind_of(path: Path) -> str:
    """What a file is by its first bytes: sqlite, duckdb, parquet, gz, zst, empty, or else text."""
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        return "empty"
    if head.startswith(b"SQLite format 3"):
        return "sqlite"
    if head[8:12] == b"DUCK":
        return "duckdb"
    if head.startswith(b"PAR1"):
        return "parquet"
    return next((kind for mark, kind in _MARKS.items() if head.startswith(mark)), "text")


def _erase_from_parquet(path: Path, persons: Persons, place: str) -> Erased | None:
    before, source, part = path.stat().st_size, f"read_parquet({literal(str(path))})", _part(path)
    with duckdb.connect() as con:
        persons.into(con)
        columns = [(name, kind) for name, kind, *_ in con.execute(f"describe from {source}").fetchall()]
        theirs = [f"is_person({quoted(name)})" for name, _ in columns if name.lower() in OWNERS]
        texts = [quoted(name) for name, kind in columns if kind in TEXTS]
        nested = [quoted(name) for name, kind in columns if is_nested(kind)]
        own = " or ".join([*theirs, *map(names_sql, nested), "false"])
        told = " or ".join([*map(names_sql, texts), "false"])
        rows, mentions = con.execute(
            f"select count(*) filter ({own}), count(*) filter (({told}) and not ({own})) from {source}"
        ).fetchone() or (0, 0)
        if not rows and not mentions:
            return None
        mended = ", ".join(f"without_persons({name}) as {name}" for name in texts)
        replaced = f" replace ({mended})" if mended else ""
        con.execute(
            f"copy (select *{replaced} from {source} where not ({own})) to {literal(str(part))} "
            "(format parquet, compression zstd)"
        )
    return _swap(path, part, place, rows, mentions, before)


def _erase_from_text(path: Path, named: Named, place: str, compression: str | None) -> Erased | None:
    before, part, rows, mentions = path.stat().st_size, _part(path), 0, 0
    with _reading(path, compression) as source, _writing(part, compression) as to:
        owners: list[int] | None = None
        for number, line in enumerate(_lines(path, source)):
            text = line.decode("utf-8", "surrogateescape")
            if number == 0:
                owners = _owner_columns(path, text)
            if _is_theirs(text, named, owners if number else None):
                rows += 1
            elif named.stands_in(text):
                to.write(named.without(text).encode("utf-8", "surrogateescape"))
                mentions += 1
            else:
                to.write(line)
    if not rows and not mentions:
        part.unlink()
        return None
    return _swap(path, part, place, rows, mentions, before)


def _is_theirs(line: str, named: Named, owners: list[int] | None) -> bool:
    if owners:
        cells = next(csv.reader(io.StringIO(line)), [])
        return any(at < len(cells) and named.is_one(cells[at]) for at in owners)
    try:
        return line.lstrip().startswith("{") and named.owns(json.loads(line))
    except (ValueError, RecursionError):
        return False


def _owner_columns(path: Path, heading: str) -> list[int] | None:
    """Which columns of a CSV say of whom a row is; None for any other file."""
    if ".csv" not in path.suffixes:
        return None
    names = next(csv.reader(io.StringIO(heading)), [])
    return [at for at, name in enumerate(names) if name.strip().lower() in OWNERS] or None


def _lines(path: Path, source: IO[bytes]) -> Iterator[bytes]:
    """Lines; those that a quoted cell of a CSV spans are one."""
    if ".csv" not in path.suffixes:
        yield from source
        return
    held, quotes = b"", 0
    for line in source:
        held, quotes = held + line, quotes + line.count(b'"')
        if quotes % 2 == 0 or len(held) > 1_000_000:
            yield held
            held, quotes = b"", 0
    if held:
        yield held


def _reading(path: Path, compression: str | None) -> IO[bytes]:
    if compression is None:
        return path.open("rb")
    return io.BufferedReader(pa.input_stream(str(path), compression=compression))


def _writing(path: Path, compression: str | None) -> IO[bytes]:
    if compression is None:
        return path.open("wb")
    return pa.output_stream(str(path), compression=compression)  # type: ignore[no-any-return]


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}{PART}")


def _swap(path: Path, part: Path, place: str, rows: int, mentions: int, before: int) -> Erased:
    os.chmod(part, path.stat().st_mode & 0o777)
    sync(part)
    os.replace(part, path)
    sync(path.parent)
    return Erased(place, rows, before, path.stat().st_size, mentions)
