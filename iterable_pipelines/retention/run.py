"""One run of the retention: hours that are due are noted, their rows leave, their files, and the space they took.

Whoever is killed in between leaves hours that are noted and still there; the next run takes them out. Nobody fetches or
loads an hour any more once it is noted.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.erasure.duckdb_rows import rewrite
from iterable_pipelines.erasure.run import erasing
from iterable_pipelines.landing.expired import ExpiredHours
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.landing.scratch import check_space
from iterable_pipelines.retention.due import Due, due
from iterable_pipelines.retention.files import take_files_out
from iterable_pipelines.retention.rows import take_rows_out
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.completeness import refresh
from iterable_pipelines.streams.warehouse import Warehouse

# of the file's blocks, or of the rows of streams: DuckDB fills the blocks of deleted rows again, and a new file
# each day would cost more than it gives
_WORTH_WRITING = 0.1


@dataclass
class Left:
    """What left in one run. `held` are hours that are old enough and had to stay, by reason and stream."""

    hours: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0
    landing_bytes: int = 0
    warehouse_bytes: int = 0
    held: dict[str, dict[str, int]] = field(default_factory=dict)


def look(warehouse: Warehouse, manifest: Manifest, settings: Settings, moment: datetime) -> list[Due]:
    """What a run would take out now; nothing is changed."""
    warehouse.prepare()
    with warehouse.transaction() as con:
        refresh(con, settings, manifest, moment)
        return due(con, settings, moment)


def let_go(
    warehouse: Warehouse,
    manifest: Manifest,
    settings: Settings,
    moment: datetime,
    log: Callable[[str], None] = print,
) -> Left:
    """Take out every hour that is older than its stream's retention and that nothing needs any more.

    Raises WarehouseFailed, and AlreadyErasing while an erasure is at work: both rewrite the same files.
    """
    with erasing(settings):
        return _let_go(warehouse, manifest, settings, moment, log)


def _let_go(
    warehouse: Warehouse, manifest: Manifest, settings: Settings, moment: datetime, log: Callable[[str], None]
) -> Left:
    left, noted = Left(), ExpiredHours(manifest)
    newest_part = manifest.newest_part()
    for each in look(warehouse, manifest, settings, moment):
        noted.add(each.stream, each.hours, settings.enabled_data_types(each.stream), newest_part)
        left.hours[each.stream] = len(each.hours)
        if each.held:
            left.held[each.stream] = each.held
    crashpoint("retention_noted")
    expired = {stream: noted.of(stream) for stream in noted.spans()}
    if not expired:
        return left
    before = warehouse.path.stat().st_size
    with warehouse.transaction() as con:
        left.rows = take_rows_out(con, expired)
        crashpoint("before_commit")
    crashpoint("retention_rows_gone")
    (loaded,) = warehouse.read("select coalesce(max(part_id), 0) from streams.webhook_loads where stream is null")[0]
    left.files, left.landing_bytes = take_files_out(settings, manifest, expired, int(loaded))
    crashpoint("retention_files_gone")
    free_space(warehouse, sum(left.rows.values()))
    left.warehouse_bytes = before - warehouse.path.stat().st_size
    log(
        f"retention: {sum(left.hours.values()):,} hours left, {sum(left.rows.values()):,} rows, "
        f"{left.files:,} files of {left.landing_bytes:,} bytes; the warehouse is {left.warehouse_bytes:,} bytes smaller"
    )
    return left


def free_space(warehouse: Warehouse, rows_left: int) -> None:
    """Write the warehouse and the copy for readers anew if a tenth or more is empty, or has just left.

    Raises OSError (ENOSPC) when there is no room for a second file; then all is as it was.
    """
    with warehouse.locked():
        # plays back what a killed process left
        warehouse.prepare()
        if max(_free_blocks(warehouse), _left_rows(warehouse, rows_left)) < _WORTH_WRITING:
            return
        check_space(warehouse.path.parent, warehouse.path.stat().st_size)
        rewrite(warehouse.path, warehouse.memory_limit)
        if warehouse.published.exists():
            warehouse.publish()


def _free_blocks(warehouse: Warehouse) -> float:
    with duckdb.connect(warehouse.path, config={"memory_limit": warehouse.memory_limit}) as con:
        con.execute("checkpoint")
        total, free = con.execute("select total_blocks, free_blocks from pragma_database_size()").fetchall()[0]
    return free / total if total else 0.0


def _left_rows(warehouse: Warehouse, left: int) -> float:
    # a block that holds one row that stays is not free, however many have left it
    stay = warehouse.read(
        "select coalesce(sum(estimated_size), 0)::bigint from duckdb_tables() where schema_name = 'streams'"
    )[0][0]
    return left / (left + stay) if left else 0.0
