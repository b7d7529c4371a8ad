"""A look into every byte of the data folder for somebody: plain, in compressed blocks, and as values of databases."""

import io
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from iterable_pipelines.erasure.mentions import spellings
from iterable_pipelines.file_store import FileStore
from iterable_pipelines.lake.layout import Lake
from iterable_pipelines.landing.nearby import landed_batches
from iterable_pipelines.quoting import literal, quoted
from iterable_pipelines.settings import Settings

# whatever is shorter stands in every file by chance
SHORTEST = 3
_CHUNK = 4 * 1024 * 1024
# a zstd frame of a database or a log is smaller
_LARGEST_FRAME = 64 * 1024 * 1024
_ZSTD, _GZIP, _PARQUET, _SQLITE, _DUCKDB = (
    b"\x28\xb5\x2f\xfd",
    b"\x1f\x8b\x08",
    b"PAR1",
    b"SQLite format 3\x00",
    b"DUCK",
)


@dataclass(frozen=True)
class Scan:
    """The files that hold somebody, those that could not be read, and how much was looked through.

    Files of an object store go by their URL.
    """

    found: list[Path | str] = field(default_factory=list)
    unread: list[Path | str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0


def scan(settings: Settings, identifiers: list[str]) -> Scan:
    """Look for identifiers, whole or as a part of something, in all files of the data folder, landing, lake, warehouse.

    Free pages, write-ahead logs, temporary files and compressed blocks of rows that are deleted count, too.
    Raises ValueError for one that is shorter than SHORTEST.
    """
    if any(len(each.strip()) < SHORTEST for each in identifiers):
        raise ValueError(f"what has less than {SHORTEST} signs stands in every file")
    words = [shape.lower().encode() for each in identifiers for shape in spellings(each)]
    detector = "(?i)" + "|".join(re.escape(shape) for each in identifiers for shape in spellings(each))
    done = Scan()
    count = size = 0
    with duckdb.connect() as con:
        con.execute("set variable detector = ?", [detector])
        for file, place in _files(settings):
            count += 1
            try:
                size += file.stat().st_size
                if _hold(iter([str(place).encode()]), words) or _in_bytes(file, words) or _in_values(con, file, words):
                    done.found.append(place)
            except FileNotFoundError:
                # a file on its way
                continue
            except (OSError, duckdb.Error, sqlite3.Error, pa.ArrowException):
                done.unread.append(place)
    return Scan(done.found, done.unread, count, size)


def _files(settings: Settings) -> Iterator[tuple[Path, Path | str]]:
    """Each file where it can be read, and where it lies."""
    outside = [settings.warehouse_path, Path(f"{settings.warehouse_path}.wal"), *settings.landing_dir.rglob("*")]
    lake = Lake.with_persons(settings)
    if lake and lake.files.folder:
        outside += lake.files.folder.rglob("*")
    files = {each for each in (*settings.data_dir.rglob("*"), *outside) if each.is_file()}
    yield from ((each, each) for each in sorted(files))
    store = FileStore.of(settings)
    if store.folder is None:
        for near, copies in landed_batches(settings, store.names()):
            yield from ((each, store.url(near.name_of(each))) for each in copies)
    if lake and lake.files.folder is None:
        for name in lake.files.names():
            with lake.scratch() as here:
                yield lake.files.here([name], here)[0], lake.files.url(name)


def _in_bytes(file: Path, words: list[bytes]) -> bool:
    with file.open("rb") as content:
        head = content.read(16)
        content.seek(0)
        if _hold(_chunks(content), words):
            return True
        if head.startswith((_GZIP, _ZSTD)):
            kind = "gzip" if head.startswith(_GZIP) else "zstd"
            with pa.input_stream(str(file), compression=kind) as unpacked:
                return _hold(_chunks(unpacked), words)
        content.seek(0)
        return any(_hold(iter([frame]), words) for frame in _frames(content.read()))


def _chunks(content: io.BufferedIOBase | pa.NativeFile) -> Iterator[bytes]:
    while chunk := content.read(_CHUNK):
        yield chunk


def _hold(chunks: Iterator[bytes], words: list[bytes]) -> bool:
    longest = max((len(word) for word in words), default=1)
    before = b""
    for chunk in chunks:
        # a word may lie across the edge of two chunks
        text = (before + chunk).decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")
        if any(word in text for word in words):
            return True
        before = chunk[-longest:]
    return False


def _frames(content: bytes) -> Iterator[bytes]:
    """What every zstd frame within these bytes unpacks to, as far as it does."""
    at = content.find(_ZSTD)
    while at >= 0:
        try:
            with pa.CompressedInputStream(
                pa.BufferReader(memoryview(content)[at : at + _LARGEST_FRAME]), "zstd"
            ) as frame:
                while block := frame.read(_CHUNK):
                    yield block
        except OSError:
            # the frame ends and something else follows
            pass
        at = content.find(_ZSTD, at + 4)


def _in_values(con: duckdb.DuckDBPyConnection, file: Path, words: list[bytes]) -> bool:
    with file.open("rb") as content:
        head = content.read(16)
    if head.startswith(_PARQUET):
        return _in_query(con, f"read_parquet({literal(str(file))}, hive_partitioning = false)")
    if head[8:12] == _DUCKDB:
        con.execute(f"attach {literal(str(file))} as scanned (read_only)")
        try:
            tables = con.execute(
                "select schema_name, table_name from duckdb_tables() where database_name = 'scanned'"
            ).fetchall()
            return any(_in_query(con, f"scanned.{quoted(schema)}.{quoted(name)}") for schema, name in tables)
        finally:
            con.execute("detach scanned")
    if head == _SQLITE:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as base:
            names = base.execute("select name from sqlite_master where type = 'table'").fetchall()
            return any(_in_sqlite(base, name, words) for (name,) in names)
    return False


def _in_query(con: duckdb.DuckDBPyConnection, source: str) -> bool:
    found = con.execute(
        f"select 1 from {source} as scanned_row where regexp_matches(to_json(scanned_row)::varchar, "
        "getvariable('detector')) limit 1"
    ).fetchone()
    return found is not None


def _in_sqlite(base: sqlite3.Connection, table: str, words: list[bytes]) -> bool:
    rows = base.execute(f"select * from {quoted(table)}")
    return _hold((b"\x00".join(_bytes(value) for value in row) for row in rows), words)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
