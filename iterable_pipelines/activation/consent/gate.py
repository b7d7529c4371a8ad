"""Right before somebody is subscribed, Iterable is asked what they have now: what happened since the plan counts."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb

from iterable_pipelines.activation.asking import Lookups, not_asked, person_of
from iterable_pipelines.activation.consent.arrays import CHANNELS, LEFT_TYPES, LISTS, Current, current_of, rebuild
from iterable_pipelines.activation.consent.known import OWN_EXITS, OWN_WITHIN, PERSONAL, SUBSCRIBING
from iterable_pipelines.activation.errand import Replaced
from iterable_pipelines.activation.outbox import moment as utc_now
from iterable_pipelines.activation.outcomes import Outcome
from iterable_pipelines.activation.records import wire
from iterable_pipelines.activation.requests import Change
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.activation.verify.sameness import moment_of
from iterable_pipelines.api import Iterable, IterableError
from iterable_pipelines.api.user_reads import MOST_EVENTS, read_events, read_user
from iterable_pipelines.hours import now
from iterable_pipelines.quoting import literal

_FACTS = f"""
    select number, 'opted_in' as what, null::bigint as id, c.moment as happened_at, null::bigint as until,
        null::text as record
    from scratch.changes c where {SUBSCRIBING} and c.moment is not null
    union all
    select c.number, u.what, u.id, epoch(u.left_at)::bigint, null, null from scratch.changes c
    join scratch.unsubscribed u using (identity_kind, identity) where {SUBSCRIBING}
    union all
    select c.number, 'exit', x.id, epoch(x.exits_from)::bigint, epoch(x.exits_until)::bigint, null
    from scratch.changes c
    join ({OWN_EXITS}) x using (identity_kind, identity) where {SUBSCRIBING}
    union all
    select c.number, 'profile', null, null, null, i.record from scratch.changes c
    join scratch.imported i using (identity_kind, identity) where {SUBSCRIBING}
    order by number
"""
# what an event is about: arrays of ids, and single ones
_TOLD = {
    "list": ("emailListIds", "emailListId"),
    "channel": ("channelIds", "channelId"),
    "message_type": ("messageTypeIds", ""),
}

Thing = tuple[str, int]


@dataclass
class Facts:
    """What is known of one record: moments in seconds of the epoch. `left`: what was unsubscribed, and when."""

    opted_in: int | None = None
    left: dict[Thing, int] = field(default_factory=dict)
    # lists that we took them off, from when till when
    exits: list[tuple[int, int, int]] = field(default_factory=list)
    profile: dict[str, Any] | None = None

    def may(self, what: str, id: int, is_left: bool) -> bool:
        """Whether somebody may be subscribed: they never left, or have opted in since."""
        if (what, id) not in self.left and not is_left:
            return True
        # that they have left was seen only now
        at = self.left.get((what, id), int(now().timestamp()))
        return self.opted_in is not None and min(self.opted_in, int(now().timestamp())) > at

    def add_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Take in what single events tell: the newest of each thing counts."""
        newest: dict[Thing, tuple[int, bool]] = {}
        for each in events:
            kind, at = str(each.get("eventType") or each.get("_type") or ""), _seconds(each.get("createdAt"))
            if kind.lower() not in ("emailunsubscribe", "emailsubscribe"):
                continue
            leaves = kind.lower() == "emailunsubscribe"
            about = _about(each)
            for thing in about or ([("everything", 0)] if leaves else []):
                if leaves and self._is_own(each, thing, at):
                    continue
                if thing not in newest or (at, leaves) > newest[thing]:
                    newest[thing] = at, leaves
        for thing, (at, leaves) in newest.items():
            if leaves:
                self.left[thing] = max(at, self.left.get(thing, at))

    def _is_own(self, event: Mapping[str, Any], thing: Thing, at: int) -> bool:
        """Whether it tells of our taking somebody off a list."""
        personal = event.get("messageId") or event.get("campaignId") or event.get("unsubSource") in PERSONAL
        near = OWN_WITHIN.seconds
        return not personal and any(
            thing == ("list", id) and begin - near <= at <= end + near for id, begin, end in self.exits
        )


