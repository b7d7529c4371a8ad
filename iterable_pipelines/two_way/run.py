"""One run: both sides are read, decided on and written down; then come the table, Iterable, and the log."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from iterable_pipelines.activation.endpoints import ENDPOINTS
from iterable_pipelines.activation.outbox import Outbox, moment
from iterable_pipelines.activation.project import Project
from iterable_pipelines.activation.send import Pace, Sender, Tally
from iterable_pipelines.activation.stages import send_stages
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.two_way.compare import compare
from iterable_pipelines.two_way.declaration import TwoWay
from iterable_pipelines.two_way.guards import Guard, guards_of, refuse_unapproved
from iterable_pipelines.two_way.incoming import write_incoming
from iterable_pipelines.two_way.local import Table, read_rows, table_of, write_rows
from iterable_pipelines.two_way.merge import merge_local, merge_sent, write_down
from iterable_pipelines.two_way.outgoing import compile_outgoing
from iterable_pipelines.two_way.publish import publish
from iterable_pipelines.two_way.remote import members_shown, read_remote
from iterable_pipelines.two_way.report import Change, Report, changes_of, report_of
from iterable_pipelines.two_way.state import check_project, open_state, state_path

Log = Callable[[str], None]
Clients = Callable[[], Client]


@dataclass(frozen=True)
class Plan:
    """What a run would do. `changes` are the first of them; `guards` would stop it."""

    counts: dict[str, int]
    problems: dict[str, int]
    requests: int
    guards: list[Guard] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    makes: tuple[str, ...] = ()

    def __str__(self) -> str:
        counts = ", ".join(f"{number:,} {action}" for action, number in sorted(self.counts.items()))
        wrong = ", ".join(f"{number:,} {code}" for code, number in sorted(self.problems.items()))
        stops = [f"a run would stop: {each.message} (--approve {each.name})" for each in self.guards]
        told = f"{counts or 'nothing to do'}; {self.requests:,} requests; nothing was changed"
        return "; ".join([told, *([f"not alike: {wrong}"] if wrong else []), *stops])


@dataclass(frozen=True)
class Manner:
    """How the sender treats what goes out; no option of a user's (activation/send.py)."""

    name: str
    on_type_mismatch: str = "reject_row"
    on_email_exists: str = "fail"


def plan_two_way(settings: Settings, two_way: TwoWay, log: Log = print, clients: Clients | None = None) -> Plan:
    """What a run would do now. Reads both sides; neither of them changes, nor does the state.

    Raises what `run_two_way` does, but for what comes of guards.
    """
    project = _project(settings)
    with open_state(settings, two_way.name, write=False, log=log) as workspace:
        check_project(workspace, two_way, project.fingerprint, state_path(settings, two_way.name), write=False)
        clients = clients or (lambda: project.client(log))
        table = _compare(workspace, settings, two_way, clients(), log, moment())
        return _plan_of(workspace, two_way, table)


def run_two_way(
    settings: Settings,
    two_way: TwoWay,
    approve: Collection[str] = (),
    log: Log = print,
    clients: Clients | None = None,
    pace: Pace | None = None,
    now: datetime | None = None,
) -> Report:
    """Make both sides alike. What was done is in the report, whatever stopped it then.

    `clients` makes a client for each thread; `now` is when Iterable is looked at. Raises, with nothing changed:
    AlreadyRunning, TwoWayRefused (a guard, the table, the project), TwoWayFailed, WarehouseFailed, IterableError (of a
    read).
    """
    if not two_way.enabled:
        return Report("", "skipped", note=f"{two_way.name} is disabled (enabled: false).")
    project = _project(settings)
    clients = clients or (lambda: project.client(log))
    with open_state(settings, two_way.name, write=True, log=log) as workspace:
        check_project(workspace, two_way, project.fingerprint, state_path(settings, two_way.name), write=True)
        merge_sent(workspace)
        _close_killed(workspace)
        table = _compare(workspace, settings, two_way, clients(), log, now or moment())
        refuse_unapproved(two_way, guards_of(workspace.con, two_way), approve)
        run_id = uuid4().hex
        write_down(workspace, run_id, moment())
        crashpoint("two_way_written_down")
        _write_table(workspace, settings, two_way, table, run_id, log)
        tally = _send(workspace, two_way, run_id, clients, pace or Pace(), log)
        crashpoint("two_way_sent")
        merge_sent(workspace)
        report = report_of(workspace, run_id, tally)
        publish(workspace, settings, two_way, log)
        return report


def _project(settings: Settings) -> Project:
    return Project(settings.url, settings.project_type, settings.required_api_key(), settings)


def _close_killed(workspace: Workspace) -> None:
    workspace.con.execute(
        "update state.finished set status = 'failed', finished_at = ?, note = 'it was interrupted; the next run went "
        "on from there' where finished_at is null",
        [moment()],
    )


def _compare(
    workspace: Workspace,
    settings: Settings,
    two_way: TwoWay,
    client: Client,
    log: Log,
    now: datetime,
) -> Table:
    """Read Iterable, then the table, and decide. Nothing changes, not even where a table has to be made."""
    defined = read_remote(workspace, two_way, client, log)
    shown = members_shown(workspace, two_way)
    rows = workspace.folder / "rows.parquet"
    with Warehouse.of(settings, log).transaction() as con:
        table = table_of(con, two_way, shown, defined)
        for statement in table.missing:
            con.execute(statement)
        read_rows(con, two_way, table, rows)
        # what it lacks is made when rows are written: a guard may still stop the run
        con.execute("rollback")
        con.execute("begin")
    compare(workspace, two_way, table.members, rows, now)
    compile_outgoing(workspace.con, two_way)
    return table


def _plan_of(workspace: Workspace, two_way: TwoWay, table: Table) -> Plan:
    con = workspace.con
    counts = dict(con.execute("select action, count(*) from scratch.decided group by action").fetchall())
    problems = dict(con.execute("select code, count(*) from scratch.problems group by code").fetchall())
    sent = con.execute("select endpoint, count(*) from scratch.outgoing group by endpoint").fetchall()
    requests = sum(-(-number // ENDPOINTS[name].most) for name, number in sent)
    counts.pop("none", None)
    return Plan(counts, problems, requests, guards_of(con, two_way), changes_of(con, table.members), table.missing)


def _write_table(
    workspace: Workspace, settings: Settings, two_way: TwoWay, table: Table, run_id: str, log: Log
) -> None:
    """Bring the table to what Iterable has, where that is what was decided."""
    incoming, applied = workspace.folder / "incoming.parquet", workspace.folder / "applied.parquet"
    if not write_incoming(workspace, two_way, table.members, incoming) and not table.missing:
        return
    with Warehouse.of(settings, log).transaction() as con:
        for statement in table.missing:
            con.execute(statement)
        write_rows(con, two_way, table, incoming, applied)
    crashpoint("two_way_table_written")
    merge_local(workspace, run_id, applied)
    crashpoint("two_way_table_merged")


def _send(workspace: Workspace, two_way: TwoWay, run_id: str, clients: Clients, pace: Pace, log: Log) -> Tally:
    sender = Sender(Outbox(workspace, run_id), Manner(two_way.name), clients, pace, log)
    send_stages(workspace, run_id, sender, pace, log)
    return sender.tally
