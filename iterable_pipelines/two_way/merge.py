"""What a run did becomes what the state knows: each function is one transaction, and may be done again."""

from datetime import datetime
from pathlib import Path

import duckdb

from iterable_pipelines.activation.merge import kinds_of
from iterable_pipelines.activation.outbox import moment
from iterable_pipelines.activation.outcomes import newest_outcomes
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.quoting import literal
from iterable_pipelines.two_way.compare import resolve_keys

# Iterable shows what was before our write
_WAITS = "coalesce(p.awaits and d.seen in ('unsettled', 'again', 'not_applied'), false)"
_UPSERT = "delete from state.pairs where key in (select key from {rows}); insert into state.pairs by name from {rows}"


def write_down(workspace: Workspace, run_id: str, now: datetime) -> None:
    """Before anything is changed: what is agreed already, and what is going to be sent."""
    with workspace.transaction() as con:
        resolve_keys(con)
        con.execute(
            "insert into state.finished by name select $run as run_id, 'running' as status, $now as started_at",
            {"run": run_id, "now": now},
        )
        # our write shows, or something later does: it is awaited no more
        con.execute(
            "update state.pairs p set awaits = false, in_doubt = false, earlier = [], remote_raw = null "
            "from scratch.decided d where d.key = p.key and p.awaits and d.seen in ('settled', 'overtaken')"
        )
        con.execute(
            "create or replace temp table agreed as select d.key, coalesce(l.alias, r.alias, p.alias) as alias, "
            f"d.local_hash, if({_WAITS}, p.remote_hash, d.remote_hash) as remote_hash, l.raw as local_raw, "
            f"if({_WAITS}, null, r.raw) as remote_raw, {_WAITS} as awaits, coalesce(p.earlier, []) as earlier, "
            "p.sent_at, coalesce(p.attempts, 0) as attempts, coalesce(p.in_doubt, false) as in_doubt, "
            "$now as agreed_at from scratch.decided d left join scratch.local l using (key) "
            "left join scratch.remote r using (key) left join scratch.pairs p using (key) "
            f"where d.action in ('agree', 'keep') or (d.action = 'forget' and {_WAITS})",
            {"now": now},
        )
        con.execute(_UPSERT.format(rows="agreed"))
        con.execute(
            "delete from state.pairs where key in (select key from scratch.decided where action = 'forget') "
            "and key not in (select key from agreed)"
        )
        # a deletion that shows
        con.execute("delete from state.pairs where local_hash = '' and remote_hash = '' and not awaits")
        for side in ("local", "remote"):
            # another text that says the same: the next run need not look at it
            con.execute(
                f"update state.pairs p set {side}_raw = s.raw from scratch.{side} s "
                f"join scratch.{side}_hash h using (key) "
                f"where p.key = s.key and h.hash = p.{side}_hash and p.{side}_raw is distinct from s.raw"
            )
        con.execute(
            "insert into state.changes by name select $run as run_id, number, 'change' as op, key, key as pk, "
            "op as output, endpoint, flags::json as flags, stage, payload::json as payload, 'record' as identity_kind, "
            "key as identity, '' as payload_hash, 0 as mapping_version, true as member, 0 as seq from scratch.outgoing",
            {"run": run_id},
        )
        con.execute(
            "insert into state.sent by name select $run as run_id, o.number, o.key, "
            "coalesce(l.alias, p.alias) as alias, d.local_hash as hash, l.raw as raw, d.attempts, "
            "list_distinct(coalesce(if(p.awaits, p.earlier, []), []) || [d.remote_hash] "
            "|| if(p.awaits, [p.remote_hash], [])) as earlier from scratch.outgoing o "
            "join scratch.decided d using (key) left join scratch.local l using (key) "
            "left join scratch.pairs p using (key)",
            {"run": run_id},
        )
        con.execute(
            "create or replace temp table problems as select p.key, p.code, p.message, p.local::json as local, "
            "p.remote::json as remote, coalesce(b.first_seen, $now) as first_seen from scratch.problems p "
            "left join (select key, code, min(first_seen) as first_seen from state.problems group by all) b "
            "on b.key = p.key and b.code = p.code",
            {"now": now},
        )
        con.execute("delete from state.problems")
        con.execute("insert into state.problems by name from problems")
        _note(
            con,
            run_id,
            now,
            "select key, action, 'done' as outcome from scratch.decided where action in ('agree', 'forget', 'keep')",
        )
        # the others are kept until what they decided is done
        con.execute(
            "delete from state.resolutions where key not in (select key from scratch.decided "
            "where action in ('to_remote', 'to_local'))"
        )


