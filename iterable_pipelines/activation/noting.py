"""How a plan gets into the state, and what the state remembers of the rows that were looked at."""

from datetime import datetime

from iterable_pipelines.activation.plan import Plan
from iterable_pipelines.activation.source import moment_literal
from iterable_pipelines.activation.state import Workspace

_ACKED = (
    "key, pk, output, endpoint, flags, identity_kind, identity, payload, payload_hash, mapping_version, member, seq, "
    "first_acked_at, last_acked_at, run_id"
)


def note_plan(workspace: Workspace, run_id: str, plan: Plan, moment: datetime) -> None:
    """Write down what a run means to do: for the transaction that also writes the run itself into `state.runs`.

    The changes, a mapping that is new, rows that only the mapping changed for (G10), rows that count as sent
    (`first_run: from_now`), and what is wrong with rows, or why they are skipped: `state.issues` of no output.
    """
    con, at = workspace.con, moment_literal(moment)
    known = con.execute("select 1 from state.mappings where version = ?", [plan.mapping_version]).fetchone()
    if not known:
        con.execute(f"insert into state.mappings values (?, ?, {at})", [plan.mapping_version, plan.mapping])
        # under another mapping every row needs a look
        con.execute("delete from state.seen")
    con.execute("insert into state.changes by name select ? as run_id, * from scratch.changes", [run_id])
    con.execute(
        "update state.acked a set payload_hash = c.payload_hash, mapping_version = ? from scratch.compared c "
        "where c.op = 'rebased' and a.key = c.key and a.output = c.output",
        [plan.mapping_version],
    )
    # a thing that another row names by now is that row's
    con.execute(
        "update state.acked a set pk = c.pk from scratch.compared c where c.op in ('same', 'rebased') "
        "and not c.membership and c.member and c.key = a.key and c.output = a.output and c.pk <> a.pk"
    )
    con.execute(
        f"insert into state.acked ({_ACKED}) select key, pk, output, endpoint, flags, identity_kind, identity, "
        "null, payload_hash, ?, "
        f"true, seq, {at}, {at}, ? from scratch.compared where op = 'baseline'",
        [plan.mapping_version, run_id],
    )
    _note_issues(workspace, plan, at)


def _note_issues(workspace: Workspace, plan: Plan, at: str) -> None:
    con = workspace.con
    con.execute(
        "create or replace temp table found as select pk, code, message, path, severity from scratch.issues union all "
        "select pk, reason, '', '', 'skipped' from scratch.skipped union all "
        "select pk, reason, '', '', if(op = 'refused', 'error', 'skipped') from scratch.compared "
        "where op in ('refused', 'skipped')"
    )
    whole = "or i.code = 'null_primary_key' or i.pk not in (select pk from scratch.snapshot)" if plan.whole else ""
    # these are found in every look, unlike what is wrong with a row by itself
    shared = "i.code like 'duplicate_%' and i.pk in (select pk from scratch.snapshot)"
    con.execute(
        "create or replace temp table former_issues as select pk, code, path, min(first_seen) as first_seen, "
        "max(attempts) as attempts from state.issues where output = '' group by pk, code, path"
    )
    con.execute(
        f"delete from state.issues i where i.output = '' and (({shared}) or i.pk in (select pk from scratch.looked "
        f"union select pk from found) {whole})"
    )
    con.execute(
        "insert into state.issues by name select n.pk as key, n.pk, '' as output, n.code, n.message, n.path, "
        f"n.severity, coalesce(f.first_seen, {at}) as first_seen, {at} as last_seen, "
        "coalesce(f.attempts, 0) + 1 as attempts, "
        "'' as payload_hash, true as terminal from found n left join former_issues f using (pk, code, path)"
    )
    # it has been tried for as long as is worth it
    con.execute(
        "update state.issues i set terminal = true from scratch.compared c where c.op = 'held' and c.key = i.key "
        "and c.output = i.output"
    )
    if plan.whole:
        con.execute(
            "delete from state.issues i where i.output <> '' and i.pk not in (select pk from scratch.snapshot) "
            "and (i.key, i.output) not in (select (key, output) from scratch.compared)"
        )
    # what was refused is not wanted any more
    con.execute(
        "delete from state.issues i where i.output <> '' and exists (from scratch.compared c where c.key = i.key "
        "and c.output = i.output and c.op in ('same', 'rebased'))"
    )


def remember_rows(workspace: Workspace, run_id: str, whole: bool) -> None:
    """Note which rows need no look unless they change: for the transaction that merges the outcomes of this run.

    Not those of which something is pending or worth another try. Needs the scratch file of the run: without it (a run
    that died) nothing is remembered, and the next run looks at those rows again.
    """
    con = workspace.con
    gone = "or pk not in (select pk from scratch.snapshot)" if whole else ""
    con.execute(f"delete from state.seen where pk in (select pk from scratch.looked) {gone}")
    con.execute(
        "create or replace temp table unsettled as select c.key, c.pk from state.changes c left join state.outcomes o "
        "on o.run_id = c.run_id and o.number = c.number where c.run_id = ? and (o.kind is null "
        # whoever is not there, or has unsubscribed, may be there and subscribed tomorrow
        "or o.kind in ('deferred', 'aborted', 'unknown') "
        "or o.code in ('not_in_iterable', 'unsubscribed', 'consent_kept')) union all "
        "select key, pk from state.issues where output <> '' and not terminal",
        [run_id],
    )
    con.execute(
        "insert into state.seen from scratch.looked where pk not in (select pk from unsettled) "
        # another row may have the same identity (I9)
        "and (key is null or key not in (select key from unsettled))"
    )
