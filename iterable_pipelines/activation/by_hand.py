"""What may be said of a state by hand: that Iterable lacks rows, has them all, or what became of what is in doubt."""

from collections.abc import Callable, Sequence
from typing import Literal
from uuid import uuid4

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.doubtful import ONCE, doubtful, take_for
from iterable_pipelines.activation.keys import move_keys, with_kept_key
from iterable_pipelines.activation.lists import forget_list
from iterable_pipelines.activation.merge import merge
from iterable_pipelines.activation.meta import check_meta, take_project
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.outbox import moment
from iterable_pipelines.activation.plan import make_plan
from iterable_pipelines.activation.project import Project
from iterable_pipelines.activation.state import Workspace, open_workspace
from iterable_pipelines.activation.written_down import write_down
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings

Log = Callable[[str], None]

_TAKEN = """
    insert into state.outcomes by name
    select run_id, number, 'acked' as kind, 'rebaselined' as code, '' as message, '' as path, '' as details,
        $now as noted_at
    from state.changes where run_id = $run and payload is not null
"""


def reset_sync(
    settings: Settings,
    sync: Sync,
    how: Literal["resend", "rebaseline", "pk", "project"],
    pks: Sequence[str] = (),
    log: Log = print,
) -> int:
    """Have the next run send every row, none, or these, as if Iterable lacked them, or had them (S11); or take the
    key of now for one of the project that the state is about (S10).

    Nothing is sent. Whom Iterable has is not forgotten, so that who is gone is still told of. Returns the number of
    records. Raises what run_sync does.
    """
    with open_workspace(settings, sync.name, write=True, renamed_from=sync.renamed_from, log=log) as workspace:
        project = Project.of(settings, sync)
        if how == "project":
            move_keys(project, take_project(workspace, project))
            return _count_acknowledged(workspace)
        check_meta(workspace, settings, sync, project)
        if how == "rebaseline":
            return _rebaseline(workspace, project, with_kept_key(project, sync), log)
        if how == "resend":
            forget_list(workspace)
        return _doubt(workspace, () if how == "resend" else pks)


def send_again(settings: Settings, sync: Sync, pk: str, log: Log = print) -> None:
    """Have the next run send a row, but for what must not happen twice: a run that a guard stops leaves the mark.

    Nothing is sent. Raises what run_sync does.
    """
    with open_workspace(settings, sync.name, write=True, renamed_from=sync.renamed_from, log=log) as workspace:
        check_meta(workspace, settings, sync, Project.of(settings, sync))
        _doubt(workspace, (pk,), ONCE)


def _doubt(workspace: Workspace, pks: Sequence[str], but: Sequence[str] = ()) -> int:
    """Have these go again, whatever they hold, unless to one of the endpoints `but`; none named means all."""
    which: dict[str, object] = {"pks": list(pks)}
    condition = "(len($pks) = 0 or list_contains($pks, pk))"
    # whoever was told to leave is told so no second time, and what was old news before the first run (it has no
    # payload) starts journeys: that goes only by name
    sent = f"member and {condition} and (payload is not null or len($pks) > 0)"
    with workspace.transaction() as con:
        if but:
            sent += f" and endpoint not in ({', '.join(map(literal, but))})"
        ((marked,),) = con.execute(f"select count(*) from state.acked where {sent}", which).fetchall()
        con.execute(f"update state.acked set in_doubt = true where {sent}", which)
        con.execute(f"delete from state.seen where {condition}", which)
        con.execute(
            f"update state.issues set terminal = false, first_seen = $now where output <> '' and {condition}",
            {**which, "now": moment()},
        )
    return int(marked)


def _count_acknowledged(workspace: Workspace) -> int:
    ((records,),) = workspace.con.execute("select count(*) from state.acked where member").fetchall()
    return int(records)


def _rebaseline(workspace: Workspace, project: Project, sync: Sync, log: Log) -> int:
    plan = make_plan(workspace, project, sync, Options(), None, log)
    run_id, now = uuid4().hex, moment()
    write_down(workspace, run_id, sync, plan, Options())
    workspace.con.execute(_TAKEN, {"run": run_id, "now": now})
    merge(workspace, run_id, plan)
    workspace.con.execute(
        "update state.runs set status = 'succeeded', finished_at = $now, requests = 0, bytes = 0, http_429 = 0, "
        "note = 'rebaseline: taken for acknowledged, nothing was sent' where run_id = $run",
        {"run": run_id, "now": now},
    )
    ((taken,),) = workspace.con.execute("select count(*) from state.changes where run_id = ?", [run_id]).fetchall()
    return int(taken)


def resolve(settings: Settings, sync: Sync, how: Literal["resend", "drop"], log: Log = print) -> int:
    """Settle what may have happened and must not happen twice (S7): `resend` plans it anew, `drop` takes it for done.

    Returns how many requests that were. Nothing is sent.
    """
    became: tuple[Literal["done", "not_done"], str] = (
        ("not_done", "to_resend") if how == "resend" else ("done", "dropped")
    )
    with open_workspace(settings, sync.name, write=True, renamed_from=sync.renamed_from, log=log) as workspace:
        found = doubtful(workspace)
        take_for(workspace, found, *became)
    return len(found)
