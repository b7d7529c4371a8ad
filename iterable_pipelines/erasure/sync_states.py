"""What syncs know of a person: all of it goes, so that nothing is ever sent of them again, not even to remove them.

Whoever has no state is new to a sync. What keeps that from being sent twice is the tombstone: a plan leaves out the
rows of the forgotten (activation/forgotten.py), as long as they are.
"""

from pathlib import Path

import duckdb

from iterable_pipelines.activation.endpoints import ENDPOINTS
from iterable_pipelines.activation.requests import Change, Request
from iterable_pipelines.activation.state import FOLDER
from iterable_pipelines.erasure.duckdb_rows import changed_rows, erase_from_duckdb
from iterable_pipelines.erasure.errors import Failures
from iterable_pipelines.erasure.files import find_in_files
from iterable_pipelines.erasure.mentions import tellable
from iterable_pipelines.erasure.named import Named
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.store import Erased, Log
from iterable_pipelines.erasure.tombstones import normal, normal_sql
from iterable_pipelines.settings import Settings

# a key is the primary key of a row, or the kind and the value of an identity (compile/members.py)
_BARE_KEY = "regexp_replace({0}, '^(email|userId):', '')"
# what a record says of whom it is, whichever of its two names was the one to go by
_THEIRS = (
    "is_person(case when identity_kind in ('email', 'userId') then identity end) or is_person(payload->>'$.email') "
    "or is_person(payload->>'$.userId') or is_person(payload->>'$.user.email') or is_person(payload->>'$.user.userId')"
)


class SyncStates:
    """`activation/NAME.duckdb`, one file each."""

    name = "sync states"

    def identifiers(self, settings: Settings, scratch: Path) -> list[Path]:
        """Whom records are of, acknowledged ones and those on their way. Raises StoreBusy, once all are looked at."""
        return find_in_files(_states(settings), scratch / "sync_states.parquet", settings.memory_limit)

    def erase(self, settings: Settings, persons: Persons, log: Log) -> list[Erased]:
        """Delete from each, and write it anew. Raises StoreBusy for one that a run has, once the others are done."""

        def forget(con: duckdb.DuckDBPyConnection) -> int:
            return _forget(con, persons)

        erased, failures = list[Erased](), Failures()
        for path, place in _states(settings):
            with failures.of(place):
                erased.append(erase_from_duckdb(path, persons, place, settings.memory_limit, forget))
        failures.tell(erased=erased)
        return erased


def _states(settings: Settings) -> list[tuple[Path, str]]:
    return [(path, f"{FOLDER}/{path.name}") for path in sorted((settings.data_dir / FOLDER).glob("*.duckdb"))]


def _forget(con: duckdb.DuckDBPyConnection, persons: Persons) -> int:
    """Delete what is of the persons; what is in doubt and also of others goes again with the others alone (S7)."""
    names = [normal(each) for each in persons.plain() if tellable(each)]
    con.execute("create or replace temp table telling as select unnest(?::varchar[]) as name", [names])
    con.execute(
        "create or replace temp table their_keys as "
        f"select distinct key, output from (select key, output from acked where {_THEIRS} "
        f"union all select key, output from changes where {_THEIRS})"
    )
    named = f"({_names('key')} or {_names('pk')})"
    con.execute(
        f"create or replace temp table their_changes as select run_id, number from changes where {_THEIRS} or {named}"
    )
    con.execute(
        "create or replace temp table their_requests as select distinct request_id from outbox_rows "
        "join outbox using (request_id) semi join their_changes using (run_id, number)"
    )
    rows = changed_rows(con, f"delete from acked where {_THEIRS} or {named}")
    con.execute(
        "delete from outbox_rows using outbox, their_changes where outbox.request_id = outbox_rows.request_id "
        "and outbox.run_id = their_changes.run_id and outbox_rows.number = their_changes.number"
    )
    for table in ("outcomes", "changes"):
        rows += changed_rows(con, f"delete from {table} where (run_id, number) in (from their_changes)")
    for table in ("issues", "mismatches"):
        rows += changed_rows(con, f"delete from {table} where {named} or (key, output) in (from their_keys)")
    rows += changed_rows(con, f"delete from seen where {named} or key in (select key from their_keys)")
    _pack_again(con, Named.of(persons))
    return rows


def _names(column: str) -> str:
    """Whether a key is, or has as one of its columns, an identifier that means its person wherever it stands."""
    bare = normal_sql(_BARE_KEY.format(column))
    one_of_several = f"exists (from telling where list_contains(string_split({bare}, '|'), name))"
    return f"coalesce({bare} in (from telling), false) or (contains({column}, '|') and {one_of_several})"


def _pack_again(con: duckdb.DuckDBPyConnection, named: Named) -> None:
    """Requests in doubt have their bytes at hand: those of the records that are left."""
    held = con.execute("select request_id, run_id, body from outbox where body is not null").fetchall()
    for request_id, run_id, body in held:
        if not named.stands_in(bytes(body).decode()):
            continue
        left = con.execute(
            "select number, pk, output, endpoint, flags::varchar, identity_kind, identity, payload::varchar "
            "from changes join outbox_rows using (number) where run_id = ? and request_id = ? order by place",
            [run_id, request_id],
        ).fetchall()
        changes = [
            Change(number, pk, output, ENDPOINTS[endpoint], flags or "{}", kind, identity, named.without(payload))
            for number, pk, output, endpoint, flags, kind, identity, payload in left
        ]
        if changes:
            con.execute("update outbox set body = ? where request_id = ?", [Request(changes).body, request_id])
    con.execute(
        "delete from outbox where request_id in (from their_requests) "
        "and request_id not in (select request_id from outbox_rows)"
    )
