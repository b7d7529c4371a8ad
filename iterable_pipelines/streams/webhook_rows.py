"""One event, one row: the bodies of webhooks beside the rows of the export, in the tables of streams.

An event that only a webhook has told of is a row with `_source = 'webhook'`. Where the export has it too, its row is
the one: it gets the webhook's body, and what only webhooks carry where its own value is NULL. What the export does not
have, although it had its say, leaves. What is in the tables follows from the landed files alone, in whatever order they
were loaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from iterable_pipelines.data_types import Stream
from iterable_pipelines.erasure.gate import CORE_NAMES, Gate
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.tables import Column, columns_of, extraction_sql, user_key_sql
from iterable_pipelines.streams.webhook_record import record_sql

# Iterable indexes some events minutes late (api.md 3.6): an export younger than that does not say that there is none
_INDEXED_AFTER = "interval 30 minute"
# what tells two events of one message and second apart: which link, and from where
_TRACES = ("$.url", "$.clickedUrl", "$.ip")
_KEY_COLUMNS = ("email", "user_id", "itbl_user_id", "message_id", "campaign_id")
_EMAIL = "nullif(lower(trim(email)), '') as email"
# what exports mostly lack (api.md 4.3), beside the deep links that some streams have
_NAMES = ("campaign_name", "template_name", "workflow_id", "workflow_name", "experiment_id")

# a slice of wide rows that fits into the smallest memory limit
_ROWS_PER_SLICE = 100_000


@dataclass(frozen=True)
class Round:
    """Which webhooks and rows of one second are one event: all of `same` are equal, those in `known` not NULL either.

    `nameless` is the side that has no message id; both sides may have one if it is empty.
    """

    same: tuple[str, ...]
    known: tuple[str, ...]
    nameless: str = ""


# the surest first; each pairs one with one
ROUNDS = (
    Round(("message_id", "user_key", "trace"), ("message_id", "user_key")),
    Round(("message_id", "user_key"), ("message_id", "user_key")),
    Round(("message_id",), ("message_id",)),
    Round(("user_key", "campaign_id"), ("user_key",), "told"),
    Round(("user_key", "campaign_id"), ("user_key",), "exported"),
    Round(("user_id", "campaign_id"), ("user_id",), "told"),
    Round(("user_id", "campaign_id"), ("user_id",), "exported"),
    Round(("email", "campaign_id"), ("email",), "told"),
    Round(("email", "campaign_id"), ("email",), "exported"),
)


def tell_hours(
    con: duckdb.DuckDBPyConnection, settings: Settings, stream: Stream, files: Sequence[Path], load_id: int
) -> None:
    """Put the webhooks of `files` beside the rows of the hours and data types in the temporary table `batch`.

    Its `fetched_at` says of when the export's word is, NULL where there is none. Of these hours the stream's table
    holds rows of the export as they were exported, and no others.
    """
    if files:
        in_batch = "(data_type, date_trunc('hour', created_at)) in (select data_type, hour from batch)"
        con.execute(f"create or replace temp table told as {_told_sql(con, settings, stream, files, in_batch)}")
        con.execute("create or replace temp table word as select data_type, hour, fetched_at from batch")
        _join(con, settings, stream, files, load_id)


def tell_arrived(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    stream: Stream,
    files: Sequence[Path],
    files_of_exported: Sequence[Path],
    load_id: int,
) -> None:
    """Put the webhooks in the temporary table `told`, of `files`, beside the rows that are there.

    The temporary table `word` says of which hours the export has spoken, and `files_of_exported` are all files of these
    hours: whoever happened in the same second as somebody who is told of now is paired anew.
    """
    table = f"streams.{stream.name}"
    con.execute(
        "create or replace temp table seconds as select distinct data_type, hour, moment from told "
        "semi join word using (data_type, hour)"
    )
    if con.execute("select 1 from seconds limit 1").fetchone():
        concerned = (
            f"select {table}.rowid as row, record::varchar as record, _source, _webhook_id from {table} join seconds "
            f"on {table}.data_type = seconds.data_type and _hour = seconds.hour "
            f"and date_trunc('second', created_at) = seconds.moment "
            f"where _webhook_id is not null and {_hours_of(con, 'seconds')}"
        )
        con.execute(f"create or replace temp table concerned as {concerned}")
        con.execute(f"delete from {table} where rowid in (select row from concerned where _source = 'webhook')")
        filled = _filled(stream)
        as_found = ", ".join(f"{column.name} = found.{column.name}" for column in filled)
        as_exported = extraction_sql(filled, "(from concerned where _source = 'export')", "row")
        con.execute(
            f"update {table} set webhook = null, _webhook_id = null, {as_found}, "
            f"_load_id = {load_id} from ({as_exported}) as found where {table}.rowid = found.row"
        )
        con.execute(
            "delete from told using seconds where " + _equal("told", "seconds", ("data_type", "hour", "moment"))
        )
        in_seconds = (
            "(data_type, date_trunc('hour', created_at), date_trunc('second', created_at)) in "
            "(select data_type, hour, moment from seconds)"
        )
        con.execute(f"insert into told {_told_sql(con, settings, stream, files_of_exported, in_seconds)}")
    # a file that is read twice would tell everything twice
    _join(con, settings, stream, sorted({*files, *files_of_exported}), load_id)


def told_sql(con: duckdb.DuckDBPyConnection, settings: Settings, stream: Stream, files: Sequence[Path]) -> str:
    """A select of the webhooks of `files` that belong to a stream, with what they are paired by; each digest once, and
    none of the forgotten.
    """
    start = settings.start_date.replace(tzinfo=None)
    return _told_sql(con, settings, stream, files, f"created_at >= timestamp '{start}'")


def _told_sql(
    con: duckdb.DuckDBPyConnection, settings: Settings, stream: Stream, files: Sequence[Path], condition: str
) -> str:
    names = ", ".join(f"'{name}'" for name in settings.enabled_data_types(stream.name))
    columns = tuple(column for column in columns_of(stream) if column.name in _KEY_COLUMNS)
    bodies = (
        f"(select data_type, created_at, digest, received_at, filename as path, {_record('body')} as record "
        f"from {landed_bodies_sql(files)} where data_type in ({names}) and created_at is not null and {condition})"
    )
    before = sum(len(column.paths) for column in columns)
    traces = ", ".join(f"texts[{before + n}]" for n in range(1, len(_TRACES) + 1))
    keep = f"data_type, created_at, digest, received_at, path, concat_ws(' ', {traces}) as trace"
    return (
        "select path, digest, received_at, data_type, date_trunc('hour', created_at) as hour, "
        f"date_trunc('second', created_at) as moment, message_id, campaign_id, user_id, {_EMAIL}, trace, "
        f"{user_key_sql(settings.project_type)} as user_key from ({extraction_sql(columns, bodies, keep, _TRACES)}) "
        f"where not {Gate(con, Tombstones(settings)).refuses(*CORE_NAMES)} "
        "qualify row_number() over (partition by digest order by received_at, path) = 1"
    )


def landed_bodies_sql(files: Sequence[Path]) -> str:
    """The bodies in landed files of webhooks: data_type, created_at, digest, received_at, body, filename."""
    listed = ", ".join(literal(str(file)) for file in files)
    return f"read_parquet([{listed}], filename = true)"


def _join(
    con: duckdb.DuckDBPyConnection, settings: Settings, stream: Stream, files: Sequence[Path], load_id: int
) -> None:
    """Pair `told` with the rows of the export, fill those in, and add what is paired with none and may stay."""
    _pair(con, stream)
    table, columns = f"streams.{stream.name}", columns_of(stream)
    con.execute(
        "create or replace temp table staying as select path, digest, hour from told "
        "left join word using (data_type, hour) where digest not in (select digest from pairs) "
        f"and coalesce(received_at > fetched_at - {_INDEXED_AFTER}, true)"
    )
    _fill_in(con, stream, files, load_id)
    names = ", ".join(column.name for column in columns)
    alone = extraction_sql(columns, _bodies_of(files, "staying"), "data_type, digest, body, hour, record")
    con.execute(
        f"insert into {table} by name select {names}, data_type, digest as event_id, "
        f"{user_key_sql(settings.project_type)} as user_key, record, body as webhook, digest as _webhook_id, "
        "hour as _hour, 'webhook' as _source, now() at time zone 'UTC' as _loaded_at, "
        f"{load_id} as _load_id from ({alone})"
    )


def _fill_in(con: duckdb.DuckDBPyConnection, stream: Stream, files: Sequence[Path], load_id: int) -> None:
    """Put the paired webhooks into their rows: written anew slice by slice, because updates stay in memory."""
    table, filled = f"streams.{stream.name}", _filled(stream)
    (count,) = con.execute("select count(*) from pairs").fetchone() or (0,)
    coalesced = ", ".join(
        f"coalesce({stream.name}.{column.name}, found.{column.name}) as {column.name}" for column in filled
    )
    slices = -(-count // _ROWS_PER_SLICE)
    for number in range(slices):
        con.execute(f"create or replace temp table slice as from pairs where hash(digest) % {slices} = {number}")
        found = extraction_sql(filled, _bodies_of(files, "slice"), "digest, body, row")
        con.execute(
            f"create or replace temp table written as select {stream.name}.* replace ({coalesced}, "
            f"found.body as webhook, found.digest as _webhook_id, {load_id} as _load_id, "
            "now() at time zone 'UTC' as _loaded_at) "
            f"from {table} join ({found}) as found on {stream.name}.rowid = found.row where {_hours_of(con, 'told')}"
        )
        con.execute(f"delete from {table} where rowid in (select row from slice) and {_hours_of(con, 'told')}")
        con.execute(f"insert into {table} by name from written")
    con.execute("drop table if exists written")


def _pair(con: duckdb.DuckDBPyConnection, stream: Stream) -> None:
    con.execute("create or replace temp table pairs (path VARCHAR, digest VARCHAR, row BIGINT)")
    # only rows of the same seconds: few are read, and fewer are parsed
    traces = ", ".join(f"record->>'{path}'" for path in _TRACES)
    con.execute(
        "create or replace temp table exported as "
        f"select * exclude (record), concat_ws(' ', {traces}) as trace from "
        "(select rowid as row, data_type, _hour as hour, date_trunc('second', created_at) as moment, event_id, "
        f"message_id, user_key, user_id, {_EMAIL}, campaign_id, record from streams.{stream.name} "
        f"where _source = 'export' and _webhook_id is null and {_hours_of(con, 'told')}) "
        "semi join told using (data_type, hour, moment)"
    )
    instant = ("data_type", "hour", "moment")
    for each in ROUNDS:
        known = " and ".join(f"{name} is not null" for name in each.known)
        together = ", ".join((*instant, *each.same))
        sides = {
            side: f"(select *, row_number() over (partition by {together} order by trace, {last}) as nth from {side} "
            f"where {known} and {own} not in (select {own} from pairs)"
            f"{' and message_id is null' if each.nameless == side else ''}) as {side}"
            for side, own, last in (("told", "digest", "digest"), ("exported", "row", "event_id"))
        }
        con.execute(
            f"insert into pairs select told.path, told.digest, exported.row from {sides['told']} "
            f"join {sides['exported']} on {_equal('told', 'exported', (*instant, *each.same, 'nth'))}"
        )


def _bodies_of(files: Sequence[Path], chosen: str) -> str:
    return (
        f"(select {chosen}.*, data_type, body, {_record('body')} as record from {landed_bodies_sql(files)} as landed "
        f"join {chosen} on landed.filename = {chosen}.path and landed.digest = {chosen}.digest)"
    )


def _record(body: str) -> str:
    return f"({record_sql(f'cast({body} as json)')})::varchar"


def _filled(stream: Stream) -> tuple[Column, ...]:
    return tuple(column for column in columns_of(stream) if column.name in _NAMES or column.name.startswith("deeplink"))


def _hours_of(con: duckdb.DuckDBPyConnection, table: str) -> str:
    # spelled out, so that DuckDB skips the rest of the table
    found = con.execute(f"select min(hour), max(hour) from {table}").fetchone()
    return f"_hour between timestamp '{found[0]}' and timestamp '{found[1]}'" if found and found[0] else "false"


def _equal(one: str, other: str, names: Sequence[str]) -> str:
    return " and ".join(f"{one}.{name} is not distinct from {other}.{name}" for name in names)