def merge_local(workspace: Workspace, run_id: str, applied: Path) -> None:
    """The rows of the table that were written are what Iterable has."""
    now = moment()
    with workspace.transaction() as con:
        con.execute(
            "create or replace temp table written as select d.key, coalesce(r.alias, l.alias) as alias, "
            "d.remote_hash as local_hash, d.remote_hash, null::text as local_raw, r.raw as remote_raw, "
            "$now as agreed_at, []::text[] as earlier, d.action from scratch.decided d "
            "left join scratch.local l using (key) left join scratch.remote r using (key) "
            "where d.action in ('to_local', 'delete_local') "
            f"and d.key in (select key from read_parquet({literal(str(applied))}))",
            {"now": now},
        )
        con.execute("delete from state.pairs where key in (select key from written)")
        con.execute("delete from state.resolutions where key in (select key from written)")
        con.execute("insert into state.pairs by name select * exclude (action) from written where action = 'to_local'")
        _note(
            con,
            run_id,
            now,
            "select key, action, if(key in (select key from written), 'done', 'changed_meanwhile') "
            "as outcome from scratch.decided where action in ('to_local', 'delete_local')",
        )


def merge_sent(workspace: Workspace) -> None:
    """What became of what was sent, of every run that was not merged, killed ones included (S7).

    What may have arrived is in doubt: Iterable may show it or what was before, and then it is sent again.
    """
    now = moment()
    standing = (
        f"case when o.kind in ({kinds_of('acknowledged')}) then 'acknowledged' when o.kind in "
        f"({kinds_of('rejected')}) then 'rejected' when s.number in (select number from state.outbox_rows r "
        "join state.outbox b using (request_id) where b.run_id = s.run_id and b.state in ('sending', 'unknown')) "
        "then 'in_doubt' else 'unsent' end"
    )
    with workspace.transaction() as con:
        con.execute(
            f"create or replace temp table standing as select s.*, c.output as action, {standing} as standing, o.code, "
            "o.message, coalesce(o.sent_at, $now) as sent_at from state.sent s "
            "join state.changes c using (run_id, number) "
            f"left join {newest_outcomes('true')} o using (run_id, number)",
            {"now": now},
        )
        con.execute(
            "create or replace temp table arrived as select key, alias, hash as local_hash, hash as remote_hash, "
            "raw as local_raw, true as awaits, earlier, sent_at, attempts, standing = 'in_doubt' as in_doubt, "
            "$now as agreed_at from standing where standing in ('acknowledged', 'in_doubt')",
            {"now": now},
        )
        con.execute(_UPSERT.format(rows="arrived"))
        con.execute("delete from state.resolutions where key in (select key from arrived)")
        con.execute("delete from state.refused where key in (select key from standing)")
        con.execute(
            "insert into state.refused by name select key, hash, coalesce(code, '') as code, coalesce(message, '') as "
            "message, $now as noted_at from standing where standing = 'rejected'",
            {"now": now},
        )
        con.execute(
            "insert into state.problems by name select key, code, message, $now as first_seen from standing "
            "where standing = 'rejected'",
            {"now": now},
        )
        con.execute(
            "insert into state.done by name select run_id, key, action, standing as outcome, code, message, "
            "$now as noted_at from standing",
            {"now": now},
        )
        for name in ("sent", "changes", "outcomes", "outbox", "outbox_rows"):
            con.execute(f"delete from state.{name}")


def _note(con: duckdb.DuckDBPyConnection, run_id: str, now: datetime, rows: str) -> None:
    con.execute(
        f"insert into state.done by name select $run as run_id, *, $now as noted_at from ({rows})",
        {"run": run_id, "now": now},
    )
