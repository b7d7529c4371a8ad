"""What was fetched into its table: new and changed rows are written, the vanished marked, nothing is deleted."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from iterable_pipelines.objects.frames import as_arrow, check_columns
from iterable_pipelines.objects.history import keep_history
from iterable_pipelines.objects.lines import Fetched
from iterable_pipelines.objects.object_type import Listing, Metrics, ObjectType, OneByOne
from iterable_pipelines.objects.tables import fresh_sql, same_key, stored_columns
from iterable_pipelines.streams.warehouse import Warehouse

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Stored:
    """Rows that are there now, rows that are new or say something else than before, rows that are gone since.

    `unreadable` came without a usable key and lie in `objects.unreadable`; `untyped` values did not fit their column
    and stand in `record` only, as all `other_fields` do.
    """

    rows: int = 0
    changed: int = 0
    gone: int = 0
    unreadable: int = 0
    untyped: int = 0
    other_fields: frozenset[str] = frozenset()

    def __add__(self, later: "Stored") -> "Stored":
        """This part of a refresh and a later one together."""
        return Stored(
            later.rows,
            self.changed + later.changed,
            self.gone + later.gone,
            self.unreadable + later.unreadable,
            self.untyped + later.untyped,
            self.other_fields | later.other_fields,
        )


def store(
    warehouse: Warehouse, kind: ObjectType, fresh: "Path | pd.DataFrame", run_id: str, fetched: Fetched | None = None
) -> Stored:
    """Upsert `fresh`, the file that `fetch` wrote or a frame of its rows, in one transaction with the refresh log.

    Only rows that changed get a new `_load_id`. Raises WarehouseFailed, FrameRefused; nothing is stored then.
    """
    fetched = fetched or Fetched(requests=1)
    with warehouse.transaction() as con:
        _take(con, kind, fresh)
        unreadable = _set_aside(con, kind)
        con.execute(
            "create or replace temp table differing as select fresh.* from fresh "
            f"left join objects.{kind.name} as stored using ({', '.join(kind.key)}) "
            f"where stored._loaded_at is null or stored._gone_at is not null or {_differs(kind)}"
        )
        changed = _count(con, "differing")
        vanished = f"_gone_at is null and {_vanished(kind, fetched)}"
        gone = _count(con, f"objects.{kind.name} as stored where {vanished}")
        if changed or gone:
            load_id = con.execute("select nextval('streams.load_ids')").fetchone()[0]  # type: ignore[index]
            con.execute(
                f"insert or replace into objects.{kind.name} by name "
                f"select *, now() at time zone 'UTC' as _loaded_at, {load_id} as _load_id, "
                "cast(null as timestamp) as _gone_at from differing"
            )
            con.execute(
                f"update objects.{kind.name} as stored set _gone_at = now() at time zone 'UTC', _load_id = {load_id} "
                f"where {vanished}"
            )
        if kind.history:
            keep_history(con, kind)
        rows = _count(con, f"objects.{kind.name} where _gone_at is null")
        con.execute(
            "insert into objects.refreshes values (?, now() at time zone 'UTC', ?, ?, ?, ?, ?)",
            [kind.name, rows, changed, gone, fetched.requests, run_id],
        )
        return Stored(rows, changed, gone, unreadable, _count_untyped(con, kind), _other_fields(con, kind))


def _take(con: duckdb.DuckDBPyConnection, kind: ObjectType, fresh: "Path | pd.DataFrame") -> None:
    if not isinstance(fresh, Path):
        check_columns(fresh, stored_columns(kind), f"objects.{kind.name}")
        con.register("frame", as_arrow(fresh))
        columns = ", ".join(f"cast({name} as {sql_type}) as {name}" for name, sql_type in stored_columns(kind).items())
        con.execute(f"create or replace temp table fresh as select {columns}, null as _asked from frame")
        return
    con.execute(f"create or replace temp table fresh as {fresh_sql(kind, asked=True)}", [str(fresh)])
    con.execute(
        "create or replace temp table answer as select json_extract_string(json, '$.question') as question, "
        "json_extract_string(json, '$.version') as version, json_extract_string(json, '$.outcome') as outcome "
        "from read_ndjson_objects(?) where json_exists(json, '$.question') "
        "qualify row_number() over (partition by question order by cast(json_extract(json, '$.line') as BIGINT) desc) "
        "= 1",
        [str(fresh)],
    )
    con.execute(
        "insert or replace into objects.asked select ?, question, version, outcome, now() at time zone 'UTC' "
        "from answer",
        [kind.name],
    )


def _set_aside(con: duckdb.DuckDBPyConnection, kind: ObjectType) -> int:
    """Rows that cannot be told apart are kept as they came, beside the table, until the same is answered again."""
    keyless = " or ".join(f"{name} is null" for name in kind.key)
    count = _count(con, f"fresh where {keyless}")
    answered = "asked in (select json(question) from answer where outcome = '')"
    # a listing is asked for as a whole
    again = "true" if isinstance(kind.read, Listing) else answered
    con.execute(f"delete from objects.unreadable where name = ? and {again}", [kind.name])
    if count:
        con.execute(
            "insert into objects.unreadable by name select ? as name, record, now() at time zone 'UTC' as _loaded_at, "
            f"_asked as asked from fresh where {keyless}",
            [kind.name],
        )
        con.execute(f"delete from fresh where {keyless}")
    con.execute("alter table fresh drop column _asked")
    return count


def _differs(kind: ObjectType) -> str:
    # columns follow from the record, except those that follow from the question
    names = ["record", *(column.name for column in kind.columns if column.asked)]
    return " or ".join(f"fresh.{name}::VARCHAR is distinct from stored.{name}::VARCHAR" for name in names)


def _vanished(kind: ObjectType, fetched: Fetched) -> str:
    absent = f"not exists (select 1 from fresh where {same_key(kind, 'fresh', 'stored')})"
    if isinstance(kind.read, OneByOne):
        return kind.read.gone
    if isinstance(kind.read, Listing) and fetched.complete:
        return absent
    if isinstance(kind.read, Metrics):
        # a figure that its campaign has no more, and all of a campaign that is gone
        return (
            "(campaign_id in (select id from objects.campaigns where campaigns._gone_at is not null) or "
            "(campaign_id in (select cast(json_extract_string(question, '$.campaignId') as BIGINT) from answer "
            f"where outcome = '') and {absent}))"
        )
    return "false"


def _count_untyped(con: duckdb.DuckDBPyConnection, kind: ObjectType) -> int:
    plain = {column.field_name for column in kind.columns if column.type == "VARCHAR"}
    counts = [
        f"count(*) filter ({column.name} is null and "
        f"nullif(json_extract_string(record, '$.{column.field_name}'), '') is not null)"
        for column in kind.columns
        if not column.asked and column.field_name not in plain
    ]
    return _count(con, "fresh", " + ".join(counts)) if counts else 0


def _other_fields(con: duckdb.DuckDBPyConnection, kind: ObjectType) -> frozenset[str]:
    known = [column.field_name for column in kind.columns]
    found = con.execute(
        "select distinct field from (select unnest(json_keys(record)) as field from fresh) "
        "where not list_contains(?, field)",
        [known],
    )
    return frozenset(field for (field,) in found.fetchall())


def _count(con: duckdb.DuckDBPyConnection, source: str, what: str = "count(*)") -> int:
    return int(con.execute(f"select {what} from {source}").fetchone()[0])  # type: ignore[index]
