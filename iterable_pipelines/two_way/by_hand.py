"""What a person does to a two-way synchronization: look at what is not alike, and say who wins."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from iterable_pipelines.activation.outbox import moment
from iterable_pipelines.settings import Settings
from iterable_pipelines.two_way.decide import Winner
from iterable_pipelines.two_way.declaration import TwoWay
from iterable_pipelines.two_way.errors import TwoWayRefused
from iterable_pipelines.two_way.report import differing
from iterable_pipelines.two_way.state import open_state

Log = Callable[[str], None]


@dataclass(frozen=True)
class Problem:
    """A record that is not alike on both sides. `fields`: of a conflict, name, value here, value in Iterable."""

    key: str
    code: str
    message: str
    fields: tuple[tuple[str, Any, Any], ...]
    first_seen: datetime


@dataclass(frozen=True)
class Standing:
    """Where it stands. kept: deleted on one side and left alone on the other. awaited: sent, and not shown yet."""

    status: str | None
    finished: datetime | None
    counts: dict[str, dict[str, int]]
    alike: int
    kept: int
    awaited: int
    problems: dict[str, int]
    note: str


def standing_of(settings: Settings, two_way: TwoWay, log: Log = print) -> Standing:
    """Where it stands after its last run. Raises AlreadyRunning while a run is at work."""
    with open_state(settings, two_way.name, write=False, log=log) as workspace:
        con = workspace.con
        last = con.execute(
            "select status, finished_at, counts::varchar, note from state.finished order by started_at desc limit 1"
        ).fetchone()
        status, finished, counts, note = last or (None, None, None, "")
        alike, kept, awaited = con.execute(
            "select count(*) filter (local_hash = remote_hash and not awaits), "
            "count(*) filter ((local_hash = '') <> (remote_hash = '')), count(*) filter (awaits) from state.pairs"
        ).fetchall()[0]
        problems = dict(con.execute("select code, count(*) from state.problems group by code order by code").fetchall())
    return Standing(status, finished, json.loads(counts or "{}"), alike, kept, awaited, problems, note or "")


def problems_of(settings: Settings, two_way: TwoWay, most: int = 100, log: Log = print) -> list[Problem]:
    """What the last run could not make alike, conflicts first."""
    with open_state(settings, two_way.name, write=False, log=log) as workspace:
        rows = workspace.con.execute(
            "select key, code, message, local::varchar, remote::varchar, first_seen from state.problems "
            "order by code <> 'conflict', code, key limit ?",
            [most],
        ).fetchall()
    return [
        Problem(key, code, message, differing(local, remote) if code == "conflict" else (), first_seen)
        for key, code, message, local, remote, first_seen in rows
    ]


def resolve(settings: Settings, two_way: TwoWay, key: str, winner: Winner, log: Log = print) -> None:
    """Say who wins the conflict about a record: the next run does it. Raises TwoWayRefused for none such."""
    with open_state(settings, two_way.name, write=True, log=log) as workspace:
        con = workspace.con
        conflict = "select key from state.problems where code = 'conflict'"
        if not con.execute(f"{conflict} and key = ?", [key]).fetchone():
            known = [each for (each,) in con.execute(f"{conflict} order by key limit 20").fetchall()]
            raise TwoWayRefused(
                f"{two_way.name}: there is no conflict about {key!r}; there are {', '.join(known) or 'none'}. "
                f"Nothing was changed.\nNext: iterable-pipelines two-way conflicts {two_way.name}"
            )
        with workspace.transaction():
            con.execute("delete from state.resolutions where key = ?", [key])
            con.execute("insert into state.resolutions values (?, ?, ?)", [key, winner, moment()])
