"""Streams anew from the landing files alone: some hours of one, or all of it. Iterable is not asked for anything."""

from collections.abc import Callable
from datetime import UTC, datetime

import duckdb

from iterable_pipelines.data_types import STREAM, USERS
from iterable_pipelines.hours import Window
from iterable_pipelines.landing.expired import without_expired
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.lake import events_table, settle_view
from iterable_pipelines.streams.load import load_hours, naive, reload_users
from iterable_pipelines.streams.warehouse import Warehouse
from iterable_pipelines.streams.webhooks import reload_untouched
from iterable_pipelines.webhooks.parts import WebhookParts

_HOURS_AT_ONCE = 168


def replay(
    warehouse: Warehouse,
    manifest: Manifest,
    settings: Settings,
    stream: str,
    window: Window | None = None,
    log: Callable[[str], None] = print,
) -> int:
    """Load a stream's landed hours again, those of `window` or all, and take out hours that never landed.

    Every transaction replaces whole hours together with their rows in the load log, so that nobody sees half of one and
    a crash is mended by the next call. Users are merged over all hours, and made anew as a whole. Returns the rows.
    """
    if stream == USERS:
        if window:
            raise ValueError("users are merged over all hours: there is no making some of them anew")
        return reload_users(warehouse, manifest, settings, "rebuild")
    landed = {
        (name, naive(hour)): hour
        for name in settings.enabled_data_types(stream)
        for hour in manifest.current(name)
        if window is None or window.start <= hour < window.end
    }
    _take_out_strays(warehouse, settings, stream, window, set(landed))
    hours, rows = sorted(set(landed.values())), 0
    for at in range(0, len(hours), _HOURS_AT_ONCE):
        some = hours[at : at + _HOURS_AT_ONCE]
        rows += load_hours(warehouse, manifest, settings, stream, some, "rebuild", again=True, log=log).rows
    _tell_anew(warehouse, manifest, settings, stream, window)
    if window is None:
        with warehouse.transaction() as con:
            settle_view(con, settings, STREAM[stream])
    return rows


def _tell_anew(
    warehouse: Warehouse, manifest: Manifest, settings: Settings, stream: str, window: Window | None
) -> None:
    # what only webhooks have told of: the hours of it that no export was loaded of
    there = warehouse.read(f"select distinct _hour from streams.{stream} where _source = 'webhook'")
    hours = WebhookParts(manifest).hours() | {hour.replace(tzinfo=UTC) for (hour,) in there}
    living = without_expired(manifest, stream, hours)
    wanted = [
        hour for hour in living if settings.start_date <= hour and (window is None or window.start <= hour < window.end)
    ]
    for at in range(0, len(wanted), _HOURS_AT_ONCE):
        reload_untouched(warehouse, manifest, settings, stream, wanted[at : at + _HOURS_AT_ONCE])


def _take_out_strays(
    warehouse: Warehouse, settings: Settings, stream: str, window: Window | None, landed: set[tuple[str, datetime]]
) -> None:
    # hours that are in the table and never landed: somebody wrote them by hand, and no load would replace them
    types = list(settings.enabled_data_types(stream))
    within: list[object] = [naive(window.start), naive(window.end)] if window else ["-infinity", "infinity"]
    with warehouse.transaction() as con:
        for table, column, own in ((stream, "_hour", "_source = 'export'"), ("loads", "hour", f"stream = '{stream}'")):
            there = con.execute(
                f"select distinct data_type, {column} from streams.{table} "
                f"where {own} and list_contains(?, data_type) and {column} >= ?::timestamp and {column} < ?::timestamp",
                [types, *within],
            ).fetchall()
            strays = sorted(set(there) - landed)
            if table == "loads":
                _delete(con, table, column, own, strays)
            elif strays:
                spelled = ", ".join(f"({literal(data_type)}, timestamp '{hour}')" for data_type, hour in strays)
                with events_table(con, settings, STREAM[stream], f"from (values {spelled}) as t (data_type, hour)"):
                    _delete(con, table, column, own, strays)


def _delete(
    con: duckdb.DuckDBPyConnection, table: str, column: str, own: str, parts: list[tuple[str, datetime]]
) -> None:
    for part in parts:
        con.execute(f"delete from streams.{table} where {own} and data_type = ? and {column} = ?", part)
