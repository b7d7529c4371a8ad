"""The checks of a gate: one small function each. What is not known has not passed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from iterable_pipelines.campaigns.calls import Prepared
from iterable_pipelines.campaigns.declaration import CheckName, GatedCampaign
from iterable_pipelines.campaigns.ledger import Call, CallLedger
from iterable_pipelines.campaigns.sync_facts import SyncFacts
from iterable_pipelines.hours import HOUR, hour_of
from iterable_pipelines.objects.list_members.staleness import age
from iterable_pipelines.objects.list_members.tables import MemberList, load_lists
from iterable_pipelines.published import reading, without_values
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.completeness import SILENT, UNTOUCHED
from iterable_pipelines.streams.warehouse import WarehouseFailed

Figures = dict[str, Any]
# whether it passed (None: that cannot be known), what was found, and the figures of it
Found = tuple[bool | None, str, Figures]


@dataclass(frozen=True)
class Facts:
    """What the checks go by. `sync`: None while a run of it is at work; `prepared`: None without a call."""

    settings: Settings
    campaign: GatedCampaign
    prepared: Prepared | None
    ledger: CallLedger
    moment: datetime
    sync: SyncFacts | None


@dataclass(frozen=True)
class Check:
    """One check of a gate. `passed` is None where that cannot be known, which counts as no."""

    name: CheckName
    passed: bool | None
    text: str
    figures: Figures = field(default_factory=dict)
    overridden: bool = False

    @property
    def lets_pass(self) -> bool:
        """Whether it stands in nobody's way."""
        return self.passed is True or self.overridden

    @property
    def word(self) -> str:
        """passed, failed, unknown or overridden."""
        return "overridden" if self.overridden else {True: "passed", False: "failed", None: "unknown"}[self.passed]

    def as_json(self) -> dict[str, Any]:
        """For the ledger."""
        return asdict(self)


def evaluate(facts: Facts, overrides: Sequence[str] = ()) -> list[Check]:
    """Every check that the campaign's gate asks for: all are looked at, also after one has failed."""
    found = []
    for name in facts.campaign.checks:
        try:
            passed, text, figures = _CHECKS[name](facts)
        except (WarehouseFailed, duckdb.Error) as error:
            # nothing is imported yet, or nothing of this
            cause = without_values(error) if isinstance(error, duckdb.Error) else str(error).splitlines()[0]
            passed, text, figures = None, f"nothing published shows it: {cause}", {}
        found.append(Check(name, passed, text, figures, passed is not True and name in overrides))
    return found


def _campaign(facts: Facts) -> Found:
    if facts.prepared is None:
        return None, "it was not looked at", {}
    against = facts.prepared.objections
    state = (facts.prepared.campaign or {}).get("campaignState")
    return not against, "; ".join(against) or f"campaign {facts.campaign.campaign_id} is {state}", {"state": state}


def _audience(facts: Facts) -> Found:
    if facts.sync is None:
        return _at_work(facts)
    known = facts.sync.list_id
    told = f"{facts.campaign.audience} keeps list {known}" if known else "it has not made or found its list yet"
    return known is not None, told, {"list_id": known}


def _fresh(facts: Facts) -> Found:
    allowed = facts.campaign.gate.fresh_within
    assert allowed is not None
    if facts.campaign.audience is None:
        return _read_within(facts, facts.campaign.list_ids, allowed)
    if facts.sync is None:
        return _at_work(facts)
    last = facts.sync.fresh_at
    figures = {"last_whole_run": _spelled(last), "allowed_hours": _hours(allowed)}
    if last is None:
        return False, f"no run of {facts.campaign.audience} has sent all of it", figures
    old = facts.moment - last
    text = f"{facts.campaign.audience} was last sent as a whole at {_spelled(last)} UTC, {_hours(old)} hours ago"
    return old <= allowed, text, {**figures, "hours": _hours(old)}


