"""A complete listing into its table: new and changed rows are written, the vanished marked, nothing is deleted."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from iterable_pipelines.objects.declarations import ObjectType
from iterable_pipelines.objects.tables import fresh_sql, own_columns
from iterable_pipelines.streams.warehouse import Warehouse


@dataclass(frozen=True)
class Stored:
    """Rows in the listing, rows that are new or say something else than before, rows that are not listed any more."""

    rows: int
    changed: int
    gone: int


def store(warehouse: Warehouse, kind: ObjectType, listing: Path, requests: int, run_id: str) -> Stored:
    """Upsert the complete `listing` (what `fetch` writes) in one transaction, together with its row in the refresh log.

    Only rows that changed get a new `_load_id`. Raises WarehouseFailed; nothing is stored then.
    """
    with warehouse.transaction() as con:
        con.execute(f"create or replace temp table fresh as {fresh_sql(kind)}", [str(listing)])
        con.execute(
            "create or replace temp table differing as select fresh.* from fresh "
            f"left join objects.{kind.name} as stored using (id) "
            f"where stored.id is null or stored._gone_at is not null or ({_said('fresh', kind)}) "
            f"is distinct from ({_said('stored', kind)})"
        )
        rows, changed = _count(con, "fresh"), _count(con, "differing")
        vanished = f"objects.{kind.name} as stored where _gone_at is null and id not in (select id from fresh)"
        gone = _count(con, vanished)
        if changed or gone:
            load_id = con.execute("select nextval('streams.load_ids')").fetchone()[0]  # type: ignore[index]
            con.execute(
                f"insert or replace into objects.{kind.name} by name "
                f"select *, now() at time zone 'UTC' as _loaded_at, {load_id} as _load_id, "
                "cast(null as timestamp) as _gone_at from differing"
            )
            con.execute(
                f"update objects.{kind.name} set _gone_at = now() at time zone 'UTC', _load_id = {load_id} "
                "where _gone_at is null and id not in (select id from fresh)"
            )
        con.execute(
            "insert into objects.refreshes values (?, now() at time zone 'UTC', ?, ?, ?, ?, ?)",
            [kind.name, rows, changed, gone, requests, run_id],
        )
    return Stored(rows, changed, gone)


def _said(table: str, kind: ObjectType) -> str:
    # columns follow from the record, except those that follow from the question
    names = ["record", *(name for name in own_columns(kind) if name in kind.asked)]
    return " || '|' || ".join(f"{table}.{name}::VARCHAR" for name in names)


def _count(con: duckdb.DuckDBPyConnection, source: str) -> int:
    return int(con.execute(f"select count(*) from {source}").fetchone()[0])  # type: ignore[index]
