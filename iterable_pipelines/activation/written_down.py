"""What a run means to do, written into the state before anything is sent: one transaction."""

from datetime import UTC

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.noting import note_plan
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.outbox import moment
from iterable_pipelines.activation.plan import Plan
from iterable_pipelines.activation.state import Workspace

# what is not sent is told of, and counted, like what is
_FIND_UNSENT = """
    create or replace temp table unsent as
    select *, (select count(*) from scratch.changes) + row_number() over (order by pk, place) as number from (
        select pk as key, pk, '' as output, 'invalid' as kind, arg_min(code, rowid) as code,
            arg_min(message, rowid) as message, arg_min(path, rowid) as path,
            array_to_string(list(code order by rowid)[2:], ',') as details, min(rowid) as place
        from scratch.issues where severity = 'error'
        -- each of these is a row of its own
        group by pk, if(code in ('null_primary_key', 'duplicate_primary_key'), rowid, -1)
        union all by name
        select pk as key, pk, '' as output, 'skipped' as kind, reason as code, rowid as place from scratch.skipped
        union all by name
        select key, pk, output, if(op = 'refused', 'invalid', 'skipped') as kind, reason as code, rowid as place
        from scratch.compared where op in ('refused', 'skipped')
    )
"""
_UNSENT = """
    insert into state.changes by name
    select $run as run_id, number, 'add' as op, key, pk, output, '' as payload_hash, $version as mapping_version,
        false as member, 0 as seq
    from unsent
"""
_UNSENT_OUTCOMES = """
    insert into state.outcomes by name
    select $run as run_id, number, kind, code, coalesce(message, '') as message, coalesce(path, '') as path,
        coalesce(details, '') as details, $now as noted_at
    from unsent
"""


def write_down(workspace: Workspace, run_id: str, sync: Sync, plan: Plan, options: Options) -> None:
    """From here on every row of the run is acknowledged, rejected, skipped or pending."""
    now = moment()
    run = {"run": run_id, "now": now}
    with workspace.transaction() as con:
        con.execute(
            "insert into state.runs by name select $run as run_id, 'running' as status, $as_of as as_of, "
            "$now as started_at, $version as mapping_version, $rows as rows, $dagster as dagster_run_id, "
            "$whole as whole",
            {
                **run,
                "as_of": plan.as_of.astimezone(UTC).replace(tzinfo=None),
                "version": plan.mapping_version,
                "rows": plan.rows,
                "whole": plan.whole,
                "dagster": options.dagster_run_id,
            },
        )
        note_plan(workspace, run_id, plan, now)
        con.execute(_FIND_UNSENT)
        con.execute(_UNSENT, {"run": run_id, "version": plan.mapping_version})
        con.execute(_UNSENT_OUTCOMES, run)
        con.execute("drop table unsent")