def _complete(facts: Facts) -> Found:
    if facts.sync is None:
        return _at_work(facts)
    run = facts.sync
    figures = {"status": run.status, "whole": run.whole, "pending": run.pending}
    text = f"the last run of {facts.campaign.audience}: {run.status or 'never run'}, {run.pending:,} records pending"
    return run.status == "succeeded" and bool(run.whole) and run.pending == 0, text, figures


def _rejects(facts: Facts) -> Found:
    if facts.sync is None:
        return _at_work(facts)
    allowed = facts.campaign.gate.max_reject_ratio
    ratio, kept = facts.sync.reject_ratio, facts.sync.acknowledged
    figures = {"ratio": ratio, "allowed": allowed, "acknowledged": kept}
    if not kept:
        return None, "nothing of it is acknowledged", figures
    return ratio <= allowed, f"{ratio:.1%} of its records are refused; {allowed:.1%} are allowed", figures


def _verified(facts: Facts) -> Found:
    """Records that were read back, or members that were counted: at least one of the two, and none may be short."""
    if facts.sync is None:
        return _at_work(facts)
    needed, sync, within = facts.campaign.gate.min_verified, facts.sync, facts.campaign.gate.fresh_within
    figures = {
        "verified_at": _spelled(sync.verified_at),
        "read_back": sync.read_back,
        "ratio": sync.verified_ratio,
        "on_list": sync.on_list,
        "needed": needed,
    }
    if sync.verified_at is None or (not sync.read_back and sync.on_list is None):
        return None, f"{facts.campaign.audience} was never read back", figures
    if within and facts.moment - sync.verified_at > within:
        return False, f"it was last read back at {_spelled(sync.verified_at)} UTC", figures
    shares = [sync.verified_ratio] if sync.read_back else []
    shares += [] if sync.on_list is None else [sync.on_list]
    return min(shares) >= needed, f"{min(shares):.1%} is at Iterable as it was sent; {needed:.1%} is needed", figures


def _streams(facts: Facts) -> Found:
    asked = facts.campaign.gate.streams
    assert asked is not None
    end = hour_of(facts.moment - UNTOUCHED)
    start = max(end - asked.hours * HOUR, facts.settings.start_date)
    if start >= end:
        return None, f"the import begins at {_spelled(start)} UTC: there is no hour to look at yet", {}
    with reading(facts.settings) as con:
        rows = con.execute(
            # an hour is there when every data type of the stream is, and has nothing that is lacking
            "select stream, count(distinct hour) filter (not lacks), count(distinct hour) filter (lacks) from (select "
            "stream, hour, bool_or(coalesce(trouble, $silent) <> $silent) as lacks from streams.completeness "
            "where list_contains($streams, stream) and hour >= $start and hour < $end group by all) group by stream",
            {"silent": SILENT, "streams": list(asked.names), "start": _naive(start), "end": _naive(end)},
        ).fetchall()
    there = {stream: (whole, lacking) for stream, whole, lacking in rows}
    expected = int((end - start) / HOUR)
    figures = {name: f"{there.get(name, (0, 0))[0]} of {expected} hours" for name in asked.names}
    short = [name for name in asked.names if there.get(name, (0, 0))[0] < expected]
    if not short:
        return True, f"{', '.join(asked.names)}: complete from {_spelled(start)} to {_spelled(end)} UTC", figures
    told = ", ".join(f"{name}: {figures[name]}" for name in short)
    return False, f"not complete: {told}. Next: iterable-pipelines plan", figures


