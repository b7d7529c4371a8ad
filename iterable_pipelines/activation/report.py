"""What a run of a sync did, in figures."""

from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.outcomes import newest_outcomes
from iterable_pipelines.activation.send import Tally
from iterable_pipelines.activation.state import Workspace

Status = Literal["succeeded", "partial", "failed", "skipped"]


@dataclass(frozen=True)
class RunReport:
    """counts: records by operation (add, change, remove, retry) and what became of them; `aborted` were not tried.

    codes: of all that were neither acknowledged nor new. note, then: what stopped it or is left, and the next command.
    answer: what Iterable said to a single row that was sent.
    """

    run_id: str
    status: Status
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    requests: int = 0
    bytes: int = 0
    http_429: int = 0
    retries: int = 0
    created_fields: tuple[str, ...] = ()
    filtered_fields: tuple[str, ...] = ()
    as_of: datetime | None = None
    mapping_version: int | None = None
    note: str = ""
    then: str = ""
    answer: str = ""

    def total(self, *kinds: str) -> int:
        """Records with one of these outcomes, over all operations."""
        return sum(each.get(kind, 0) for each in self.counts.values() for kind in kinds)

    def failure(self, name: str) -> str:
        """Why the run of this sync failed, what is safe, and what to type."""
        return f"{name}: {self.note} What was acknowledged is noted and safe.\nNext: {self.then}"

    def as_json(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return asdict(self) | {"as_of": self.as_of and self.as_of.isoformat()}


# changes with the newest that became of each
_NEWEST = (
    "(from state.changes where run_id = $run) left join "
    f"(select number, kind, code from {newest_outcomes('run_id = $run')}) using (number)"
)


def report_of(workspace: Workspace, run_id: str, sync: Sync, tally: Tally) -> RunReport:
    """The report of a run that is over, with its status (S14)."""
    con, run = workspace.con, {"run": run_id}
    counts: dict[str, dict[str, int]] = {}
    for op, kind, number in con.execute(
        f"select op, coalesce(kind, 'aborted'), count(*) from {_NEWEST} group by all order by all", run
    ).fetchall():
        counts.setdefault(op, {})[kind] = number
    codes = con.execute(
        f"select code, count(*) from {_NEWEST} where code <> '' and kind <> 'noop' group by all order by all", run
    ).fetchall()
    # rows that went, but for something that was left out of them
    (kept,) = con.execute(
        "select count(*) from state.outcomes where run_id = $run and details like '%consent_kept%'", run
    ).fetchone() or (0,)
    if kept:
        codes.append(("consent_kept", kept + dict(codes).get("consent_kept", 0)))
    as_of, version, rows = con.execute(
        "select as_of, mapping_version, rows from state.runs where run_id = $run", run
    ).fetchone() or (None, None, 0)
    report = RunReport(
        run_id,
        "succeeded",
        counts,
        dict(codes),
        rows,
        tally.requests,
        tally.bytes,
        tally.http_429,
        tally.retries,
        tuple(sorted(tally.created_fields)),
        tuple(sorted(tally.filtered_fields)),
        as_of,
        version,
    )
    (forgotten,) = con.execute(
        f"select count(*) from {_NEWEST} where code = 'user_forgotten' and kind = 'rejected'", run
    ).fetchone() or (0,)
    status, note, then = _status(report, sync, tally, forgotten)
    return replace(report, status=status, note=note, then=f"iterable-pipelines {then}" if then else "")


def _status(report: RunReport, sync: Sync, tally: Tally, forgotten: int) -> tuple[Status, str, str]:
    """The status, why, and the command that comes next.

    `forgotten` were refused because Iterable was told to forget them: there nothing can be mended (0.17).
    """
    tried = sum(sum(each.values()) for each in report.counts.values()) - report.total("skipped") - forgotten
    failed, allowed = report.total("rejected", "invalid") - forgotten, sync.max_failure_ratio
    if tally.stopped and not tally.gave_up:
        code, why = tally.stopped
        return "failed", f"{code}: {why}.", "check" if code == "bad_api_key" else f"sync plan {sync.name}"
    if report.total("unknown"):
        note = "What may have happened, and must not happen twice, has to be resolved."
        return "failed", note, f"sync resolve {sync.name} drop where it has happened, … resend where it has not"
    if sync.strict_fields and (left_out := tally.filtered_fields):
        note = f"Iterable left out fields, which strict_fields forbids: {', '.join(sorted(left_out))}."
        return "failed", note, f"sync plan {sync.name}"
    if tried and failed / tried > allowed:
        note = f"{failed:,} of {tried:,} records were refused, more than {allowed:.0%}."
        return "failed", note, f"sync errors {sync.name}"
    again = f"sync run {sync.name}"
    if tally.stopped:
        return "partial", f"{tally.stopped[0]}: {tally.stopped[1]}.", again
    if not report.total("deferred"):
        return "succeeded", "", ""
    waiting = f"Waiting for their day: {tally.promise}." if tally.promise else "Some records wait for the next run."
    return "partial", waiting, again
