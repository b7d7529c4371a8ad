"""What is worth watching of a sync: one figure each, held against what its file allows. The checks in Dagster show it.

Row counts against the runs before, the share that was refused, the age, what was read back (outbound.md 5, 6.3; D5).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Literal

import duckdb

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.state import open_workspace
from iterable_pipelines.activation.verify.promises import WRONG
from iterable_pipelines.hours import now
from iterable_pipelines.settings import Settings

# of fewer runs than the first nobody can say what is usual
_RUNS_NEEDED, _RUNS_COMPARED = 3, 10
_ENDED_WELL = "status in ('succeeded', 'partial')"
# a run takes its time
_GRACE = timedelta(minutes=30)


@dataclass(frozen=True)
class Watched:
    """One question about a sync. `text` says what is and, if `passed` is not, what to type; `figures` become charts."""

    name: str
    passed: bool
    text: str
    figures: dict[str, int | float | str] = field(default_factory=dict)
    severity: Literal["WARN", "ERROR"] = "WARN"


def watch(settings: Settings, sync: Sync, at: datetime | None = None) -> tuple[Watched, ...]:
    """The answer to each question, from the state; `at` is the present. Raises AlreadyRunning while a run has it."""
    with open_workspace(settings, sync.name, log=lambda text: None) as state:
        return tuple(ask(state.con, sync, at or now()) for ask in QUESTIONS.values())


def _invalid_rows(con: duckdb.DuckDBPyConnection, sync: Sync, at: datetime) -> Watched:
    codes = con.execute(
        "select code, count(distinct pk) as rows from state.issues where severity = 'error' group by code "
        "order by rows desc, code"
    ).fetchall()
    rows = sum(count for _, count in codes)
    told = ", ".join(f"{count:,} {code}" for code, count in codes)
    text = f"{told}. Next: iterable-pipelines sync errors {sync.name}" if codes else "Every row could be sent."
    return Watched("no_invalid_rows", not codes, text, {"rows": rows, **dict(codes)})


def _reject_ratio(con: duckdb.DuckDBPyConnection, sync: Sync, at: datetime) -> Watched:
    ((refused, kept),) = con.execute(
        "select (select count(*) from (select distinct key, output from state.issues where severity = 'error' "
        # of whom Iterable was told to forget nothing can be mended (0.17)
        "and code <> 'user_forgotten')), (select count(*) from state.acked)"
    ).fetchall()
    ratio = refused / (refused + kept) if refused else 0.0
    text = f"{refused:,} of {refused + kept:,} records are refused; {sync.max_failure_ratio:.0%} are allowed."
    passed = ratio <= sync.max_failure_ratio
    if not passed:
        text += f" Next: iterable-pipelines sync errors {sync.name}"
    return Watched("reject_ratio", passed, text, {"refused": refused, "ratio": ratio}, "ERROR")


def _freshness(con: duckdb.DuckDBPyConnection, sync: Sync, at: datetime) -> Watched:
    ((ended,),) = con.execute(f"select max(finished_at) from state.runs where {_ENDED_WELL}").fetchall()
    last = ended.replace(tzinfo=UTC) if ended else None
    said = f"The last run that ended well did so at {last:%Y-%m-%d %H:%M} UTC." if last else "No run has ended well."
    age = {"hours": round((at - last).total_seconds() / 3600, 2)} if last else {}
    due = _due_since(sync, at)
    if due is None:
        return Watched("freshness", True, f"{said} No schedule says when one should.", age)
    passed = last is not None and last >= due
    if not passed:
        said += f" One was due at {due:%Y-%m-%d %H:%M} UTC. Next: iterable-pipelines sync run {sync.name}"
    return Watched("freshness", passed, said, age)


def _count_deviation(con: duckdb.DuckDBPyConnection, sync: Sync, at: datetime) -> Watched:
    counts = [
        rows
        for (rows,) in con.execute(
            f"select rows from state.runs where {_ENDED_WELL} and rows is not null and whole "
            f"order by started_at desc limit {_RUNS_COMPARED + 1}"
        ).fetchall()
    ]
    if len(counts) <= _RUNS_NEEDED:
        return Watched("count_deviation", True, f"{len(counts)} runs are too few to say what is usual.")
    usual = median(counts[1:])
    deviation = abs(counts[0] - usual) / max(usual, 1)
    passed = deviation <= sync.max_count_deviation
    text = f"The source had {counts[0]:,} rows; in the runs before there were about {usual:,.0f}."
    if not passed:
        text += f" Next: iterable-pipelines sync plan {sync.name}"
    return Watched("count_deviation", passed, text, {"rows": counts[0], "usual": usual, "deviation": deviation})


def _verified(con: duckdb.DuckDBPyConnection, sync: Sync, at: datetime) -> Watched:
    ((verified, wrong, others),) = con.execute(
        f"select count(*) filter (verdict = 'verified'), count(*) filter (verdict in {WRONG}), "
        f"count(*) filter (verdict is null or verdict not in {('verified', *WRONG)}) from state.acked"
    ).fetchall()
    checked = verified + wrong
    ratio = verified / checked if checked else 1.0
    text = f"{verified:,} of {checked:,} that were read back are as they were sent; {others:,} were not read back."
    passed = ratio >= sync.min_verified
    if not passed:
        text += f" Next: select * from activation.sync_mismatches where sync = '{sync.name}'"
    figures = {"verified": verified, "wrong": wrong, "not_read_back": others, "ratio": ratio}
    return Watched("verified", passed, text, figures)


def _list_size(con: duckdb.DuckDBPyConnection, sync: Sync, at: datetime) -> Watched:
    found = con.execute("select arg_max(figures, verified_at) from state.verifications").fetchall()[0][0]
    lists = json.loads(found)["lists"] if found else []
    passed, told = True, []
    figures: dict[str, int | float | str] = {}
    for each in lists:
        list_id, size, members = each["list_id"], each["size"], each["acknowledged"]
        told.append(f"list {list_id} is gone" if size is None else f"{size:,} of {members:,} are on list {list_id}")
        passed = passed and size is not None and size >= sync.min_verified * members
        figures |= {f"list_{list_id}_size": size or 0, f"list_{list_id}_acknowledged": members}
    if not passed:
        told.append(f"next: iterable-pipelines sync verify {sync.name} --full")
    return Watched("list_size", passed, "; ".join(told) or "No list was counted yet.", figures)


def _due_since(sync: Sync, at: datetime) -> datetime | None:
    """The tick before the last one, as the last one's run may still be at work; None without a schedule."""
    from dagster._utils.schedules import reverse_cron_string_iterator

    if not sync.enabled or not sync.schedule:
        return None
    ticks = reverse_cron_string_iterator((at - _GRACE).timestamp(), sync.schedule, "UTC")
    next(ticks)
    return next(ticks)


# one check each
QUESTIONS: dict[str, Callable[[duckdb.DuckDBPyConnection, Sync, datetime], Watched]] = {
    "no_invalid_rows": _invalid_rows,
    "reject_ratio": _reject_ratio,
    "freshness": _freshness,
    "count_deviation": _count_deviation,
    "verified": _verified,
    "list_size": _list_size,
}