def _size(facts: Facts) -> Found:
    asked, reach = facts.campaign.gate.size, facts.prepared.reach if facts.prepared else None
    assert asked is not None
    before = next((each.list_size for each in _sends(facts) if each.list_size is not None), None)
    figures: Figures = {"members": reach, "min": asked.min, "max": asked.max, "members_last_time": before}
    if reach is None:
        return None, "Iterable does not say how many are on its lists", figures
    text = f"{reach:,} are on its lists" + (f", {before:,} were the last time" if before is not None else "")
    wrong = []
    if asked.min is not None and reach < asked.min:
        wrong.append(f"at least {asked.min:,} are asked for")
    if asked.max is not None and reach > asked.max:
        wrong.append(f"at most {asked.max:,} are allowed")
    if asked.max_change is not None and before is not None:
        change = abs(reach - before) / max(before, 1)
        figures["change"] = round(change, 4)
        if change > asked.max_change:
            wrong.append(f"that is a change of {change:.0%}, and {asked.max_change:.0%} is allowed")
    return not wrong, "; ".join([text, *wrong]), figures


def _suppression(facts: Facts) -> Found:
    asked = facts.campaign.gate.suppression
    assert asked is not None
    return _read_within(facts, asked.lists, asked.read_within)


def _not_too_often(facts: Facts) -> Found:
    apart = facts.campaign.gate.at_most_every
    assert apart is not None
    sends = _sends(facts)
    doubtful = [each for each in sends if each.state != "done"]
    if doubtful:
        return None, f"it is not known whether call {doubtful[0].id} has sent it", {"in_doubt": doubtful[0].id}
    if not sends:
        return True, "it was never sent from here", {"allowed_hours": _hours(apart)}
    last = max(each.sent_at or each.planned_at for each in sends)
    ago = facts.moment - last
    figures = {"last_sent": _spelled(last), "hours": _hours(ago), "allowed_hours": _hours(apart)}
    return ago >= apart, f"it was last sent at {_spelled(last)} UTC, {_hours(ago)} hours ago", figures


def _awake(facts: Facts) -> Found:
    quiet = facts.campaign.gate.quiet_hours
    assert quiet is not None
    here = facts.moment.astimezone(ZoneInfo(quiet.timezone)).time().replace(tzinfo=None)
    over_night = quiet.start > quiet.end
    asleep = (here >= quiet.start or here < quiet.end) if over_night else quiet.start <= here < quiet.end
    text = f"it is {here:%H:%M} in {quiet.timezone}; quiet from {quiet.start:%H:%M} to {quiet.end:%H:%M}"
    return not asleep, text, {"time": f"{here:%H:%M}"}


def _read_within(facts: Facts, lists: Sequence[int], allowed: timedelta) -> Found:
    """Whether the members of these lists are known as of lately."""
    with reading(facts.settings) as con:
        known: Mapping[int, MemberList] = {each.id: each for each in load_lists(con, facts.settings, facts.moment)}
    ages = {each: age(known[each], facts.moment) if each in known else None for each in lists}
    figures = {f"list_{each}_hours": None if old is None else _hours(old) for each, old in ages.items()}
    told = [
        f"list {each} is not there, or was never read" if old is None else f"list {each} was read {_hours(old)} h ago"
        for each, old in ages.items()
    ]
    passed = all(old is not None and old <= allowed for old in ages.values())
    told += [] if passed else [f"{_hours(allowed)} hours are allowed"]
    return passed, "; ".join(told), {**figures, "allowed_hours": _hours(allowed)}


def _sends(facts: Facts) -> list[Call]:
    return facts.ledger.sends(facts.campaign.campaign_id)


def _at_work(facts: Facts) -> Found:
    return None, f"a run of {facts.campaign.audience} is at work: nobody knows what it has sent by now", {}


def _hours(span: timedelta) -> float:
    return round(span / HOUR, 1)


def _spelled(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else None


def _naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


_CHECKS: dict[CheckName, Callable[[Facts], Found]] = {
    "campaign": _campaign,
    "audience": _audience,
    "fresh": _fresh,
    "complete": _complete,
    "rejects": _rejects,
    "verified": _verified,
    "streams": _streams,
    "size": _size,
    "suppression": _suppression,
    "not_too_often": _not_too_often,
    "awake": _awake,
}
