"""One run of a sync: recover, plan, write down, send, merge, publish."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from iterable_pipelines.activation.by_hand import reset_sync, resolve, send_again
from iterable_pipelines.activation.catalog_setup import set_up_catalogs
from iterable_pipelines.activation.consent.gate import ConsentGate
from iterable_pipelines.activation.declaration import Approval, Sync
from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.keys import claim_key, with_kept_key
from iterable_pipelines.activation.lists import settle_list
from iterable_pipelines.activation.merge import merge
from iterable_pipelines.activation.meta import check_meta
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.outbox import Outbox, moment
from iterable_pipelines.activation.plan import Plan, make_plan
from iterable_pipelines.activation.project import Project
from iterable_pipelines.activation.publish import publish
from iterable_pipelines.activation.recover import recover
from iterable_pipelines.activation.report import RunReport, Status, report_of
from iterable_pipelines.activation.send import Gate, Pace, Sender, Tally, both_gates
from iterable_pipelines.activation.stages import send_stages
from iterable_pipelines.activation.state import Workspace, open_workspace
from iterable_pipelines.activation.written_down import write_down
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.settings import Settings

Log = Callable[[str], None]
Clients = Callable[[], Client]


def run_sync(
    settings: Settings,
    sync: Sync,
    options: Options,
    log: Log = print,
    clients: Clients | None = None,
    pace: Pace | None = None,
    unless: Gate | None = None,
) -> RunReport:
    """Bring Iterable to what the source says. What was sent is in the report, whatever stopped it then.

    `clients` makes a client for each thread. `unless` says, right before it would be sent, what is not to be. Raises,
    with nothing new sent: AlreadyRunning, ActivationRefused (a guard, or the file of the sync), InDoubt, SettingsError,
    NothingPublished, WarehouseFailed, IterableError (of a read).
    """
    if not sync.enabled:
        # G9: the state stays as it is, and the difference is sent once it is enabled again
        return RunReport("", "skipped", note=f"{sync.name} is disabled (enabled: false).")
    project = Project.of(settings, sync)
    sync = with_kept_key(project, sync)
    clients = clients or (lambda: project.client(log))
    pace = pace or Pace()
    with open_workspace(settings, sync.name, write=True, renamed_from=sync.renamed_from, log=log) as workspace:
        check_meta(workspace, settings, sync, project)
        recovered = recover(workspace, sync, clients, pace, log)
        if recovered.stopped:
            publish(workspace, settings, sync, log)
            note = f"What an earlier run has left did not arrive: {recovered.stopped[1]}. Nothing new was planned."
            status: Status = "partial" if recovered.gave_up else "failed"
            then = f"iterable-pipelines {'check' if status == 'failed' else f'sync run {sync.name}'}"
            return RunReport("", status, requests=recovered.requests, note=note, then=then)
        plan = make_plan(workspace, project, sync, options, clients(), log)
        for each in plan.warnings:
            log(f"{sync.name}: {each}")
        plan.refuse_unapproved()
        claim_key(project, sync)
        settle_list(workspace, sync, clients(), log)
        set_up_catalogs(workspace, sync, clients(), log)
        run_id = uuid4().hex
        write_down(workspace, run_id, sync, plan, options)
        crashpoint("activation_written_down")
        gate = both_gates(plan.gate, unless)
        sender = Sender(Outbox(workspace, run_id), sync, clients, pace, log, gate)
        send_stages(workspace, run_id, sender, pace, log)
        if isinstance(plan.gate, ConsentGate):
            plan.gate.note_seen(workspace)
        return finish(workspace, settings, sync, run_id, plan, sender.tally, log)


def finish(
    workspace: Workspace, settings: Settings, sync: Sync, run_id: str, plan: Plan, tally: Tally, log: Log
) -> RunReport:
    """Merge and publish a run whose sending is over."""
    merge(workspace, run_id, plan)
    crashpoint("activation_merged")
    report = report_of(workspace, run_id, sync, tally)
    workspace.con.execute(
        "update state.runs set status = $status, finished_at = $now, requests = $requests, bytes = $bytes, "
        "http_429 = $http_429, note = $note where run_id = $run",
        {
            "status": report.status,
            "now": moment(),
            "requests": report.requests,
            "bytes": report.bytes,
            "http_429": report.http_429,
            "note": report.note,
            "run": run_id,
        },
    )
    publish(workspace, settings, sync, log)
    return report


def send_pk(
    settings: Settings,
    sync: Sync,
    pk: str,
    log: Log = print,
    clients: Clients | None = None,
    pace: Pace | None = None,
    approve: tuple[Approval, ...] = (),
) -> RunReport:
    """Send one row, whether it changed or not; the report has what Iterable said. Raises what run_sync does.

    What was made once, such as a message, is not made again: that takes `reset_sync`.
    """
    send_again(settings, sync, pk, log)
    try:
        report = run_sync(settings, sync, Options(only_pks=(pk,), approve=approve), log, clients, pace)
    except ActivationRefused as refused:
        # a run would send the others too
        alone = str(refused).replace(f"sync run {sync.name} --approve", f"sync send {sync.name} --pk {pk} --approve")
        raise type(refused)(alone) from None
    outcomes = [f"{op}: {kind}" for op, kinds in report.counts.items() for kind in kinds]
    nothing = "this row gives no record, or one that was sent before and is sent once"
    return replace(report, answer="; ".join([*outcomes, *report.codes]) or nothing)


__all__ = ["RunReport", "finish", "reset_sync", "resolve", "run_sync", "send_pk"]
