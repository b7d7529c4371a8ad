"""What Iterable acknowledged becomes the state that the next plan compares with (S4, S5). One transaction, SQL only.

Merging a run twice gives the same: a run that died is merged when the next one begins.
"""

import duckdb

from iterable_pipelines.activation.noting import remember_rows
from iterable_pipelines.activation.outcomes import RETRY_HORIZON_DAYS, STANDING, TRIED_AGAIN, newest_outcomes
from iterable_pipelines.activation.plan import Plan
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.quoting import literal

_RECORD = (
    "key, pk, output, endpoint, flags, identity_kind, identity, payload, payload_hash, mapping_version, member, seq, "
    "noted_at as first_acked_at, noted_at as last_acked_at, run_id, request_id, result"
)
# when a removal of ours was acknowledged, and when one was tried of which nobody knows; NULL for anything else
_EXIT_AT = "if(endpoint = 'unsubscribe' and not member, noted_at, null)"
_EXIT_TRIED_AT = "if(result.endpoint = 'unsubscribe', tried_at, null)"
# changes with the newest that became of them
_RESULT = f"""
    create or replace temp table result as
    select c.*, o.* exclude (run_id, number),
        -- a run is merged again for what was answered after it; what was then may be otherwise by now
        coalesce(o.noted_at > (select finished_at from state.runs where run_id = $run), true) as is_news
    from (from state.changes where run_id = $run) c
    left join {newest_outcomes("run_id = $run")} o using (number)
"""


def kinds_of(standing: str) -> str:
    """The kinds of outcome of that standing, as SQL writes a list."""
    return ", ".join(literal(kind) for kind, each in STANDING.items() if each == standing)


_SETTLED = f"kind in ({kinds_of('acknowledged')}, {kinds_of('rejected')}, {kinds_of('skipped')})"


def merge(workspace: Workspace, run_id: str, planned: Plan | None = None) -> None:
    """Bring a run's outcomes into `acked`, `issues` and `seen`. `planned`: its plan, if its scratch file is here."""
    again = ", ".join(map(literal, sorted(TRIED_AGAIN)))
    parameters = {"run": run_id}
    with workspace.transaction() as con:
        con.execute(_RESULT, parameters)
        con.execute(
            "create or replace temp table doubtful as select number, min(sent_at) as tried_at from state.outbox_rows "
            "join state.outbox using (request_id) where run_id = $run and state in ('sending', 'split', 'unknown') "
            f"and number not in (select number from result where {_SETTLED}) group by number",
            parameters,
        )
        acknowledged = f"kind in ({kinds_of('acknowledged')})"
        # the newest of a key and output counts: a row may have sent two
        con.execute(
            f"create or replace temp table newly as select {_RECORD}, number, "
            f"{_EXIT_AT} as exits_from, exits_from as exits_until from result "
            f"where {acknowledged} and payload is not null and is_news "
            "qualify row_number() over (partition by key, output order by number desc) = 1"
        )
        con.execute(
            "update newly set first_acked_at = coalesce(a.first_acked_at, newly.first_acked_at), "
            "result = coalesce(newly.result, a.result), "
            "exits_from = if(newly.exits_from is null, null, coalesce(a.exits_from, newly.exits_from)) "
            "from state.acked a "
            "where a.key = newly.key and a.output = newly.output"
        )
        con.execute("delete from state.acked a using newly where a.key = newly.key and a.output = newly.output")
        con.execute("insert into state.acked by name select * exclude (number), false as in_doubt from newly")
        # S7: Iterable may have it or not; the next plan sends what is wanted then, whatever that is
        con.execute(
            "update state.acked set in_doubt = true, "
            f"exits_from = coalesce(acked.exits_from, {_EXIT_TRIED_AT}), "
            f"exits_until = coalesce({_EXIT_TRIED_AT}, acked.exits_until) from result join doubtful using (number) "
            "where acked.key = result.key and acked.output = result.output"
        )
        con.execute(
            f"insert into state.acked by name select {_RECORD.partition(', noted_at')[0]}, run_id, request_id, "
            "true as in_doubt from result join doubtful using (number) "
            "where (key, output) not in (select (key, output) from state.acked) "
            "qualify row_number() over (partition by key, output order by number desc) = 1"
        )
        # 0.17: of whom Iterable has forgotten, nothing is kept here either
        con.execute(
            "update state.acked a set payload = null, identity = null, member = false, in_doubt = false "
            "from result r where r.code = 'user_forgotten' and r.is_news and a.key = r.key and a.output = r.output"
        )
        _merge_issues(con, again)
        # whoever comes back as he was has to be looked at
        con.execute("delete from state.seen where key in (select key from result where op = 'remove')")
        if planned is None:
            con.execute("delete from state.seen where pk in (select pk from result)")
        else:
            remember_rows(workspace, run_id, planned.whole)
        con.execute(
            "update state.outbox set state = 'unknown' where run_id = $run and state in ('sending', 'split') "
            "and body is null",
            parameters,
        )
        con.execute("update state.runs set merged = true where run_id = $run", parameters)
        for each in ("result", "doubtful", "newly"):
            con.execute(f"drop table {each}")


def _merge_issues(con: duckdb.DuckDBPyConnection, again: str) -> None:
    """One row per record that Iterable would not take; gone once it is taken."""
    con.execute(
        "create or replace temp table wrong as select key, pk, output, code, message, path, 'error' as severity, "
        f"noted_at, payload_hash, not (code in ({again}) and coalesce(noted_at < first_seen + "
        f"interval {RETRY_HORIZON_DAYS} days, true)) as terminal, coalesce(first_seen, noted_at) as first_seen, "
        f"coalesce(attempts, 0) + 1 as attempts from result "
        "left join (select key, output, code, min(first_seen) as first_seen, max(attempts) as attempts "
        "from state.issues group by all) before using (key, output, code) "
        f"where kind in ({kinds_of('rejected')}) and payload is not null and is_news"
    )
    con.execute(
        "delete from state.issues i using result r where i.key = r.key and i.output = r.output and i.output <> '' "
        "and r.kind is not null and r.payload is not null and r.is_news"
    )
    con.execute("insert into state.issues by name select * rename (noted_at as last_seen) from wrong")
    con.execute("drop table wrong")
