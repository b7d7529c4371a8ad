"""Requests: changes packed in order, by count and by the exact bytes of the whole body (B1 to B4, I9)."""

import json
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from iterable_pipelines.activation.endpoints import ENDPOINTS, MOST_BYTES, Endpoint
from iterable_pipelines.activation.records import wire


@dataclass(frozen=True)
class Change:
    """One record on its way: a row of state.changes. `flags` and `payload` are JSON text, sent as they are."""

    number: int
    pk: str
    output: str
    endpoint: Endpoint
    flags: str
    identity_kind: str | None
    identity: str | None
    payload: str

    @property
    def lane(self) -> str | None:
        """Whose records must not overtake each other (B4)."""
        return None if self.identity is None else f"{self.identity_kind}:{self.identity}"

    def read(self) -> dict[str, Any]:
        """The payload as an object."""
        found: dict[str, Any] = json.loads(self.payload)
        return found


@dataclass
class Request:
    """What is sent at once. The bytes are made once, so that whatever is sent again is the same (R11, S7)."""

    changes: list[Change]
    # ids of one time lie together, so that the few rows of a request are found without reading all of them
    id: str = field(default_factory=lambda: f"{time.time_ns():016x}-{uuid4().hex[:12]}")
    stored: bytes | None = None
    _body: bytes | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where it goes."""
        return self.changes[0].endpoint

    @property
    def flags(self) -> str:
        """Its members beside the records (B3)."""
        return self.changes[0].flags

    @property
    def path(self) -> str:
        """The path, filled with the flags that stand in it; for a deletion of a user it ends with whom it is about."""
        change = self.changes[0]
        if change.endpoint.in_path:
            flags = json.loads(change.flags)
            return change.endpoint.path.format_map(
                {each: quote(str(flags[each]), "") for each in change.endpoint.in_path}
            )
        if change.endpoint.name != "delete":
            return change.endpoint.path
        user = change.read()
        if "userId" in user:
            return f"{change.endpoint.path}byUserId/{quote(str(user['userId']), '')}"
        return change.endpoint.path + quote(str(user["email"]), "")

    @property
    def place(self) -> tuple[str, str]:
        """What nothing more is sent to once it is found gone: a list, a catalog with all that is in it (R15)."""
        if self.endpoint.in_path:
            return self.endpoint.name, self.path.partition("/items")[0]
        return self.endpoint.name, self.flags

    @property
    def body(self) -> bytes:
        """The exact bytes."""
        if self._body is None:
            self._body = self.stored if self.stored is not None else _body(self.changes)
        return self._body


def _body(changes: list[Change]) -> bytes:
    first = changes[0]
    if first.endpoint.method == "DELETE" and first.endpoint.envelope is None:
        return b""
    members = _members(first)
    if first.endpoint.envelope is None:
        own = ",".join(filter(None, (first.payload.strip()[1:-1], members)))
        # what the path says wholly has no body, as a new catalog has none
        return f"{{{own}}}".encode() if own else b""
    records = ",".join(_in_envelope(each) for each in changes)
    opened, closed = ("{", "}") if first.endpoint.shape == "map" else ("[", "]")
    envelope = f'"{first.endpoint.envelope}":{opened}{records}{closed}'
    return (f"{{{envelope}" + (f",{members}" if members else "") + "}").encode()


def _members(change: Change) -> str:
    """The flags that go into the body."""
    if not change.endpoint.in_path:
        return change.flags.strip()[1:-1]
    flags = json.loads(change.flags)
    return wire({name: value for name, value in flags.items() if name not in change.endpoint.in_path})[1:-1]


def _in_envelope(change: Change) -> str:
    if change.endpoint.shape == "array":
        return change.payload
    # keys are sorted: `{"id":"…"}` or `{"id":"…","value":…}`, and such ids hold no quotes (outbound.md 4.1)
    name, _, value = change.payload[len('{"id":') : -1].partition(',"value":')
    return f"{name}:{value}" if change.endpoint.shape == "map" else name


def _size(change: Change) -> int:
    return len(change.payload.encode())


def _envelope(change: Change) -> int:
    return len(_body([replace(change, payload="")])) if change.endpoint.envelope else len(change.flags.encode())


@dataclass
class _Open:
    """A request that still takes records."""

    changes: list[Change]
    bytes: int


class Packer:
    """Cuts a stream of changes into requests, and holds back whoever has a record on its way already.

    `add` what comes, `next` what may go, and `settled` for every record that is answered.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """`most_bytes` may be lowered while it works (R10)."""
        self.most_bytes = most_bytes
        self.too_large: list[Change] = []
        self._open: dict[tuple[str, str], _Open] = {}
        self._full: deque[Request] = deque()
        # lane → the group its records are in, and how many of them are not answered
        self._busy: dict[str, tuple[tuple[str, str], int]] = {}
        self._in_open: dict[str, tuple[str, str]] = {}
        self._held: dict[str, deque[Change]] = {}

    @property
    def held(self) -> int:
        """How many changes wait for the answer to another of the same identity."""
        return sum(map(len, self._held.values()))

    def add(self, changes: Iterable[Change]) -> None:
        """Take changes in the order in which they are to be sent."""
        for change in changes:
            lane = change.lane
            if lane is not None and (lane in self._held or self._must_wait(change, lane)):
                self._held.setdefault(lane, deque()).append(change)
            else:
                self._pack(change, lane)

    def next(self, flush: bool) -> Request | None:
        """A request that may go now; with `flush` also one that is not full."""
        if not self._full and flush and self._open:
            self._close(next(iter(self._open)))
        if not self._full:
            return None
        request = self._full.popleft()
        # it was packed before the limit was lowered
        fitting = len(request.changes) if self.most_bytes == MOST_BYTES else prefix(request.changes, self.most_bytes)
        if fitting < len(request.changes):
            self._full.appendleft(Request(request.changes[fitting:]))
            request = Request(request.changes[:fitting])
        return request

    def settled(self, changes: Iterable[Change]) -> None:
        """These are answered: what was held back for them may go."""
        for change in changes:
            lane = change.lane
            if lane is None or lane not in self._busy:
                continue
            group, left = self._busy[lane]
            if left > 1:
                self._busy[lane] = group, left - 1
                continue
            del self._busy[lane]
            self._in_open.pop(lane, None)
            waiting = self._held.pop(lane, deque())
            while waiting and not self._must_wait(waiting[0], lane):
                self._pack(waiting.popleft(), lane)
            if waiting:
                self._held[lane] = waiting + self._held.get(lane, deque())

    def _must_wait(self, change: Change, lane: str) -> bool:
        if lane not in self._busy:
            return False
        # events may repeat whom they are of, as long as they travel together
        together = change.endpoint.repeat == "event" and change.endpoint.envelope is not None
        return not (together and self._in_open.get(lane) == _group(change))

    def _pack(self, change: Change, lane: str | None) -> None:
        size, group = _size(change), _group(change)
        if size + _envelope(change) > MOST_BYTES:
            # B2: alone it is too much
            self.too_large.append(change)
            return
        found = self._open.get(group)
        # a comma before each but the first
        if found and (len(found.changes) >= change.endpoint.most or found.bytes + size + 1 > self.most_bytes):
            self._close(group)
            if lane is not None and lane in self._busy:
                self._held.setdefault(lane, deque()).append(change)
                return
            found = None
        if found is None:
            found = self._open[group] = _Open([], _envelope(change) - 1)
        found.changes.append(change)
        found.bytes += size + 1
        if lane is not None:
            self._busy[lane] = group, self._busy.get(lane, (group, 0))[1] + 1
            self._in_open[lane] = group
        if len(found.changes) >= change.endpoint.most:
            self._close(group)

    def _close(self, group: tuple[str, str]) -> None:
        closed = self._open.pop(group)
        for change in closed.changes:
            if change.lane is not None:
                self._in_open.pop(change.lane, None)
        self._full.append(Request(closed.changes))


def merge_of(change: Change) -> Change:
    """Instead of a change of address: its profile merged into the one that has the new address."""
    asked = change.read()
    source = {"Email": asked.get("currentEmail"), "UserId": asked.get("currentUserId")}
    payload = {f"source{kind}": name for kind, name in source.items() if name} | {"destinationEmail": asked["newEmail"]}
    return replace(change, endpoint=ENDPOINTS["merge"], payload=json.dumps(payload, separators=(",", ":")))


def prefix(changes: list[Change], most_bytes: int) -> int:
    """How many of the first of these, which share a group, fit into one request: at least one."""
    size = _envelope(changes[0]) - 1
    for place, change in enumerate(changes[: changes[0].endpoint.most]):
        size += _size(change) + 1
        if size > most_bytes and place:
            return place
    return min(len(changes), changes[0].endpoint.most)


def _group(change: Change) -> tuple[str, str]:
    return change.endpoint.name, change.flags
