"""The gates that nobody who is forgotten comes back through. Nothing is hashed while there are no tombstones."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.quoting import literal

CORE_NAMES = ("email", "user_id", "itbl_user_id")


class Gate:
    """Tombstones on a DuckDB connection. `closed` says whether there are any: else everybody passes unasked."""

    def __init__(self, con: duckdb.DuckDBPyConnection, tombstones: Tombstones | None) -> None:
        """Without `tombstones` the gate stands open."""
        self.con = con
        self.closed = tombstones is not None and tombstones.into(con)
        # hashing is what costs: where only addresses are forgotten, a user id that is none needs no look
        of_ids = tombstones is not None and (tombstones.hashes("user_id") or tombstones.hashes("itbl_user_id"))
        self._hashed = "is_forgotten(name)" if of_ids else "contains(name, '@') and is_forgotten(name)"

    def meets(self, source: str, columns: Sequence[str] = CORE_NAMES) -> bool:
        """Whether anybody in these columns of `source`, which is SQL, is forgotten; fills what `forgotten_sql` reads.

        Each spelling is hashed once, however many rows carry it.
        """
        if not self.closed:
            return False
        names = " union ".join(f"select {column} as name from {source}" for column in columns)
        self.con.execute(
            f"create or replace temp table forgotten_names as from ({names}) where name is not null and {self._hashed}"
        )
        return bool(self.con.execute("select 1 from forgotten_names limit 1").fetchall())

    def refuses(self, *names: str) -> str:
        """The condition that one of these expressions names somebody who is forgotten; hashes them in every row."""
        return f"({' or '.join(f'is_forgotten({name})' for name in names)})" if self.closed else "false"


def forgotten_sql(columns: Sequence[str] = CORE_NAMES) -> str:
    """The condition that a row is of somebody whom `Gate.meets` has found; never NULL."""
    return "(" + " or ".join(f"coalesce({column} in (from forgotten_names), false)" for column in columns) + ")"


def take_out(gate: Gate, files: Sequence[Path], options: str) -> dict[Path, int]:
    """Write Parquet `files` with core columns anew without the forgotten; returns how many rows each has lost."""
    if not files or not gate.meets(_read(files)):
        return {}
    found = gate.con.execute(
        f"select filename, count(*) from {_read(files)} where {forgotten_sql()} group by filename"
    ).fetchall()
    lost = {Path(name): rows for name, rows in found}
    for file in lost:
        rest = file.with_suffix(".rest")
        kept = f"select * exclude (filename) from {_read([file])} where not {forgotten_sql()}"
        gate.con.execute(f"copy ({kept}) to {literal(str(rest))} ({options})")
        rest.replace(file)
    return lost


def _read(files: Sequence[Path]) -> str:
    listed = ", ".join(literal(str(file)) for file in files)
    return f"read_parquet([{listed}], filename = true, hive_partitioning = false)"
