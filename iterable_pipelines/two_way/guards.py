"""What stops a run before anything is changed, on either side, unless it is approved."""

from collections.abc import Collection
from dataclasses import dataclass

import duckdb

from iterable_pipelines.two_way.declaration import Approval, TwoWay
from iterable_pipelines.two_way.errors import TwoWayRefused


@dataclass(frozen=True)
class Guard:
    """A guard that says no, and why."""

    name: Approval
    message: str


def guards_of(con: duckdb.DuckDBPyConnection, two_way: TwoWay) -> list[Guard]:
    """The guards that the decisions of this run trip. Pairs that were never alike on both sides do not count."""
    known, shown, here, there = con.execute(
        "select count(*), "
        # what we have made does not show at once, and was not there before (Y5)
        "count(*) filter (not (awaits and list_contains(earlier, ''))), "
        "(select count(*) from scratch.rows), (select count(*) from scratch.shown) "
        "from scratch.pairs where local_hash <> '' and remote_hash <> ''"
    ).fetchall()[0]
    if not known:
        return []
    found = []
    for now, before, side in ((here, known, f"the table {two_way.table}"), (there, shown, "Iterable")):
        if before and not now:
            found.append(Guard("empty_side", f"{side} is empty, and {before:,} {two_way.things} were there before"))
    counts = dict(
        con.execute(
            "select action, count(*) from scratch.decided join scratch.pairs p using (key) "
            "where p.local_hash <> '' and p.remote_hash <> '' group by action"
        ).fetchall()
    )
    limits = two_way.guards
    for name, actions, ratio in (
        ("deletes", ("delete_remote", "delete_local"), limits.max_deleted_ratio),
        ("changes", ("to_remote", "to_local"), limits.max_changed_ratio),
    ):
        for action in actions:
            number = counts.get(action, 0)
            if number > limits.at_least and number > ratio * known:
                where = "Iterable" if action.endswith("remote") else f"the table {two_way.table}"
                what = "deleted from" if name == "deletes" else "changed in"
                text = f"{number:,} of {known:,} {two_way.things} would be {what} {where}, more than {ratio:.0%}"
                found.append(Guard(name, text))  # type: ignore[arg-type]
    return found


def refuse_unapproved(two_way: TwoWay, guards: Collection[Guard], approved: Collection[str]) -> None:
    """Raise TwoWayRefused unless every guard that was tripped is approved."""
    left = [each for each in guards if each.name not in approved]
    if left:
        names = sorted({each.name for each in left})
        raise TwoWayRefused(
            f"{two_way.name}: {'; '.join(each.message for each in left)}. Nothing was changed, on either side.\n"
            f"Next: look at iterable-pipelines two-way plan {two_way.name}; if that is meant, "
            f"iterable-pipelines two-way run {two_way.name} {' '.join(f'--approve {each}' for each in names)}"
        )
