"""Persons out of a SQLite file, whichever tables it has: their rows go, what names them elsewhere says `erased`."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.erasure.errors import StoreBusy
from iterable_pipelines.erasure.found import Found
from iterable_pipelines.erasure.named import OWNERS, Named
from iterable_pipelines.erasure.store import Erased
from iterable_pipelines.erasure.unfinished import is_unfinished, unfinished
from iterable_pipelines.quoting import quoted
from iterable_pipelines.sqlite_file import sqlite_file

_PATIENCE = 10.0


def erase_from_sqlite(path: Path, named: Named, place: str, own: tuple[str, ...] = ()) -> Erased:
    """Take persons out of every table and every byte of a file that others may have open. `own` are columns whose JSON
    says of whom the row is: such rows go, too.

    Raises StoreBusy if somebody writes to it all the time.
    """
    before, rows, mentions = _size(path), 0, 0
    with _free(place), unfinished(path), sqlite_file(path, _PATIENCE) as con:
        _prepare(con, named)
        con.execute("begin immediate")
        for table in _tables(con):
            columns = [name for _, name, *_ in con.execute(f"pragma table_info({quoted(table)})")]
            gone, told = _erase_table(con, table, columns, own)
            rows, mentions = rows + gone, mentions + told
        con.execute("commit")
        crashpoint("erasure_sqlite_deleted")
        scrub(con, path, named)
    return Erased(place, rows, before, _size(path), mentions)


def find_in_sqlite(path: Path, found: Found, place: str) -> None:
    """Note whom the rows of a file name, and finish what a killed erasure began. Raises StoreBusy."""
    if is_unfinished(path):
        with _free(place), unfinished(path), sqlite_file(path, _PATIENCE) as con:
            _write_anew(con)
    with sqlite_file(path, _PATIENCE) as con:
        for table in _tables(con):
            cursor = con.execute(f"select * from {quoted(table)}")
            names = [name for name, *_ in cursor.description]
            for values in cursor:
                texts = [_text(value) if isinstance(value, bytes) else value for value in values]
                found.row(dict(zip(names, texts, strict=True)))
                for text in texts:
                    if isinstance(text, str):
                        found.text(text)


def scrub(con: sqlite3.Connection, path: Path, named: Named) -> None:
    """Write the file anew if what was deleted at any time, or its log, still names somebody.

    Raises sqlite3.OperationalError while somebody reads an old state of it.
    """
    if stands_in_bytes(path, named) or stands_in_bytes(_log_of(path), named):
        _write_anew(con)
    else:
        _empty_log(con)


def _write_anew(con: sqlite3.Connection) -> None:
    con.execute("vacuum")
    _empty_log(con)


def _empty_log(con: sqlite3.Connection) -> None:
    (is_held, *_) = con.execute("pragma wal_checkpoint(truncate)").fetchone()
    if is_held:
        raise sqlite3.OperationalError("database is locked")


@contextmanager
def _free(place: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" not in str(error) and "busy" not in str(error):
            raise
        raise StoreBusy(f"{place}: somebody writes to it all the time") from None


def stands_in_bytes(path: Path, named: Named) -> bool:
    """Whether the bytes of a file name somebody; no text of it is longer than the overlap of what is read at once."""
    if not path.exists():
        return False
    rest = b""
    with path.open("rb") as file:
        while block := file.read(4 * 1024 * 1024):
            if named.stands_in((rest + block).decode("latin-1")) or named.stands_in(
                (rest + block).decode("utf-8", "replace")
            ):
                return True
            rest = block[-4096:]
    return False


def _prepare(con: sqlite3.Connection, named: Named) -> None:
    con.execute("pragma secure_delete = on")
    con.create_function("is_person", 1, named.is_one, deterministic=True)
    con.create_function("owned_by_person", 1, lambda value: named.owns_text(_text(value)), deterministic=True)
    con.create_function("names_person", 1, lambda value: named.stands_in(_text(value)), deterministic=True)
    con.create_function("without_person", 1, lambda value: _without(named, value), deterministic=True)


def _tables(con: sqlite3.Connection) -> list[str]:
    found = con.execute(
        "select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\'"
    )
    return [name for (name,) in found]


def _erase_table(con: sqlite3.Connection, table: str, columns: list[str], own: tuple[str, ...]) -> tuple[int, int]:
    theirs = [f"is_person({quoted(name)})" for name in columns if name.lower() in OWNERS]
    theirs += [f"owned_by_person({quoted(name)})" for name in columns if name in own]
    rows = con.execute(f"delete from {quoted(table)} where {' or '.join(theirs)}").rowcount if theirs else 0
    naming = [f"typeof({quoted(name)}) in ('text', 'blob') and names_person({quoted(name)})" for name in columns]
    told = 0
    for name, is_named in zip(columns, naming, strict=True):
        column = quoted(name)
        told += con.execute(
            f"update or ignore {quoted(table)} set {column} = without_person({column}) where {is_named}"
        ).rowcount
    # two keys that named somebody cannot both say `erased`
    rest = con.execute(f"delete from {quoted(table)} where {' or '.join(naming)}").rowcount if naming else 0
    return rows + rest, told


def _text(value: object) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _without(named: Named, value: object) -> str | bytes:
    text = named.without(_text(value))
    return text.encode("utf-8", "surrogateescape") if isinstance(value, bytes) else text


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _size(path: Path) -> int:
    return path.stat().st_size
