"""Landed files that were written anew without somebody: noted beside the manifest, so that nothing is lost on the way.

A new file is durable before the manifest names it, and the old one is unlinked after that. What the manifest, or a
fetch that was under way meanwhile, still says of the old file `settle` puts right; it may run any number of times.
"""

from dataclasses import astuple, dataclass
from datetime import timedelta

from iterable_pipelines.database import Connection
from iterable_pipelines.file_store import FileStore
from iterable_pipelines.hours import now
from iterable_pipelines.landing.manifest import Manifest, as_text

# `followed`: an older version, which knew of one warehouse alone, has told it
_SCHEMA = """
create table if not exists rewritten (
    id integer primary key autoincrement,
    old_path text not null,
    path text,
    data_type text not null,
    hour text not null,
    rows_before integer not null,
    rows integer not null,
    outside_rows integer not null,
    bytes integer not null,
    digest_before text not null,
    digest text not null,
    sha256 text,
    mentions integer not null,
    noted_at text not null,
    followed integer not null default 0
)
"""
# up to which number each machine's warehouse says the same as the manifest
_FOLLOWS = "create table if not exists follows (machine text primary key, rewritten integer not null)"
# no fetch is under way for longer
_DAYS = 7
_COLUMNS = (
    "old_path, path, data_type, hour, rows_before, rows, outside_rows, bytes, digest_before, digest, sha256, mentions"
)


@dataclass(frozen=True)
class Rewritten:
    """One landed file and what took its place; `path` is None where no row is left. `mentions` are rows of others."""

    old_path: str
    path: str | None
    data_type: str
    hour: str
    rows_before: int
    rows: int
    outside_rows: int
    bytes: int
    digest_before: str
    digest: str
    sha256: str | None
    mentions: int


class RewrittenFiles:
    """The table of them, in the manifest's SQLite file."""

    def __init__(self, manifest: Manifest, store: FileStore) -> None:
        """Open, or make, the table; the files are in `store`."""
        self.manifest, self._store = manifest, store
        manifest.database.make([_SCHEMA, _FOLLOWS])

    def add(self, files: list[Rewritten]) -> None:
        """Note files that are durable, and make the manifest name them instead, all or none."""
        with self.manifest.transaction() as con:
            con.executemany(
                f"insert into rewritten ({_COLUMNS}, noted_at) values (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                [(*astuple(each), as_text(now())) for each in files],
            )
            for each in files:
                _point(con, each)

    def settle(self) -> None:
        """Let no row of the manifest name an old file of the last days, and let no old file be there."""
        recent = f"select {_COLUMNS} from rewritten where noted_at > ? order by id"
        with self.manifest.transaction() as con:
            found = [Rewritten(*row) for row in con.execute(recent, (as_text(now() - timedelta(days=_DAYS)),))]
            for each in found:
                _point(con, each)
        old = {each.old_path for each in found}
        self._store.remove(sorted(old.difference(self._store.missing(old))))

    def to_follow(self, machine: str) -> list[tuple[int, Rewritten]]:
        """What the warehouse of this machine has not learned of yet, with the number it goes by."""
        with self.manifest.connection() as con:
            found = con.execute(
                f"select id, {_COLUMNS} from rewritten where followed = 0 "
                "and id > coalesce((select max(rewritten) from follows where machine = ?), 0) order by id",
                (machine,),
            ).fetchall()
        return [(number, Rewritten(*row)) for number, *row in found]

    def followed(self, machine: str, numbers: list[int]) -> None:
        """Note that the warehouse of this machine has learned of these, and so of all before them."""
        if not numbers:
            return
        with self.manifest.transaction() as con:
            con.execute(
                "insert into follows values (?, ?) on conflict (machine) do update set rewritten = excluded.rewritten",
                (machine, max(numbers)),
            )


def _point(con: Connection, each: Rewritten) -> None:
    where = "data_type = ? and hour = ? and path = ?"
    old = (each.data_type, each.hour, each.old_path)
    # the rows that a fetch brought are held against the lines it had (completeness.py)
    fetches = con.execute(
        f"select data_type, fetched_at, run_id from parts where {where} and digest = ?", (*old, each.digest_before)
    ).fetchall()
    con.executemany(
        f"update fetches set lines = lines - {each.rows_before - each.rows} "
        "where data_type = ? and fetched_at = ? and run_id = ?",
        fetches,
    )
    con.execute(
        "update parts set path = ?, rows = ?, late_rows = case when late_rows > ? then ? else late_rows end, "
        f"outside_rows = ?, bytes = ?, digest = ?, sha256 = ? where {where}",
        (each.path, each.rows, each.rows, each.rows, each.outside_rows, each.bytes, each.digest, each.sha256, *old),
    )
