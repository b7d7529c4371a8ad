"""A replicated table in PostgreSQL: made, widened, compared and brought up to date, inside the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.postgres import Column, Connection, column_list, copy_bytes, copy_file, fitting, identifier
from iterable_pipelines.replications.changes import HASH, KEY, MOMENT, TRANSACTION, Changes
from iterable_pipelines.replications.errors import ReplicationRefused

_OWN = (
    Column(KEY, "uuid", "", ""),
    Column(HASH, "uuid", "", ""),
    # together with xmin, which PostgreSQL keeps itself, it says whether somebody else has touched the row since
    Column(TRANSACTION, "xid8 default pg_current_xact_id()", "", ""),
    Column(MOMENT, "timestamp with time zone default now()", "", ""),
)
# what each type can hold beside its own values; text holds everything
_HOLDS = {
    "integer": {"smallint"},
    "bigint": {"smallint", "integer"},
    "numeric": {"smallint", "integer", "bigint", "real", "double precision"},
    "double precision": {"smallint", "integer", "real"},
    "timestamp with time zone": {"date"},
}
# a row that somebody else wrote or changed
_FOREIGN = f"({KEY} is null or {TRANSACTION} is null or xmin <> {TRANSACTION}::xid)"


@dataclass
class Target:
    """The table as it is there: type by column in their order, and the primary key; no columns if it is not there."""

    schema: str
    table: str
    columns: dict[str, str] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The quoted name."""
        return f"{identifier(self.schema)}.{identifier(self.table)}"


def find(postgres: Connection, schema: str, table: str, keys: Sequence[str]) -> Target:
    """What is there. Raises ReplicationRefused for a table that no replication made, or one with other keys."""
    if postgres.info.server_version < 130000:
        raise ReplicationRefused("PostgreSQL 13 or newer is needed")
    target = Target(fitting(schema), fitting(table))
    found = postgres.execute(
        "select a.attname, format_type(a.atttypid, a.atttypmod), i.indrelid is not null from pg_attribute a "
        "join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace "
        "left join pg_index i on i.indrelid = c.oid and i.indisprimary and a.attnum = any(i.indkey) "
        "where n.nspname = %s and c.relname = %s and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' "
        "order by a.attnum",
        [target.schema, target.table],
    ).fetchall()
    target.columns = {name: kind for name, kind, _ in found}
    target.keys = [name for name, _, is_key in found if is_key]
    if found and not {each.name for each in _OWN} <= set(target.columns):
        raise ReplicationRefused(f"{target.name} is there already, and no replication has made it: take another `into`")
    if found and set(target.keys) != {fitting(key) for key in keys}:
        raise ReplicationRefused(
            f"{target.name} is keyed by {', '.join(target.keys)}, not by {', '.join(keys)}: drop that table, or put "
            "`keys` back"
        )
    return target


def schema_changes(target: Target, columns: Sequence[Column], keys: Sequence[str]) -> tuple[list[str], list[str]]:
    """The statements that let `target` hold the columns, and a note on each that changes a table that was there."""
    if not target.columns:
        primary = ", ".join(identifier(key) for key in keys)
        return [f"create table {target.name} ({column_list([*columns, *_OWN])}, primary key ({primary}))"], []
    parts, notes = [], []
    for column in columns:
        there = target.columns.get(column.name)
        if there is None:
            parts.append(f"add column {identifier(column.name)} {column.type}")
            notes.append(f"new column {column.name} ({column.type})")
        elif (wider := _holding_both(there, column.type)) != there:
            parts.append(
                f"alter column {identifier(column.name)} type {wider} using {identifier(column.name)}::{wider}"
            )
            notes.append(f"column {column.name} is {wider} now, and was {there}: every row is sent anew")
    here = {each.name for each in (*columns, *_OWN)}
    notes += [f"column {name} is not here any more: it stays, NULL" for name in target.columns if name not in here]
    return [f"alter table {target.name} {', '.join(parts)}"] if parts else [], notes


def make_schema(postgres: Connection, target: Target) -> None:
    """Make the schema unless it is there: the right to make one is not needed then."""
    if postgres.execute("select 1 from pg_namespace where nspname = %s", [target.schema]).fetchone() is None:
        postgres.execute(f"create schema {identifier(target.schema)}")


def fetch_marks(postgres: Connection, target: Target, to: Path) -> None:
    """Write KEY and HASH of every row to `to`, as CSV; a row that somebody else has changed has no HASH."""
    marks = f"select {KEY}, case when not {_FOREIGN} then {HASH} end from {target.name} where {KEY} is not null"
    with to.open("wb") as file, postgres.cursor().copy(f"copy ({marks}) to stdout (format csv)") as copy:
        for line in copy:
            file.write(line)


def count_rows(postgres: Connection, target: Target) -> int:
    """How many rows the table has."""
    found = postgres.execute(f"select count(*) from {target.name}").fetchone()
    return found[0] if found else 0


def count_inserted_by_others(postgres: Connection, target: Target) -> int:
    """How many rows were written by hand: without a KEY, or with that of another row."""
    found = postgres.execute(f"select count(*) - count(distinct {KEY}) from {target.name}").fetchone()
    return found[0] if found else 0


def send(postgres: Connection, target: Target, changes: Changes, is_new: bool) -> tuple[int, int]:
    """Insert and update what was sent, then delete what is gone or not ours. Returns rows sent and rows deleted."""
    if is_new:
        return copy_file(postgres, target.name, changes.sent), 0
    postgres.execute(f"create temp table incoming (like {target.name} including defaults) on commit drop")
    sent = copy_file(postgres, "incoming", changes.sent)
    crashpoint("replica_sent")
    # a column that is not here any more is NULL in `incoming`, and so becomes NULL there
    names = [identifier(name) for name in target.columns]
    listed, updates = ", ".join(names), ", ".join(f"{name} = excluded.{name}" for name in names)
    postgres.execute(
        f"insert into {target.name} ({listed}) select {listed} from incoming "
        f"on conflict ({', '.join(map(identifier, target.keys))}) do update set {updates}"
    )
    postgres.execute("create temp table gone (row_key uuid) on commit drop")
    copy_bytes(postgres, "copy gone from stdin (format csv)", changes.gone)
    deleted = postgres.execute(
        f"delete from {target.name} where {KEY} in (select row_key from gone) or {_FOREIGN}"
    ).rowcount
    return sent, deleted


def _holding_both(there: str, here: str) -> str:
    return next(
        kind
        for kind in (there, here, "numeric", "text")
        if kind == "text" or all(each == kind or each in _HOLDS.get(kind, ()) for each in (there, here))
    )
