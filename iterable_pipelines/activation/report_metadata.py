"""What a run of a sync tells Dagster: figures that become charts, tables, and the funnel; nothing of a person."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from iterable_pipelines.activation.diff import SENT
from iterable_pipelines.activation.outcomes import STANDING
from iterable_pipelines.activation.plan import Plan
from iterable_pipelines.activation.report import RunReport
from iterable_pipelines.activation.standing import Standing
from iterable_pipelines.funnel import funnel
from iterable_pipelines.svg import as_markdown

STEPS = ("planned", "acknowledged", "verified")
_CODES = 10


def standings(counts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """How many records of a run were planned, and how many of them are acknowledged, rejected, pending, skipped."""
    found: dict[str, int] = dict.fromkeys(("planned", *STANDING.values()), 0)
    for outcomes in counts.values():
        for kind, rows in outcomes.items():
            found["planned"] += rows
            found[STANDING[kind]] += rows  # type: ignore[index]
    return found


def summary(report: RunReport) -> str:
    """One line: how it ended, how many records stand where, and what that took."""
    rows = ", ".join(f"{number:,} {standing}" for standing, number in standings(report.counts).items())
    told = f"{report.status}: {rows}; {report.requests:,} requests, {report.bytes:,} bytes"
    return "; ".join(filter(None, (told, report.note)))


def report_metadata(name: str, report: RunReport, standing: Standing, seconds: float) -> dict[str, Any]:
    """Metadata of a materialization. `standing` is of the sync as a whole, the run included."""
    rows = standings(report.counts)
    figures = {op: sum(report.counts.get(op, {}).values()) for op in SENT}
    return {
        "status": report.status,
        **({"note": report.note} if report.note else {}),
        "funnel": dg.MetadataValue.md(as_markdown(funnel_of(report, standing), "planned, acknowledged, verified")),
        "outcomes": dg.MetadataValue.md(outcome_table(report.counts)),
        "rejections": dg.MetadataValue.md(code_table(report.codes)),
        "row_log": dg.MetadataValue.md(
            f"`iterable-pipelines sync errors {name}`, or in the warehouse\n\n"
            f"`select * from activation.sync_rows where run_id = '{report.run_id}'`"
        ),
        **rows,
        **{f"{op}_rows": number for op, number in figures.items()},
        **{f"{each}_in_all": getattr(standing, each) for each in ("acknowledged", "verified", "rejected")},
        "requests": report.requests,
        "bytes": report.bytes,
        "minutes": round(seconds / 60, 2),
        "http_429": report.http_429,
        "retries": report.retries,
        **({"mapping_version": report.mapping_version} if report.mapping_version is not None else {}),
        "created_fields": ", ".join(report.created_fields) or "none",
        "filtered_fields": ", ".join(report.filtered_fields) or "none",
        **({"as_of": f"{report.as_of:%Y-%m-%d %H:%M} UTC"} if report.as_of else {}),
    }


def plan_metadata(plan: Plan) -> dict[str, Any]:
    """Metadata of a dry run: figures and names of fields, no rows."""
    return {
        "rows": plan.rows,
        "would_send": plan.sends,
        **{f"{op}_rows": plan.counts.get(op, 0) for op in SENT},
        "invalid": dg.MetadataValue.md(code_table(plan.invalid)),
        "skipped": dg.MetadataValue.md(code_table(plan.skipped)),
        "requests": plan.costs.requests,
        "bytes": plan.costs.bytes,
        "minutes": plan.costs.minutes,
        "new_fields": ", ".join(plan.fields.new) or "none",
        "warnings": "; ".join(plan.warnings) or "none",
        "guards": "; ".join(f"{each.title}: {each.message}" for each in plan.guards) or "none",
    }


def funnel_of(report: RunReport, standing: Standing) -> str:
    """An SVG: what this run did for each operation, and below the sync as a whole, read back as far as it is."""
    rows = []
    for op in SENT:
        if op in report.counts:
            found = standings({op: report.counts[op]})
            # nothing is read back before it has settled: verification tells of it later
            rows.append((f"this run, {op}", (found["planned"], found["acknowledged"], 0)))
    wanted = standing.acknowledged + standing.rejected + standings(report.counts)["pending"]
    rows.append(("everything so far", (wanted, standing.acknowledged, standing.verified)))
    return funnel(STEPS, rows, of="records", whole="those planned")


def outcome_rows(counts: Mapping[str, Mapping[str, int]]) -> tuple[list[str], list[list[str]]]:
    """A heading and its rows: each operation, and how many of its rows have which outcome."""
    kinds = [kind for kind in STANDING if any(each.get(kind) for each in counts.values())]
    rows = [[op, *(f"{counts[op].get(kind, 0):,}" for kind in kinds)] for op in SENT if op in counts]
    return ["operation", *kinds], rows if kinds else []


def outcome_table(counts: Mapping[str, Mapping[str, int]]) -> str:
    """The same as markdown."""
    header, rows = outcome_rows(counts)
    return _markdown(header, rows) if rows else "nothing had to be sent"


def code_table(codes: Mapping[str, int]) -> str:
    """Markdown: the ten codes that most rows have."""
    if not codes:
        return "none"
    most = sorted(codes.items(), key=lambda each: (-each[1], each[0]))[:_CODES]
    return _markdown(["code", "rows"], [[f"`{code}`", f"{rows:,}"] for code, rows in most])


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
