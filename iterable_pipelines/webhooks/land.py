"""From the spool to landing: bodies as they came, one Parquet file per move and hour, durable before the spool forgets.

A crash at any moment leaves a body in the spool, in a file, or in both; never in neither. Its digest makes it one again
when it is loaded.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.erasure.gate import Gate
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.file_store import FileStore, sync
from iterable_pipelines.hours import hour_key, now
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.landing.scratch import scratch_folder, sweep
from iterable_pipelines.landing.timestamps import timestamp_sql
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.webhook_record import created_at_sql, event_name_sql, named_in_sql, record_sql
from iterable_pipelines.webhooks.parts import WebhookPart, WebhookParts
from iterable_pipelines.webhooks.spool import Spool, Spooled

# one move: what fits into memory with room to spare, whatever the size of the bodies
_BODIES_AT_ONCE, _BYTES_AT_ONCE = 20_000, 64 * 1024 * 1024
# a run ends some time, however fast they come: the next one begins at once
_MOVES = 10
# what one body may break; trouble of the disk or of memory is not its fault
_BODY_AT_FAULT = (UnicodeError, pa.ArrowInvalid, duckdb.DataError, duckdb.InvalidInputException)
# Iterable is younger; and no clock is an hour ahead
_PLACEABLE = "created_at >= timestamp '2010-01-01' and created_at < received_at + interval 1 hour"


@dataclass
class Moved:
    """What one call of `land` did: bodies landed, files written, bodies that broke it, and those of them put aside.

    `erased` were of the forgotten: they are in no file, and have left the spool.
    """

    bodies: int = 0
    parts: list[WebhookPart] = field(default_factory=list)
    failed: int = 0
    aside: int = 0
    bytes: int = 0
    erased: int = 0


def land(
    spool: Spool, manifest: Manifest, settings: Settings, run_id: str, log: Callable[[str], None] = print
) -> Moved:
    """Move what is queued into landing. A body that cannot be converted is counted and stays, five times, then is put
    aside; the others go on without it.

    Raises OSError or duckdb.Error for trouble that is not of one body; what was not moved stays in the spool.
    """
    moved, parts, tried = Moved(), WebhookParts(manifest), set[int]()
    sweep(settings.landing_dir)
    for _ in range(_MOVES):
        queued = spool.queued(_BODIES_AT_ONCE + len(tried), _BYTES_AT_ONCE)
        # a body has one try a run
        fresh = [each for each in queued if each.id not in tried]
        if not fresh:
            break
        with scratch_folder(settings.landing_dir, "webhooks-") as folder, duckdb.connect() as con:
            con.execute("set memory_limit = '512MB'")
            con.execute("set timezone = 'UTC'")
            con.execute(f"set temp_directory = {literal(str(folder))}")
            good, broken = _arrange(con, fresh, Gate(con, Tombstones(settings)))
            (arrived,) = con.execute("select count(*) from arrived").fetchone() or (0,)
            landed = _keep(_cut(con, folder, run_id) if good else [], settings)
        parts.add(landed.values())
        crashpoint("webhooks_in_manifest")
        spool.remove(each.id for each in good)
        erased = len(good) - arrived
        tried |= {each.id for each, _ in broken}
        moved.aside += sum(spool.failed(each.id, reason) for each, reason in broken)
        moved.failed += len(broken)
        moved.bodies += arrived
        moved.erased += erased
        moved.bytes += sum(len(each.raw) for each in good)
        moved.parts += landed.values()
        log(f"landing/webhooks: {arrived:,} bodies of {len(landed)} hours landed, {len(broken)} cannot be read")
    if moved.erased:
        # whoever keeps writing to it puts that off to the next erasure
        with suppress(sqlite3.OperationalError):
            spool.wipe()
    return moved


def _arrange(
    con: duckdb.DuckDBPyConnection, bodies: Sequence[Spooled], gate: Gate
) -> tuple[list[Spooled], list[tuple[Spooled, str]]]:
    """Put bodies into the table `arrived`, without those of the forgotten; returns the bodies that can be read, and
    those that break it with the reason.
    """
    con.execute(
        "create or replace temp table arrived (digest VARCHAR, received_at TIMESTAMP, body VARCHAR, "
        "data_type VARCHAR, created_at TIMESTAMP)"
    )
    good: list[Spooled] = []
    broken: list[tuple[Spooled, str]] = []
    waiting = [list(bodies)]
    while waiting:
        some = waiting.pop()
        try:
            _insert(con, some, gate)
            good += some
        except _BODY_AT_FAULT as error:
            if len(some) == 1:
                broken.append((some[0], _reason(error)))
            else:
                # halved until it is found
                middle = len(some) // 2
                waiting += [some[middle:], some[:middle]]
    return good, broken


def _insert(con: duckdb.DuckDBPyConnection, bodies: Sequence[Spooled], gate: Gate) -> None:
    came = pa.table(  # noqa: F841 (DuckDB finds it by its name)
        {
            "digest": pa.array([each.digest for each in bodies], pa.string()),
            "received_at": pa.array([each.received_at for each in bodies], pa.timestamp("us", "UTC")),
            "body": pa.array([each.raw.decode("utf-8") for each in bodies], pa.string()),
        }
    )
    # the record is made and thrown away: what the loader cannot read must not get past this point
    read = (
        f"select digest, received_at at time zone 'UTC' as received_at, body, {event_name_sql('body')} as data_type, "
        f"{timestamp_sql(created_at_sql('body'))} as created_at, "
        f"cast({record_sql('cast(body as json)')} as json) as record from came"
    )
    con.execute(
        f"insert into arrived select digest, received_at, body, data_type, case when {_PLACEABLE} then created_at end "
        f"from ({read}) where record is not null and not {gate.refuses(*named_in_sql('body::json'))}"
    )


def _cut(con: duckdb.DuckDBPyConnection, folder: Path, run_id: str) -> list[tuple[Path, WebhookPart]]:
    """One file per hour: that of the event, or of its arrival where the event does not say when it was."""
    con.execute(
        "create or replace temp view placed as "
        "select *, date_trunc('hour', coalesce(created_at, received_at)) as hour from arrived"
    )
    cut, moment = [], now()
    hours = "select hour, count(*), max(received_at) from placed group by hour order by hour"
    for hour, rows, received_to in con.execute(hours).fetchall():
        file = folder / f"{hour:%Y-%m-%dT%H}.parquet"
        con.execute(
            "copy (select data_type, created_at, digest, received_at, body from placed "
            f"where hour = timestamp '{hour}' order by data_type, created_at, digest) to {literal(str(file))} "
            "(format parquet, compression zstd, row_group_size 20480)"
        )
        sync(file)
        with file.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        path = f"webhooks/hour={hour_key(_aware(hour))}/part-{sha256[:16]}.parquet"
        size = file.stat().st_size
        part = WebhookPart(_aware(hour), rows, size, sha256, path, _aware(received_to), moment, run_id)
        cut.append((file, part))
    crashpoint("webhooks_cut")
    return cut


def _keep(cut: list[tuple[Path, WebhookPart]], settings: Settings) -> dict[str, WebhookPart]:
    FileStore.of(settings).put_all((file, part.path) for file, part in cut)
    crashpoint("webhooks_kept")
    return {part.path: part for _, part in cut}


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def _reason(error: Exception) -> str:
    # the libraries quote what they could not read
    return "not UTF-8" if isinstance(error, UnicodeError) else f"not JSON that DuckDB reads ({type(error).__name__})"
