"""What a run did, and what it found: counts, and the first of the changes with what is on either side."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import duckdb

from iterable_pipelines.activation.outbox import moment
from iterable_pipelines.activation.send import Tally
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.two_way.columns import Member

Status = Literal["succeeded", "partial", "failed", "skipped"]
_SHOWN = 20


@dataclass(frozen=True)
class Change:
    """A record and what is to be done with it; `fields` are those that differ: name, in the table, in Iterable."""

    key: str
    action: str
    fields: tuple[tuple[str, Any, Any], ...] = ()


@dataclass(frozen=True)
class Report:
    """How a run ended. `counts`: records by action and outcome. `problems`: by code, what is not alike and stays so."""

    run_id: str
    status: Status
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    problems: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    note: str = ""

    def __str__(self) -> str:
        done = [f"{sum(each.values()):,} {action}" for action, each in self.counts.items()]
        wrong = [f"{number:,} {code}" for code, number in self.problems.items()]
        told = f"{self.status}: {', '.join(done) or 'nothing had to be done'}; {self.requests:,} requests"
        return "; ".join([told, *([f"not alike: {', '.join(wrong)}"] if wrong else []), *filter(None, [self.note])])

    def failure(self, name: str) -> str:
        """What an operator is told of a run that failed."""
        return (
            f"{name}: {self.note}. What was done before is noted and safe.\n"
            f"Next: iterable-pipelines check, then iterable-pipelines two-way run {name}"
        )

    def count(self, action: str, outcome: str | None = None) -> int:
        """How many records had this action, and this outcome."""
        found = self.counts.get(action, {})
        return sum(found.values()) if outcome is None else found.get(outcome, 0)


def changes_of(con: duckdb.DuckDBPyConnection, members: Sequence[Member], most: int = _SHOWN) -> list[Change]:
    """The first changes of a plan, by key."""
    rows = con.execute(
        "select d.key, d.action, l.content, r.content from scratch.decided d left join scratch.local l using (key) "
        "left join scratch.remote r using (key) where d.action <> 'none' order by d.key limit ?",
        [most],
    ).fetchall()
    return [Change(key, action, differing(local, remote)) for key, action, local, remote in rows]


def differing(local: str | None, remote: str | None) -> tuple[tuple[str, Any, Any], ...]:
    """Name, value in the table and value in Iterable, of the members that differ."""
    here, there = json.loads(local or "{}"), json.loads(remote or "{}")
    names = sorted({*here, *there})
    return tuple((name, here.get(name), there.get(name)) for name in names if here.get(name) != there.get(name))


def report_of(workspace: Workspace, run_id: str, tally: Tally) -> Report:
    """The report of a run that is over, noted in the state."""
    con = workspace.con
    counts: dict[str, dict[str, int]] = {}
    for action, outcome, number in con.execute(
        "select action, outcome, count(*) from state.done where run_id = ? group by all order by all", [run_id]
    ).fetchall():
        counts.setdefault(action, {})[outcome] = number
    problems = dict(con.execute("select code, count(*) from state.problems group by code order by code").fetchall())
    status: Status = "succeeded"
    note = ""
    if tally.stopped:
        status, note = ("partial" if tally.gave_up else "failed"), tally.stopped[1]
    elif any(outcomes.get("in_doubt") or outcomes.get("unsent") for outcomes in counts.values()):
        status, note = "partial", "some records wait for the next run"
    with workspace.transaction():
        con.execute(
            "update state.finished set status = $status, finished_at = $now, counts = $counts, requests = $requests, "
            "note = $note where run_id = $run",
            {
                "status": status,
                "now": moment(),
                "counts": json.dumps(counts),
                "requests": tally.requests,
                "note": note,
                "run": run_id,
            },
        )
    return Report(run_id, status, counts, problems, tally.requests, note)


def table_of_counts(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Markdown: each action, and how many records had which outcome."""
    if not counts:
        return "nothing had to be done"
    rows = [
        f"| {action} | {outcome} | {number:,} |"
        for action, outcomes in counts.items()
        for outcome, number in outcomes.items()
    ]
    return "\n".join(["| action | outcome | records |", "| --- | --- | ---: |", *rows])
