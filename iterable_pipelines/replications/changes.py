"""What differs between the rows here and the rows there, by a hash per key and a hash per row, as files for COPY."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from iterable_pipelines.postgres import Column, CopyFile, columns_of, fitting, write_copy_file
from iterable_pipelines.quoting import literal, quoted
from iterable_pipelines.replications.errors import ReplicationRefused

# our own columns of a replicated table: which row it is, what was sent, by which transaction, and when
KEY, HASH, TRANSACTION, MOMENT = "_replicated_key", "_replicated_hash", "_replicated_xid", "_replicated_at"


@dataclass(frozen=True)
class Changes:
    """`sent` holds the rows that are new or different, with KEY and HASH; `gone` the keys that are here no more."""

    sent: CopyFile
    gone: Path
    inserted: int
    updated: int
    deleted: int
    unchanged: int


def source_columns(con: duckdb.DuckDBPyConnection, source: str, keys: Sequence[str]) -> tuple[Column, ...]:
    """The columns of the source. Raises ReplicationRefused if a key is not among them, or one has a name of ours."""
    columns = columns_of(con, source)
    names = [each.name for each in columns]
    if missing := [key for key in keys if fitting(key) not in names]:
        raise ReplicationRefused(f"`keys` names {missing[0]!r}, which is no column; there are {', '.join(names)[:500]}")
    if taken := {KEY, HASH, TRANSACTION, MOMENT} & set(names):
        raise ReplicationRefused(f"{min(taken)} is a name for our own use: give that column another one with `as`")
    return columns


def find_changes(
    con: duckdb.DuckDBPyConnection, source: str, columns: Sequence[Column], keys: Sequence[str], there: Path, to: Path
) -> Changes:
    """Compare the rows of `source` with the CSV `there` of (KEY, HASH), and write what is to be sent into `to`.

    Memory holds two hashes a row. Raises ReplicationRefused where keys are NULL or stand twice.
    """
    identity = [each for each in columns if each.name in map(fitting, keys)]
    marks = f"{_hash(identity)} as {KEY}, {_hash(columns)} as {HASH}"
    marked = f"select *, {marks} from (\n{source}\n)"
    empty = " or ".join(f"{quoted(key)} is null" for key in keys)
    con.execute(f"create temp table _here as select {KEY}, {HASH}, {empty} as is_empty from ({marked})")
    con.execute(
        f"create temp table _there as from read_csv({literal(str(there))}, header = false, auto_detect = false, "
        f"columns = {{'{KEY}': 'uuid', '{HASH}': 'uuid'}})"
    )
    _check_keys(con, keys)
    con.execute(
        f"create temp table _changed as select {KEY}, {KEY} not in (select {KEY} from _there) as is_new from _here "
        f"where ({KEY}, {HASH}) not in (select ({KEY}, {HASH}) from _there where {HASH} is not null)"
    )
    inserted, updated = _one(con, "select count(*) filter (is_new), count(*) filter (not is_new) from _changed")
    gone = to / "gone.csv"
    (deleted,) = _one(
        con,
        f"copy (select distinct {KEY} from _there where {KEY} not in (select {KEY} from _here)) "
        f"to {literal(str(gone))} (format csv, header false)",
    )
    sent = write_copy_file(con, f"from ({marked}) where {KEY} in (select {KEY} from _changed)", to / "sent.csv")
    (here,) = _one(con, "select count(*) from _here")
    return Changes(sent, gone, inserted, updated, deleted, here - inserted - updated)


def _check_keys(con: duckdb.DuckDBPyConnection, keys: Sequence[str]) -> None:
    empty, rows, distinct = _one(con, f"select count(*) filter (is_empty), count(*), count(distinct {KEY}) from _here")
    if empty:
        raise ReplicationRefused(f"{empty:,} rows have no {' or '.join(keys)}: without it a row cannot be found again")
    if rows > distinct:
        raise ReplicationRefused(f"{rows - distinct:,} rows have the same {', '.join(keys)} as another one")


def _hash(columns: Sequence[Column]) -> str:
    # what is NULL is left out: a new column changes the hash of those rows only that have something in it
    pieces = (
        f"{literal(json.dumps(each.name) + ':')} || to_json({each.text})::varchar"
        for each in sorted(columns, key=lambda each: each.name)
    )
    return f"md5(concat({', '.join(pieces)}))::uuid"


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    return con.execute(sql).fetchone() or ()
