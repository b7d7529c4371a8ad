"""The landed files of webhooks: a table of their own in the manifest's SQLite file."""

from collections.abc import Iterable as Many
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from iterable_pipelines.landing.manifest import Manifest, as_moment, as_text

_SCHEMA = """
create table if not exists webhook_parts (
    id integer primary key autoincrement,
    hour text not null,
    rows integer not null,
    bytes integer not null,
    sha256 text not null,
    path text not null unique,
    received_to text not null,
    landed_at text not null,
    run_id text not null
)
"""
_COLUMNS = "hour, rows, bytes, sha256, path, received_to, landed_at, run_id"


@dataclass(frozen=True)
class WebhookPart:
    """One file of landed bodies, all of one hour. `path` is relative to the landing folder; `received_to` is when
    the newest was received; `id` is 0 until it is added.

    Rows of the table are only ever added, so a larger id came later. A body may stand in two files, after a crash or
    when it was sent twice: its digest tells.
    """

    hour: datetime
    rows: int
    bytes: int
    sha256: str
    path: str
    received_to: datetime
    landed_at: datetime
    run_id: str
    id: int = 0


class WebhookParts:
    """Every landed file of webhooks."""

    def __init__(self, manifest: Manifest) -> None:
        """Open, or make, the table beside the others of `manifest`."""
        self.manifest = manifest
        index = "create index if not exists webhook_parts_by_hour on webhook_parts (hour)"
        manifest.database.make([_SCHEMA, index])

    def add(self, parts: Many[WebhookPart]) -> None:
        """Record parts whose files are already durable, all or none."""
        rows = [
            (
                as_text(each.hour),
                each.rows,
                each.bytes,
                each.sha256,
                each.path,
                as_text(each.received_to),
                as_text(each.landed_at),
                each.run_id,
            )
            for each in parts
        ]
        with self.manifest.transaction() as con:
            # the same bodies moved again, after a crash, make the same file
            con.executemany(
                f"insert into webhook_parts ({_COLUMNS}) values (?,?,?,?,?,?,?,?) on conflict do nothing", rows
            )

    def after(self, number: int) -> list[WebhookPart]:
        """The parts with a larger id than `number`, in the order of landing."""
        with self.manifest.connection() as con:
            return _parts(con.execute(f"select {_COLUMNS}, id from webhook_parts where id > ? order by id", (number,)))

    def newest(self) -> int:
        """The largest id; 0 for none."""
        with self.manifest.connection() as con:
            return int(con.execute("select coalesce(max(id), 0) from webhook_parts").fetchone()[0])

    def received_to(self) -> datetime | None:
        """When the newest body that has landed was received; None for none."""
        with self.manifest.connection() as con:
            (newest,) = con.execute("select max(received_to) from webhook_parts").fetchone()
        return as_moment(newest) if newest else None

    def first_received(self) -> datetime | None:
        """When the last body of the first move was received; None for none."""
        with self.manifest.connection() as con:
            (first,) = con.execute("select min(received_to) from webhook_parts").fetchone()
        return as_moment(first) if first else None

    def hours(self) -> set[datetime]:
        """Every hour that has a part."""
        with self.manifest.connection() as con:
            return {as_moment(hour) for (hour,) in con.execute("select distinct hour from webhook_parts")}

    def of_hours(self, hours: Many[datetime]) -> list[WebhookPart]:
        """The parts that hold events of these hours."""
        wanted = set(hours)
        if not wanted:
            return []
        with self.manifest.connection() as con:
            found = con.execute(
                f"select {_COLUMNS}, id from webhook_parts where hour between ? and ? order by id",
                (as_text(min(wanted)), as_text(max(wanted))),
            )
            return [each for each in _parts(found) if each.hour in wanted]


def _parts(found: Many[tuple[Any, ...]]) -> list[WebhookPart]:
    return [
        WebhookPart(as_moment(hour), rows, size, sha256, path, as_moment(received), as_moment(landed), run_id, number)
        for hour, rows, size, sha256, path, received, landed, run_id, number in found
    ]
