"""Who must not come back: hashes of forgotten identifiers, written before anything is erased."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import duckdb

from iterable_pipelines.database import Connection, Database, database_of
from iterable_pipelines.hours import iso, now
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings

Kind = Literal["email", "user_id", "itbl_user_id"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# what is no part of an identifier when it stands at its ends; DuckDB's own trim takes blanks only
_BLANKS = " \t\n\r\x0b\x0c"
_SCHEMA = """
create table if not exists tombstones (
    hash text not null,
    kind text not null,
    origin text not null,
    source text not null,
    since text not null,
    lifted_at text,
    primary key (hash, origin)
) without rowid
"""


def hash_of(identifier: str) -> str:
    """SHA-256 in hexadecimal of the trimmed lower-case identifier, as Iterable lists the forgotten (api.md 5.10)."""
    return hashlib.sha256(normal(identifier).encode()).hexdigest()


def normal(identifier: str) -> str:
    """An identifier as it is compared: trimmed, in lower case."""
    return identifier.strip(_BLANKS).lower()


def normal_sql(expression: str) -> str:
    """`normal` as SQL."""
    blanks = " || ".join(f"chr({ord(blank)})" for blank in _BLANKS)
    return f"lower(trim({expression}::varchar, {blanks}))"


class Tombstones:
    """The tombstones of a project. There is no file until the first is added, and reading makes none."""

    def __init__(self, settings: Settings) -> None:
        self.path = settings.data_dir / "erasure" / "tombstones.sqlite"
        self._database = database_of(settings, "tombstones", self.path, private=True)

    def hashes(self, kind: Kind | None = None) -> frozenset[str]:
        """The hashes that stand now, of one kind or of all."""
        found = self._read(
            "select distinct hash from tombstones where lifted_at is null and kind = coalesce(?, kind)", kind
        )
        return frozenset(hash for (hash,) in found)

    def origins(self, source: str) -> frozenset[str]:
        """The hashes that a source names now: `iterable email`, `iterable user_id`: its lists; `request`: people."""
        found = self._read(
            "select hash from tombstones where lifted_at is null and source = ? and hash = origin", source
        )
        return frozenset(hash for (hash,) in found)

    def add(self, kind: Kind, hashes: Iterable[str], source: str) -> int:
        """Add hashes that `source` names; returns how many are new."""
        return self._add([(hash, kind, hash, source) for hash in hashes])

    def link(self, linked: Iterable[tuple[Kind, str, str]]) -> int:
        """Add hashes of the same persons: kind, hash, and the hash of the tombstone they come and go with."""
        return self._add([(hash, kind, origin, "link") for kind, hash, origin in linked])

    def lift(self, origins: Iterable[str]) -> int:
        """Let these hashes, and what is linked to them, come back; returns how many origins stood until now."""
        if not self._database.exists():
            return 0
        with self._writing() as con:
            lifted = 0
            for origin in origins:
                done = con.execute(
                    "update tombstones set lifted_at = ? where origin = ? and lifted_at is null", (iso(now()), origin)
                )
                lifted += done.rowcount > 0
        return lifted

    def _add(self, rows: list[tuple[str, Kind, str, str]]) -> int:
        if not rows:
            return 0
        with self._writing() as con:
            added = con.executemany(
                "insert into tombstones values (?, ?, ?, ?, ?, null) on conflict (hash, origin) do update set "
                "lifted_at = null, since = excluded.since, source = excluded.source "
                # who asked us stays forgotten, whatever a list says later
                "where tombstones.lifted_at is not null "
                "or (excluded.source = 'request' and tombstones.source <> 'request')",
                [(*row, iso(now())) for row in rows],
            )
            return int(added.rowcount)

    def pending_since(self, moment: str) -> str | None:
        """Since when the oldest tombstone stands that is newer than `moment` (ISO, UTC); None for none."""
        found = self._read(
            "select min(since) from tombstones where lifted_at is null and source <> 'link' and since > ?", moment
        )
        return str(found[0][0]) if found and found[0][0] else None

    def into(self, con: duckdb.DuckDBPyConnection) -> bool:
        """Give a DuckDB connection the temporary macro `is_forgotten(identifier)`: true or false, never NULL.

        Returns whether there is any tombstone at all, so that whoever has none can spare the question.
        """
        stones = self._standing()
        columns = [[hash for hash, _ in stones], [origin for _, origin in stones]]
        con.execute(
            "create or replace temp table forgotten_hashes as "
            "select unnest($1::varchar[]) as hash, unnest($2::varchar[]) as origin",
            columns,
        )
        con.execute(
            "create or replace temp macro is_forgotten(identifier) as coalesce("
            f"sha256({normal_sql('identifier')}) in (select hash from forgotten_hashes), false)"
        )
        return bool(stones)

    def as_parquet(self, folder: Path) -> Path:
        """The hashes that stand now, as the column `hash` of a Parquet file in `folder`."""
        file = folder / "forgotten.parquet"
        with duckdb.connect() as con:
            self.into(con)
            con.execute(f"copy forgotten_hashes to {literal(str(file))} (format parquet)")
        return file

    def made(self) -> Database:
        """Where they are kept, made if it was not there yet."""
        self._database.make([_SCHEMA])
        return self._database

    def _standing(self) -> list[tuple[str, ...]]:
        return self._read("select hash, origin from tombstones where lifted_at is null order by 1, 2")

    def _read(self, sql: str, *values: object) -> list[tuple[str, ...]]:
        if not self._database.exists():
            return []
        with self.made().connection() as con:
            return list(con.execute(sql, values).fetchall())

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self.made().transaction() as con:
            yield con
