"""What a run of a sync did, in figures."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from iterable_pipelines.activation.merge import kinds_of
from iterable_pipelines.activation.send import Tally
from iterable_pipelines.activation.state import Workspace

Status = Literal["succeeded", "partial", "failed", "skipped"]


@dataclass(frozen=True)
class RunReport:
    """counts: records by operation (add, change, remove, retry) and what became of them; `aborted` were not tried.

    codes: of all that were neither acknowledged nor new. answer: what Iterable said to a single row that was sent.
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
    answer: str = ""

    def total(self, *kinds: str) -> int:
        """Records with one of these outcomes, over all operations."""
        return sum(each.get(kind, 0) for each in self.counts.values() for kind in kinds)

    def as_json(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return asdict(self) | {"as_of": self.as_of and self.as_of.isoformat()}


# changes with the newest that became of each
NEWEST = (
    "(from state.changes where run_id = $run) left join (select number, kind, code from state.outcomes "
    "where run_id = $run qualify row_number() over (partition by number order by noted_at desc, kind) = 1) "
    "using (number)"
)


def report_of(
    workspace: Workspace, run_id: str, tally: Tally, max_failure_ratio: float, strict_fields: bool, note: str = ""
) -> RunReport:
    """The report of a run that is over, with its status (S14)."""
    con, run = workspace.con, {"run": run_id}
    counts: dict[str, dict[str, int]] = {}
    for op, kind, number in con.execute(
        f"select op, coalesce(kind, 'aborted'), count(*) from {NEWEST} group by all order by all", run
    ).fetchall():
        counts.setdefault(op, {})[kind] = number
    codes = con.execute(
        f"select code, count(*) from {NEWEST} where code <> '' and kind <> 'noop' group by all order by all", run
    ).fetchall()
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
    status, said = _status(report, tally, max_failure_ratio, strict_fields)
    return RunReport(**{**vars(report), "status": status, "note": " ".join(filter(None, (note, said)))})


def _status(report: RunReport, tally: Tally, max_failure_ratio: float, strict_fields: bool) -> tuple[Status, str]:
    tried = sum(sum(each.values()) for each in report.counts.values()) - report.total("skipped")
    failed = report.total("rejected", "invalid")
    if tally.stopped and not tally.gave_up:
        return "failed", f"{tally.stopped[0]}: {tally.stopped[1]}."
    if report.total("unknown"):
        return "failed", "What may have happened, and must not happen twice, has to be resolved."
    if strict_fields and tally.filtered_fields:
        return "failed", f"Iterable left out {len(tally.filtered_fields)} fields (strict_fields)."
    if tried and failed / tried > max_failure_ratio:
        return "failed", f"{failed:,} of {tried:,} records were refused, more than {max_failure_ratio:.0%}."
    if tally.stopped:
        return "partial", f"{tally.stopped[0]}: {tally.stopped[1]}."
    return ("partial", "Some records wait for the next run.") if report.total("deferred") else ("succeeded", "")


__all__ = ["NEWEST", "RunReport", "Status", "kinds_of", "report_of"]
