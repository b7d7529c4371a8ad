"""The hours whose rows have left for good, because they are older than the retention: noted beside the manifest.

What is noted here is fetched, loaded and looked for by nobody any more; the manifest still says what had landed.
"""

from collections.abc import Iterable as Many
from datetime import datetime

from iterable_pipelines.hours import HOUR, Window, contiguous, now
from iterable_pipelines.landing.manifest import Manifest, as_moment, as_text

_SCHEMA = """
create table if not exists expired (
    stream text not null,
    hour text not null,
    noted_at text not null,
    primary key (stream, hour)
) without rowid
"""
# what landed after it was judged has not been judged
_NEWER = "select hour from parts where id > ? and data_type in ({})"


class ExpiredHours:
    """The table of them, in the manifest's SQLite file. Rows are only ever added."""

    def __init__(self, manifest: Manifest) -> None:
        """Open, or make, the table."""
        self.manifest = manifest
        manifest.database.make([_SCHEMA])

    def add(self, stream: str, hours: Many[datetime], data_types: Many[str], newest_part: int) -> None:
        """Note hours of a stream, but those of which a part landed with a larger id than `newest_part`."""
        names = tuple(data_types)
        with self.manifest.transaction() as con:
            newer = {hour for (hour,) in con.execute(_NEWER.format(",".join("?" * len(names))), (newest_part, *names))}
            con.executemany(
                "insert into expired values (?, ?, ?) on conflict do nothing",
                [(stream, text, as_text(now())) for each in hours if (text := as_text(each)) not in newer],
            )

    def of(self, stream: str) -> set[datetime]:
        """Every expired hour of a stream."""
        with self.manifest.connection() as con:
            return {as_moment(hour) for (hour,) in con.execute("select hour from expired where stream = ?", (stream,))}

    def spans(self) -> dict[str, list[Window]]:
        """The expired hours of each stream that has some, as the fewest windows."""
        with self.manifest.connection() as con:
            streams = [stream for (stream,) in con.execute("select distinct stream from expired order by 1")]
        return {stream: contiguous(list(self.of(stream))) for stream in streams}


def without_expired(manifest: Manifest, stream: str, hours: Many[datetime]) -> list[datetime]:
    """Those of `hours` that have not expired, in order."""
    return sorted(set(hours) - ExpiredHours(manifest).of(stream))


def count_hours(spans: Many[Window]) -> int:
    """How many hours windows of whole hours come to."""
    return sum((each.end - each.start) // HOUR for each in spans)
