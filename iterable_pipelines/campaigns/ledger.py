"""The ledger of calls: every call of a procedure, dry runs too, and every decision of a gate, in one SQLite file.

A call that sends is committed as `sending` before its bytes leave: whatever happens then, it is known that it may have
happened, and it is not made again until somebody knows (S6, R12).
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from hashlib import sha256
from secrets import token_hex
from typing import Any, Literal, TypeVar

from filelock import FileLock, Timeout

from iterable_pipelines.activation.state import FOLDER
from iterable_pipelines.campaigns.errors import CallAtWork
from iterable_pipelines.campaigns.procedures import OfCampaign, Procedure, TriggerJourney
from iterable_pipelines.hours import now
from iterable_pipelines.settings import Settings
from iterable_pipelines.sqlite_file import sqlite_file

# planned: it ended before anything was sent. dry_run, refused: nothing was sent, or Iterable said no. unknown: it may
# have happened. not_done: it was unknown, and has not
State = Literal["planned", "dry_run", "refused", "sending", "done", "unknown", "not_done"]
IN_DOUBT: tuple[State, ...] = ("sending", "unknown")


@dataclass(frozen=True)
class Call:
    """One call of a procedure. Moments are aware; nobody is named. `before` is the campaign as it was read then."""

    id: str
    procedure: str
    lane: str
    arguments: dict[str, Any]
    who: str
    approved: bool
    planned_at: datetime
    state: State = "planned"
    campaign_id: int | None = None
    path: str = ""
    body_hash: str = ""
    # members of the lists it goes to, as Iterable counted them; None where it did not say
    list_size: int | None = None
    before: dict[str, Any] = field(default_factory=dict)
    sent_at: datetime | None = None
    # the call was on its way until then, or it is not known until when
    doubtful_since: datetime | None = None
    done_at: datetime | None = None
    http_status: int | None = None
    response: str = ""
    note: str = ""
    # answer, reading, or whoever said so
    settled_by: str = ""
    gate: str | None = None
    dagster_run_id: str | None = None


@dataclass(frozen=True)
class Decision:
    """What a gate decided, and on which evidence: per check, whether it passed (None: not known), text, figures."""

    id: str
    gate: str
    campaign_id: int
    decided_at: datetime
    who: str
    outcome: Literal["passed", "refused"]
    approved: bool
    evidence: list[dict[str, Any]]
    overridden: list[str] = field(default_factory=list)
    because: str = ""
    call_id: str | None = None
    dagster_run_id: str | None = None


Row = TypeVar("Row", Call, Decision)
_TABLES: dict[str, type[Call] | type[Decision]] = {"calls": Call, "decisions": Decision}
_MOMENTS = ("planned_at", "sent_at", "doubtful_since", "done_at", "decided_at")


class CallLedger:
    """The calls and decisions of a project. Several processes read and write."""

    def __init__(self, settings: Settings) -> None:
        """Open, or make, the file. Not in the warehouse: one that is made anew must not send anything twice."""
        self.path = settings.data_dir / FOLDER / "calls.sqlite"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with sqlite_file(self.path) as con:
            con.execute("create table if not exists meta (name text primary key, value text not null)")
            con.execute("insert or ignore into meta values ('salt', ?)", (token_hex(16),))
            for table, row in _TABLES.items():
                columns = ", ".join(each.name for each in fields(row) if each.name != "id")
                con.execute(f"create table if not exists {table} (id text primary key, {columns})")
        self.path.chmod(0o600)

    def plan(
        self,
        procedure: Procedure,
        who: str,
        approved: bool,
        moment: datetime,
        gate: str | None = None,
        run_id: str | None = None,
    ) -> Call:
        """A call that somebody asks for, written down."""
        call = Call(
            id=token_hex(6),
            procedure=procedure.name,
            lane=self.lane_of(procedure),
            arguments=procedure.arguments,
            who=who,
            approved=approved,
            planned_at=moment,
            campaign_id=procedure.campaign_id if isinstance(procedure, OfCampaign) else None,
            path=procedure.to,
            body_hash=self._hashed(procedure.sent.decode()),
            gate=gate,
            dagster_run_id=run_id,
        )
        return self.note(call)

    def lane_of(self, procedure: Procedure) -> str:
        """What other calls of the kind share with this one. Of a user that is a salted hash."""
        who = procedure.person if isinstance(procedure, TriggerJourney) else None
        return procedure.lane + (f"-user-{self._hashed(who)}" if who else "")

    @contextmanager
    def turn(self, lane: str) -> Iterator[None]:
        """Be the only process at work in a lane. What one that died has left there is in doubt then.

        Raises CallAtWork while another is.
        """
        locks = self.path.with_name("calls.locks")
        locks.mkdir(exist_ok=True)
        lock = FileLock(locks / lane, mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise CallAtWork(
                f"another process makes the same call just now ({lane}). Nothing was sent by this one.\n"
                "Next: iterable-pipelines campaign calls"
            ) from None
        try:
            for each in self.in_doubt(lane):
                if each.state == "sending":
                    died = "the process ended before an answer came"
                    self.note(replace(each, state="unknown", note=died, doubtful_since=now()))
            yield
        finally:
            lock.release()

    def note(self, call: Call) -> Call:
        """Write a call down as it is now; on the disk when this returns."""
        return self._write("calls", call)

    def decide(self, decision: Decision) -> Decision:
        """Write a decision down."""
        return self._write("decisions", decision)

    def calls(self) -> list[Call]:
        """Every call, the newest first."""
        return self._read("calls", Call, "order by planned_at desc, rowid desc")

    def in_doubt(self, lane: str | None = None) -> list[Call]:
        """The calls that may have happened, the oldest first; of one lane if it is named."""
        which = "where state in (?, ?) and lane = coalesce(?, lane) order by planned_at, rowid"
        return self._read("calls", Call, which, (*IN_DOUBT, lane))

    def sends(self, campaign_id: int) -> list[Call]:
        """The calls that have sent a campaign, or may have, the newest first."""
        which = "where campaign_id = ? and lane = ? and state in ('done', ?, ?) order by sent_at desc, rowid desc"
        return self._read("calls", Call, which, (campaign_id, f"send-campaign-{campaign_id}", *IN_DOUBT))

    def decisions(self) -> list[Decision]:
        """Every decision, the newest first."""
        return self._read("decisions", Decision, "order by decided_at desc, rowid desc")

    def _write(self, table: str, row: Row) -> Row:
        values = {name: _stored(value) for name, value in asdict(row).items()}
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        changes = ", ".join(f"{name} = excluded.{name}" for name in values)
        with sqlite_file(self.path) as con:
            con.execute(
                f"insert into {table} ({names}) values ({marks}) on conflict (id) do update set {changes}",
                tuple(values.values()),
            )
        return row

    def _read(self, table: str, row: type[Row], which: str, values: tuple[object, ...] = ()) -> list[Row]:
        names = [each.name for each in fields(row)]
        with sqlite_file(self.path) as con:
            con.row_factory = sqlite3.Row
            found = con.execute(f"select {', '.join(names)} from {table} {which}", values).fetchall()
        return [row(**{name: _read_back(name, each[name]) for name in names}) for each in found]

    def _hashed(self, text: str) -> str:
        with sqlite_file(self.path) as con:
            (salt,) = con.execute("select value from meta where name = 'salt'").fetchone()
        return sha256(f"{salt} {text}".encode()).hexdigest()[:16]


def _stored(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return json.dumps(value) if isinstance(value, dict | list) else value


def _read_back(name: str, value: Any) -> Any:
    if name in _MOMENTS and value is not None:
        return datetime.fromisoformat(value)
    if name == "approved":
        return bool(value)
    return json.loads(value) if name in ("arguments", "before", "evidence", "overridden") else value