class ConsentGate:
    """Asks for each user of a request: of lists, whether they may be put on; of subscriptions, what to send."""

    def __init__(self, workspace: Workspace, channels: frozenset[int] | None, clients: Callable[[], Iterable]) -> None:
        """`channels`: those that a list goes by, None for all. `clients` makes one for a thread."""
        self._file: Path = workspace.folder / "consent.parquet"
        workspace.con.execute(f"copy ({_FACTS}) to {literal(str(self._file))} (row_group_size 20000)")
        self._channels, self._lookups, self._lock = channels, Lookups(clients), Lock()
        self._seen: list[tuple[Any, ...]] = []
        self._returned: list[tuple[Any, ...]] = []

    def __call__(self, client: Iterable, changes: Sequence[Change]) -> dict[int, Outcome | Replaced]:
        """By number, what must not be sent, and what goes as something else. Several threads may call it at once."""
        asked = [each for each in changes if each.endpoint.name in ("subscribe", "subscriptions")]
        if not asked:
            return {}
        facts = self._facts(asked)
        decided = self._lookups.ask(lambda own, each: self._decide(own, each, facts[each.number]), asked)
        found: dict[int, Outcome | Replaced] = {}
        for change, each in zip(asked, decided, strict=True):
            if isinstance(each, IterableError):
                found[change.number] = Outcome(
                    "deferred", "lookup_failed", not_asked(each, "what this user is subscribed to")
                )
            elif each is not None:
                found[change.number] = each
        return found

    def note_seen(self, workspace: Workspace) -> None:
        """Remember since when somebody is known to be unsubscribed, for the runs to come; not of who came back."""
        known = "(s.identity_kind, s.identity, s.what, s.id)"
        with workspace.transaction() as con:
            con.execute(
                f"delete from state.unsubscribed s where {known} in "
                "(select (identity_kind, identity, what, id) from scratch.returned)"
            )
            con.execute(
                "insert into state.unsubscribed select identity_kind, identity, what, id, left_at "
                "from scratch.unsubscribed u where by_state and not exists (from state.unsubscribed s "
                f"where {known} = (u.identity_kind, u.identity, u.what, u.id))"
            )
            for seen in self._seen:
                con.execute(
                    "insert into state.unsubscribed select $1, $2, $3, $4, $5 "
                    f"where not exists (from state.unsubscribed s where {known} = ($1, $2, $3, $4))",
                    seen,
                )
            for thing in self._returned:
                con.execute(f"delete from state.unsubscribed s where {known} = ($1, $2, $3, $4)", thing)

    def _facts(self, changes: Sequence[Change]) -> dict[int, Facts]:
        numbers = [each.number for each in changes]
        found = {number: Facts() for number in numbers}
        with duckdb.connect() as con:
            rows = con.execute(
                f"select * from {literal(str(self._file))} where number between ? and ? and list_contains(?, number)",
                [min(numbers), max(numbers), numbers],
            ).fetchall()
        for number, what, id, at, until, record in rows:
            own = found[number]
            if what == "opted_in":
                own.opted_in = at
            elif what == "exit":
                own.exits.append((id, at, until))
            elif what == "profile":
                own.profile = {"dataFields": json.loads(record)}
            else:
                own.left[what, id] = at
        return found

    def _decide(self, client: Iterable, change: Change, facts: Facts) -> Outcome | Replaced | None:
        profile = facts.profile or read_user(client, person_of(change))
        if change.endpoint.name == "subscribe":
            return self._member(client, change, facts, profile)
        return self._subscriber(client, change, facts, profile)

    def _member(
        self, client: Iterable, change: Change, facts: Facts, profile: Mapping[str, Any] | None
    ) -> Outcome | None:
        if profile is None:
            # nobody has unsubscribed who is not there
            return None
        current, list_id = current_of(profile), json.loads(change.flags).get("listId")
        self._note(change, facts, _left(current))
        if list_id in current[LISTS]:
            # there is nothing to give back
            return None
        facts.add_events(read_events(client, person_of(change), MOST_EVENTS))
        left = current[CHANNELS]
        about = [("channel", each) for each in left if self._channels is None or each in self._channels]
        about += [thing for thing in facts.left if thing in (("list", list_id), ("everything", 0))]
        stays = [thing for thing in about if not facts.may(*thing, is_left=True)]
        return Outcome("skipped", "unsubscribed", "unsubscribed, and no newer opt-in is known") if stays else None

    def _subscriber(
        self, client: Iterable, change: Change, facts: Facts, profile: Mapping[str, Any] | None
    ) -> Outcome | Replaced:
        payload, current = change.read(), current_of(profile)
        left = _left(current)
        self._note(change, facts, left)

        def may(what: str, id: int) -> bool:
            if what == "list" or (what, id) in left:
                return facts.may(what, id, (what, id) in left)
            # whoever has come back by themselves may stay
            return True

        found = rebuild(payload, current, may)
        if profile is not None and facts.profile is None and _gives_back(found.arrays, current):
            # before anything is given back: what they did since it was imported
            facts.add_events(read_events(client, person_of(change), MOST_EVENTS))
            found = rebuild(payload, current, may)
        note = f"consent_kept:{len(found.kept)}" if found.kept else ""
        if not found.arrays and profile is not None:
            outcome = Outcome("skipped", "consent_kept", "unsubscribed, and no newer opt-in is known")
            noop = Replaced("", wire(found.wish), outcome=Outcome("noop", "as_it_is"))
            return outcome if found.kept else noop
        others = {name: payload[name] for name in payload if name in ("email", "userId", "campaignId", "templateId")}
        return Replaced(wire({**others, **found.arrays}), wire(found.wish), note)

    def _note(self, change: Change, facts: Facts, now_left: set[Thing]) -> None:
        """What was not known to be left, and what was left once and is not any more."""
        who, moment = (change.identity_kind, change.identity), utc_now()
        with self._lock:
            self._seen += [(*who, *thing, moment) for thing in now_left if thing not in facts.left]
            back = {thing for thing in facts.left if thing[0] in ("channel", "message_type")} - now_left
            self._returned += [(*who, *thing) for thing in back]


def _left(current: Current) -> set[Thing]:
    """What the profile shows to be left."""
    found = {("channel", each) for each in current[CHANNELS]}
    return found | {("message_type", each) for each in current[LEFT_TYPES]}


def _gives_back(arrays: Mapping[str, list[int]], current: Current) -> bool:
    """Whether the request subscribes somebody to something that they are not subscribed to now."""
    gains = set(arrays.get(LISTS, ())) - current[LISTS]
    for name in (CHANNELS, LEFT_TYPES):
        gains |= current[name] - set(arrays.get(name, current[name]))
    return bool(gains)


def _about(event: Mapping[str, Any]) -> list[Thing]:
    found = []
    for what, (many, one) in _TOLD.items():
        ids = event.get(many)
        told = [*(ids if isinstance(ids, list) else ()), event.get(one)]
        found += [(what, int(each)) for each in told if str(each).isdigit()]
    return found


def _seconds(written: Any) -> int:
    """A moment that cannot be read may be any: it counts as now."""
    return int((moment_of(written) or now()).timestamp())
