"""What there is to verify, taken out of a sync's state in one look, and what was found, noted there bit by bit.

While Iterable is asked the state is closed, so that the sync may run: a finding counts only if what it is about was not
acknowledged anew meanwhile.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.endpoints import ENDPOINTS
from iterable_pipelines.activation.errors import AlreadyRunning
from iterable_pipelines.activation.meta import check_meta
from iterable_pipelines.activation.project import Project
from iterable_pipelines.activation.state import open_workspace
from iterable_pipelines.activation.verify.promises import WRONG, Finding, Promise, Verdict
from iterable_pipelines.activation.verify.readings import READ_BACK
from iterable_pipelines.hours import now
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings

SAMPLE = 50
_UNNOTED_SECONDS, _AT_ONCE = 30.0, 2000
_WAIT_SECONDS = 600.0
# those of a promise, in the order in which `promise_of` reads them
COLUMNS = (
    *("key", "output", "pk", "endpoint", "flags", "payload", "identity_kind", "identity"),
    *("last_acked_at", "was_right", "result"),
)
_LISTED = ", ".join(COLUMNS)
_FINDINGS = pa.schema(
    {"key": pa.string(), "output": pa.string(), "pk": pa.string(), "acked_at": pa.timestamp("us"), "again": pa.bool_()}
    | {name: pa.string() for name in ("verdict", "fields", "found")}
    | {"noted": pa.bool_()}
)
_SAME = "a.key = f.key and a.output = f.output and a.last_acked_at = f.acked_at"


class Notebook:
    """The promises of a sync, in a file of its own, and the findings about them. For one thread.

    `counts` are findings by verdict.
    """

    def __init__(self, settings: Settings, sync: Sync, folder: Path, log: Callable[[str], None]) -> None:
        self.settings, self.sync, self.folder, self.log = settings, sync, folder, log
        self.counts: Counter[Verdict] = Counter()
        self.file = folder / "promises.parquet"
        self.con = duckdb.connect(folder / "promises.duckdb", config={"memory_limit": settings.memory_limit})
        self.con.execute("set timezone = 'UTC'")
        self._fresh: list[dict[str, Any]] = []
        self._noted = time.monotonic()

    def close(self) -> None:
        """Let go of the file."""
        self.con.close()

    def load(self, project: Project, full: bool) -> None:
        """Take every promise out of the state. Raises AlreadyRunning, ActivationRefused for another project's state.

        `chosen` are all that have settled; or of each output 50 of those that were wrong, and 50 of the others: those
        not looked at for longest, or never; always the same ones of the same state. An event that was found once is not
        looked for again: nobody can change it but by its id. `since` is the moment that is known of.
        """
        seconds = self.sync.verify_after_seconds
        settle = ", ".join(
            f"({literal(name)}, {each.settle if seconds is None else seconds})" for name, each in READ_BACK.items()
        )
        events = ", ".join(literal(name) for name, each in READ_BACK.items() if each.by == "events")
        most = "" if full else f"and place <= {SAMPLE}"
        with open_workspace(self.settings, self.sync.name, write=True, log=self.log) as state:
            check_meta(state, self.settings, self.sync, project)
            state.con.execute(
                "copy (with promised as (select a.*, "
                "coalesce(a.verified_at >= a.last_acked_at, false) as looked_at, "
                "looked_at and a.verdict in ('verified', 'drifted') as was_right, "
                f"looked_at and a.verdict in {WRONG} as is_wrong, "
                f"a.last_acked_at + to_seconds(settle) <= {_timestamp()} as settled, "
                f"was_right and endpoint in ({events}) as done, "
                "case when looked_at then a.verified_at else a.last_acked_at end as since "
                # what was taken as acknowledged without being sent has no endpoint
                f"from state.acked as a join (values {settle}) as settling (endpoint, settle) using (endpoint) "
                "where not a.in_doubt and a.payload is not null), "
                "placed as (select *, row_number() over (partition by output, settled, is_wrong "
                "order by done, looked_at, case when looked_at then since end, md5(concat_ws('|', key, output, run_id))"
                ") as place from promised) "
                f"select {_LISTED}, looked_at, settled, since, settled and not done {most} as chosen from placed) "
                f"to {literal(str(self.file))}"
            )
        self.con.execute(f"create table promises as from read_parquet({literal(str(self.file))})")
        columns = "verdict text, fields text, found text, noted boolean"
        self.con.execute(
            f"create table findings (key text, output text, pk text, acked_at timestamp, again boolean, {columns})"
        )
        ((self.counts["pending"],),) = self.con.execute("select count(*) from promises where not settled").fetchall()

    def groups(self, where: str = "chosen") -> Iterator[list[Promise]]:
        """What is still to be looked for, in the order of the users, those of one user together."""
        self._gather()
        query = f"select {_LISTED} from promises anti join findings using (key, output) where {where}"
        rows = self.rows(f"{query} order by identity_kind, identity, key, output")
        for _, group in groupby(map(promise_of, rows), lambda each: (each.identity_kind, each.identity)):
            yield list(group)

    def rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, of which only a few are held at a time."""
        with self.con.cursor() as cursor:
            cursor.execute(query)
            while some := cursor.fetchmany(_AT_ONCE):
                yield from some

    def add(self, found: Iterable[tuple[Promise, Finding]]) -> None:
        """Take findings, and note what has gathered now and then."""
        for promise, finding in found:
            finding = finding.for_promise(promise)
            self.counts[finding.verdict] += 1
            wrong = finding.verdict in WRONG
            self._fresh.append(
                {
                    "key": promise.key,
                    "output": promise.output,
                    "pk": promise.pk,
                    "acked_at": promise.acked_at,
                    "verdict": finding.verdict,
                    "fields": ", ".join(finding.fields) or None,
                    "found": json.dumps(finding.found) if wrong and self.sync.log_payloads else None,
                    "again": wrong and self.sync.drift == "correct" and ENDPOINTS[promise.endpoint].repeat != "once",
                    "noted": False,
                }
            )
            if len(self._fresh) >= _AT_ONCE:
                self._gather()
            if time.monotonic() - self._noted > _UNNOTED_SECONDS:
                self._note_if_free()

    def note(self) -> None:
        """Note all that was found. Waits for a run of the sync; raises AlreadyRunning after ten minutes of it."""
        until = time.monotonic() + _WAIT_SECONDS
        while not self._note_if_free():
            if time.monotonic() > until:
                raise AlreadyRunning(
                    f"{self.sync.name}: what was read is not noted, because a run of this sync has had its state for "
                    "ten minutes. Nothing was sent by this command.\n"
                    f"Next: iterable-pipelines sync verify {self.sync.name}, once that run is over"
                )
            time.sleep(1)

    def wrong(self, most: int) -> list[tuple[str, str, Verdict, str | None]]:
        """The first of what is not as it was sent: pk, output, verdict, names of fields."""
        return self.con.execute(
            f"select pk, output, verdict, fields from findings where verdict in {WRONG} order by all limit {most}"
        ).fetchall()

    def note_figures(self, figures: str, moment: datetime) -> None:
        """Note what the whole verification came to, JSON; left undone where a run has the state again."""
        try:
            with open_workspace(self.settings, self.sync.name, write=True, log=self.log) as state:
                values = [moment.replace(tzinfo=None), figures]
                state.con.execute("insert into state.verifications values (?, ?, false)", values)
        except AlreadyRunning:
            self.log(f"{self.sync.name}: a run of this sync has its state; the figures are not kept")

    def _gather(self) -> None:
        if self._fresh:
            self.con.register("fresh", pa.Table.from_pylist(self._fresh, _FINDINGS))
            self.con.execute("insert into findings from fresh")
            self.con.unregister("fresh")
            self._fresh.clear()

    def _note_if_free(self) -> bool:
        self._noted = time.monotonic()
        self._gather()
        found = self.con.sql("from findings where not noted").to_arrow_table()
        if not found.num_rows:
            return True
        try:
            with open_workspace(self.settings, self.sync.name, write=True, log=self.log) as state:
                state.con.register("findings", found)
                with state.transaction() as con:
                    _note(con, _timestamp())
        except AlreadyRunning:
            self.log(f"{self.sync.name}: a run of this sync has its state; what was found is noted when it is over")
            return False
        self.con.execute("update findings set noted = true")
        return True


def _timestamp() -> str:
    return f"timestamp '{now():%Y-%m-%d %H:%M:%S.%f}'"


def _note(con: duckdb.DuckDBPyConnection, moment: str) -> None:
    con.execute(
        f"update state.acked as a set verified_at = {moment}, verdict = f.verdict, in_doubt = a.in_doubt or f.again "
        f"from findings as f where {_SAME}"
    )
    con.execute(
        "delete from state.mismatches as m where exists (from findings as f "
        "where f.key = m.key and f.output = m.output)"
    )
    con.execute(
        "insert into state.mismatches by name select f.key, f.output, f.pk, f.verdict, f.fields, f.found, "
        f"{moment} as noted_at from findings as f join state.acked as a on {_SAME} where f.verdict in {WRONG}"
    )


def promise_of(row: tuple[Any, ...]) -> Promise:
    """A promise, of a row with the columns of the notebook, in their order."""
    key, output, pk, endpoint, flags, payload, kind, identity, acked_at, was_right, result = row[:11]
    return Promise(
        *(key, output, pk, endpoint, json.loads(flags or "{}"), json.loads(payload)),
        *(kind, identity, acked_at.replace(tzinfo=None), was_right, json.loads(result or "{}")),
    )
