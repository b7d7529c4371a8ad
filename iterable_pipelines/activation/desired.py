"""What Iterable should have: the rows that need a look go through the compiler, into tables of the scratch file."""

import json
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from iterable_pipelines.activation.compile.compiler import Acknowledged, Compiler
from iterable_pipelines.activation.endpoints import ENDPOINTS
from iterable_pipelines.activation.records import Compiled, Identity, Record, payload_hash, wire
from iterable_pipelines.activation.snapshot import Snapshot, rows_of
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.quoting import literal

_RECORD: list[tuple[str, pa.DataType]] = [
    ("key", pa.string()),
    ("pk", pa.string()),
    ("output", pa.string()),
    ("endpoint", pa.string()),
    ("flags", pa.string()),
    ("stage", pa.int64()),
    ("needs", pa.string()),
    ("moment", pa.int64()),
    ("identity_kind", pa.string()),
    ("identity", pa.string()),
    ("payload", pa.string()),
    ("payload_hash", pa.string()),
    ("seq", pa.int64()),
    # whether what counts is that the key is there (P5), not what the payload says
    ("membership", pa.bool_()),
]
_ISSUE = [(name, pa.string()) for name in ("pk", "code", "message", "path", "severity")]
_SKIPPED = [("pk", pa.string()), ("reason", pa.string())]
_LOOKED = [("pk", pa.string()), ("source_hash", pa.string()), ("key", pa.string())]
# keys that several rows carry, where only one may
_CONTESTED = [("key", pa.string())]
_SQL = {pa.string(): "text", pa.int64(): "bigint", pa.bool_(): "boolean"}

# an acknowledged record as a compiler takes it
ACKNOWLEDGED = (
    "struct_pack(key := {0}.key, pk := {0}.pk, output := {0}.output, kind := {0}.identity_kind, "
    "identity := {0}.identity, payload := {0}.payload::varchar, seq := {0}.seq, result := {0}.result)"
)


def compile_rows(workspace: Workspace, snapshot: Snapshot, compiler: Compiler, everything: bool) -> None:
    """Fill `scratch.desired`, `scratch.issues` (errors and warnings of rows), `scratch.skipped` and `scratch.looked`.

    Rows that were seen as they are now are not compiled, unless `everything` is, or Iterable's side is in doubt.
    """
    con = workspace.con
    unseen = "" if everything else _UNSEEN
    before = f"(select {ACKNOWLEDGED.format('a')} from state.acked a where a.key = s.pk and a.output = 'user' limit 1)"
    sql = (
        f"select pk, source_hash, {before if compiler.needs_before else 'null'} as before, row from scratch.snapshot s "
        f"where pk not in (from scratch.duplicates) {unseen}"
    )
    found = Tables()
    found.create(con)
    create_table(con, "contested", _CONTESTED)
    for batch in rows_of(workspace, snapshot, sql):
        for (pk, source_hash, acknowledged), row in batch:
            before_it = acknowledged_of(acknowledged) if acknowledged else None
            found.take(pk, source_hash, compiler.compile(pk, row, before=before_it))
        found.flush(con)
    _refuse_keys(con, snapshot)


