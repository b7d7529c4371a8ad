"""From a download to verified Parquet parts, one per hour. DuckDB reads and writes; no record becomes an object."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from iterable_pipelines.erasure.gate import Gate, take_out
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.file_store import sync
from iterable_pipelines.hours import Window, hour_key, hour_of
from iterable_pipelines.landing.timestamps import timestamp_sql
from iterable_pipelines.memory import take_share

CORE = {
    "email": "$.email",
    "user_id": "$.userId",
    "itbl_user_id": "$.itblUserId",
    "created_at": "$.createdAt",
    "campaign_id": "$.campaignId",
}
_LARGEST_RECORD = 64 * 1024 * 1024
_FILES_AT_ONCE = 500
_PARQUET = "format parquet, compression zstd, compression_level 1, row_group_size 20480"
# DuckDB's reader takes NaN, Infinity and trailing commas, which are not JSON: what may hold them is looked at again
_LOOSE = ("NaN", "Inf", ",}", ",]")
# a CASE, because both sides of an AND are evaluated for every row, and the pattern costs as much as all the rest
SUSPECT = (
    "left(record, 1) <> '{' or case when "
    + " or ".join(f"contains(record, '{mark}')" for mark in _LOOSE)
    + r" then regexp_matches(record, '[:,\[]\s*-?(NaN|Inf)|,[\]}]') else false end"
)


class Unreadable(Exception):
    """A line of a download is not a JSON object: (line from 1, byte offset from 0, reason), never the line itself."""

    def __init__(self, line: int, byte_offset: int, reason: str) -> None:
        super().__init__(f"line {line:,}, byte {byte_offset:,}: {reason}")
        self.fault = (line, byte_offset, reason)


@dataclass(frozen=True)
class Cut:
    """One hour cut from a download. `file` is None when the hour is empty; `erased` came of the forgotten and is in no
    file.
    """

    hour: datetime
    file: Path | None
    rows: int
    outside_rows: int
    bytes: int
    digest: str
    sha256: str | None
    erased: int = 0


EMPTY_DIGEST = "0:0"


def cut(
    downloads: Sequence[Path],
    window: Window,
    filter_field: str,
    folder: Path,
    memory_limit: str = "512MB",
    since: datetime | None = None,
    tombstones: Tombstones | None = None,
) -> list[Cut]:
    """Cut verified downloads into one Parquet file per hour of `window`, written below `folder` and fsynced.

    `filter_field` is what the export's window filters on: createdAt for events, profileUpdatedAt for users (api.md
    3.6). A record whose own time lies outside the window, or cannot be read, stays with the window's first hour and is
    counted; `since` says that the download was asked for from then on, so that what is older than the window belongs to
    its first hour. Records of the forgotten (`tombstones`) are left out, and counted. Raises Unreadable when a line is
    not a JSON object, counted through all the downloads.
    """
    downloads = [each for each in downloads if each.stat().st_size]
    if not downloads:
        return [Cut(hour, None, 0, 0, 0, EMPTY_DIGEST, None) for hour in window.hours()]
    for download in downloads:
        _drop_byte_order_mark(download)
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(folder / "cut.duckdb") as con:
        con.execute(f"set memory_limit = '{memory_limit}'")
        con.execute("set preserve_insertion_order = false")
        con.execute("set timezone = 'UTC'")
        gate = Gate(con, tombstones)
        try:
            cuts = _cut(con, downloads, window, filter_field, folder, 16 * 1024 * 1024, since, gate)
        except duckdb.Error as error:
            if "maximum_object_size" in str(error):
                cuts = _cut(con, downloads, window, filter_field, folder, _LARGEST_RECORD, since, gate)
            elif isinstance(error, duckdb.InvalidInputException):
                raise next(faults(downloads), error) from None
            else:
                raise
    rows = sum(each.rows + each.erased for each in cuts)
    if (lines := _lines(downloads, rows)) != rows:
        raise Unreadable(lines, 0, f"{lines:,} lines came and {rows:,} records were read")
    return cuts


def _lines(downloads: Sequence[Path], rows: int) -> int:
    """How many lines came, counted without the reader that cuts them; `rows` if that is all there are."""
    ends = 0
    for download in downloads:
        with download.open("rb") as file:
            while block := file.read(1024 * 1024):
                ends += block.count(b"\n")
                last = block[-1:]
            ends += last != b"\n"
    if ends == rows:
        return rows
    count = 0
    for download in downloads:
        with download.open("rb") as file:
            count += sum(bool(line.strip()) for line in file)
    return count


def _cut(
    con: duckdb.DuckDBPyConnection,
    downloads: Sequence[Path],
    window: Window,
    filter_field: str,
    folder: Path,
    largest: int,
    since: datetime | None,
    gate: Gate,
) -> list[Cut]:
    paths = ", ".join(f"'{path}'" for path in CORE.values())
    columns = ", ".join(f"x[{position}] as {name}" for position, name in enumerate(CORE, 1))
    own_time = timestamp_sql(f"x[{len(CORE) + 1}]")
    quoted = ", ".join("'" + str(each).replace("'", "''") + "'" for each in downloads)
    first, end = (since or window.start).replace(tzinfo=None), window.end.replace(tzinfo=None)
    lines = (
        f"select {columns}, record, {own_time} as own_time from (select json::varchar as record, "
        f"json_extract_string(json, [{paths}, '$.{filter_field}']) as x "
        f"from read_ndjson_objects([{quoted}], maximum_object_size = {largest}))"
    )
    inside = f"own_time >= timestamp '{first}' and own_time < timestamp '{end}'"
    names = ", ".join(CORE)
    opening = f"timestamp '{hour_of(window.start).replace(tzinfo=None)}'"
    hours = window.hours()

    def proved(files: dict[datetime, Path | None]) -> list[Cut]:
        # afterwards, in the columns of what was written: hashing each line on its way would cost a tenth of the import
        erased = take_out(gate, [file for file in files.values() if file], _PARQUET)
        return _proved(con, files, erased)

    if len(hours) == 1:
        write = _writer(con, folder, f"({lines})")
        return proved({hours[0]: write(hours[0], f"select {names}, record, {inside} as inside from source")})
    # a quarter of millions took 1.1 GB under a limit of 1 GB: sorting needs more than DuckDB counts
    take_share(con, 1 / 2)
    con.execute(
        "create or replace temp table cut as select * replace (case when coalesce("
        f"{inside}, false) then greatest(date_trunc('hour', own_time), {opening}) else {opening} end "
        # sorted, so that each hour below reads its own blocks and not all of them
        f"as own_time), coalesce({inside}, false) as inside from ({lines}) order by own_time"
    )
    filled = {hour for (hour,) in con.execute("select distinct own_time from cut").fetchall()}
    write = _writer(con, folder, "cut")
    files: dict[datetime, Path | None] = {}
    for hour in hours:
        where = f"own_time = timestamp '{hour.replace(tzinfo=None)}'"
        there = hour.replace(tzinfo=None) in filled
        files[hour] = write(hour, f"select {names}, record, inside from source where {where}") if there else None
    return proved(files)


def _writer(con: duckdb.DuckDBPyConnection, folder: Path, source: str) -> Callable[[datetime, str], Path]:
    def write(hour: datetime, select: str) -> Path:
        file = folder / f"{hour_key(hour)}.parquet"
        con.execute(f"copy ({select.replace('from source', f'from {source}')}) to '{file}' ({_PARQUET})")
        return file

    return write


def _proved(con: duckdb.DuckDBPyConnection, files: dict[datetime, Path | None], erased: dict[Path, int]) -> list[Cut]:
    """What the written files hold, counted from themselves, once they are durable."""
    written = [str(file) for file in files.values() if file]
    found: dict[str, tuple[int, int, str, int]] = {}
    for batch in (written[at : at + _FILES_AT_ONCE] for at in range(0, len(written), _FILES_AT_ONCE)):
        rows = con.execute(
            "select filename, count(*), count(*) filter (inside), coalesce(sum(hash(record)), 0)::varchar, "
            f"count_if({SUSPECT}) from read_parquet(?, filename = true) group by filename",
            [batch],
        ).fetchall()
        found |= {name: (count, inside, digest, suspects) for name, count, inside, digest, suspects in rows}
    cuts = []
    for hour, file in files.items():
        if file is None:
            cuts.append(Cut(hour, None, 0, 0, 0, EMPTY_DIGEST, None))
            continue
        # a file without a row is a group of none
        count, inside, digest, suspects = found.get(str(file), (0, 0, "0", 0))
        if suspects and not _all_strict(con, file):
            raise _NotStrict
        sync(file)
        size, sha256 = file.stat().st_size, _sha256(file)
        cuts.append(Cut(hour, file, count, count - inside, size, f"{count}:{digest}", sha256, erased.get(file, 0)))
    return cuts


_NotStrict = duckdb.InvalidInputException("a record is not a JSON object, or holds what only a lenient reader takes")


def _all_strict(con: duckdb.DuckDBPyConnection, file: Path) -> bool:
    reader = con.execute(f"select record from '{file}' where {SUSPECT}")
    while suspects := reader.fetchmany(1000):
        if any(_fault_of(record.encode()) for (record,) in suspects):
            return False
    return True


def faults(downloads: Sequence[Path]) -> Iterator[Unreadable]:
    """Each line that is not a JSON object, in order; lines and bytes are counted through all the downloads."""
    offset, number = 0, 0
    for download in downloads:
        with download.open("rb") as lines:
            for line in lines:
                number += 1
                if line.strip() and (reason := _fault_of(line)):
                    yield Unreadable(number, offset, reason)
                offset += len(line)


def _fault_of(line: bytes) -> str | None:
    if len(line) > _LARGEST_RECORD:
        return f"a record of {len(line):,} bytes, more than {_LARGEST_RECORD:,}"
    try:
        record = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
        json.dumps(record, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError:
        return "not UTF-8"
    except UnicodeEncodeError:
        return "a lone surrogate"
    except RecursionError:
        return "nested too deep"
    except ValueError as error:
        # the message of a JSON error holds the position, not the text
        return f"not JSON ({getattr(error, 'msg', error)})"
    return None if isinstance(record, dict) else "not a JSON object"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _drop_byte_order_mark(download: Path) -> None:
    with download.open("rb") as file:
        if file.read(3) != b"\xef\xbb\xbf":
            return
    rest = download.with_suffix(".without-bom")
    with download.open("rb") as source, rest.open("wb") as target:
        source.seek(3)
        while block := source.read(1024 * 1024):
            target.write(block)
    rest.replace(download)


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