def _refuse_keys(con: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> None:
    """Rows without a primary key, and all rows that share one: nobody knows which of them is right (section 2)."""
    con.execute(
        "insert into scratch.issues select '', 'null_primary_key', 'the primary key is NULL', '', 'error' "
        "from range(?)",
        [snapshot.nulls],
    )
    con.execute(
        "insert into scratch.issues select pk, 'duplicate_primary_key', 'another row has the same primary key', '', "
        "'error' from scratch.snapshot semi join scratch.duplicates using (pk)"
    )


def refuse_shared_identities(workspace: Workspace) -> None:
    """Take out all rows that are about one user, and say so (X44); one that was sent before keeps what Iterable has."""
    con = workspace.con
    con.execute(
        "create or replace temp table shared as select d.pk, d.key from scratch.desired d join "
        "(select identity_kind, identity from (select pk, identity_kind, identity from scratch.desired "
        "where output = 'user' union all select a.pk, a.identity_kind, a.identity from state.acked a "
        "semi join scratch.snapshot s on s.pk = a.pk where a.output = 'user' and a.member "
        "and a.pk not in (select pk from scratch.looked)) group by all having count(*) > 1) i "
        "on (d.identity_kind, d.identity) = (i.identity_kind, i.identity) where d.output = 'user'"
    )
    _refuse_shared(con, "duplicate_identity", "another row is about the same user")


def refuse_shared_things(workspace: Workspace, code: str) -> None:
    """Take out all rows that are about one thing, such as an item of a catalog: nobody knows which of them is right.

    What Iterable has of it stays. Rows that were seen as they are count too, though they are not compiled.
    """
    con = workspace.con
    con.execute(
        "create or replace temp table shared as with named as (select pk, key from scratch.desired union "
        "select e.pk, e.key from state.seen e semi join scratch.snapshot s on s.pk = e.pk "
        "and s.source_hash = e.source_hash where e.key is not null and e.pk not in (select pk from scratch.looked)) "
        "select pk, key from named semi join (select key from named group by key having count(*) > 1) using (key)"
    )
    _refuse_shared(con, code, "another row is about the same one")


def _refuse_shared(con: duckdb.DuckDBPyConnection, code: str, message: str) -> None:
    con.execute("delete from scratch.desired where pk in (select pk from shared)")
    con.execute(
        f"insert into scratch.issues select distinct pk, {literal(code)}, {literal(message)}, '', 'error' from shared"
    )
    # whether they are alone by the next time they themselves do not tell
    con.execute("delete from scratch.looked where pk in (select pk from shared)")
    # the rows that it was sent for may be gone: others want it
    con.execute("insert into scratch.contested select distinct key from shared")


_UNSEEN = (
    "and (not exists (from state.seen e where e.pk = s.pk and e.source_hash = s.source_hash) "
    "or s.pk in (select pk from state.acked where in_doubt) or s.pk in (select e.pk from state.seen e semi join "
    "(from state.acked where in_doubt) a on a.key = e.key))"
)


@dataclass
class Tables:
    """Rows of the scratch tables on their way into them."""

    desired: list[tuple[Any, ...]] = field(default_factory=list)
    issues: list[tuple[Any, ...]] = field(default_factory=list)
    skipped: list[tuple[Any, ...]] = field(default_factory=list)
    looked: list[tuple[Any, ...]] = field(default_factory=list)

    def create(self, con: duckdb.DuckDBPyConnection) -> None:
        """Make the tables, empty."""
        for name, columns in _TABLES.items():
            create_table(con, name, columns)

    def take(self, pk: str, source_hash: str, compiled: Compiled) -> None:
        """Note what one row gives."""
        failed = False
        for each in compiled.issues:
            failed = failed or each.severity == "error"
            self.issues.append((pk, each.code, each.message, each.path, each.severity))
        if compiled.skipped:
            self.skipped.append((pk, compiled.skipped))
        keys = set()
        for record in () if failed else compiled.records:
            self.desired.append(record_row(pk, record))
            keys.add(record.key or pk)
        self.looked.extend((pk, source_hash, key) for key in keys or (None,))

    def flush(self, con: duckdb.DuckDBPyConnection) -> None:
        """Write what was taken into the tables."""
        for name, columns in _TABLES.items():
            insert(con, name, columns, getattr(self, name))
            getattr(self, name).clear()


_TABLES = {"desired": _RECORD, "issues": _ISSUE, "skipped": _SKIPPED, "looked": _LOOKED}


def record_row(pk: str, record: Record, seq: int = 0) -> tuple[Any, ...]:
    """A record as `scratch.desired` has it."""
    identity = record.identity
    return (
        record.key or pk,
        pk,
        record.output,
        record.endpoint,
        wire(record.flags) if record.flags else "{}",
        ENDPOINTS[record.endpoint].stage,
        record.needs,
        record.moment,
        identity.kind if identity else None,
        identity.value if identity else None,
        wire(record.payload),
        payload_hash(record),
        seq,
        record.key not in ("", pk) and not (identity and identity.is_thing),
    )


def create_table(con: duckdb.DuckDBPyConnection, name: str, columns: list[tuple[str, pa.DataType]]) -> None:
    """Make a table of the scratch file, empty."""
    con.execute(f"create table scratch.{name} ({', '.join(f'{column} {_SQL[kind]}' for column, kind in columns)})")


def create_records(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Make a table of the scratch file for records, empty."""
    create_table(con, name, _RECORD)


def insert_records(con: duckdb.DuckDBPyConnection, name: str, rows: list[tuple[Any, ...]]) -> None:
    """Append records, as `record_row` gives them, to a table that is like `scratch.desired`."""
    insert(con, name, _RECORD, rows)


def insert(
    con: duckdb.DuckDBPyConnection, name: str, columns: list[tuple[str, pa.DataType]], rows: list[tuple[Any, ...]]
) -> None:
    """Append rows to a table of the scratch file."""
    if not rows:
        return
    arrays = [pa.array(each, kind) for each, (_, kind) in zip(zip(*rows, strict=True), columns, strict=True)]
    con.register("batch", pa.table(arrays, names=[column for column, _ in columns]))
    con.execute(f"insert into scratch.{name} from batch")
    con.unregister("batch")


def acknowledged_of(found: dict[str, Any]) -> Acknowledged:
    """An acknowledged record from the struct that ACKNOWLEDGED gives."""
    identity = Identity(found["kind"], found["identity"]) if found["kind"] else None
    payload = json.loads(found["payload"] or "{}")
    result = json.loads(found["result"] or "{}")
    return Acknowledged(found["key"], found["pk"], found["output"], identity, payload, found["seq"], result)
