"""Calls that may have happened: settled by reading, or by somebody's word, and not repeated before that (S9, R12)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Literal

from iterable_pipelines.api import Iterable
from iterable_pipelines.campaigns.errors import CallInDoubt, CallRefused
from iterable_pipelines.campaigns.ledger import Call, CallLedger
from iterable_pipelines.campaigns.publish import publish
from iterable_pipelines.campaigns.settle import became
from iterable_pipelines.hours import now
from iterable_pipelines.settings import Settings

Log = Callable[[str], None]


def settle(
    settings: Settings, call_id: str, client: Iterable, clock: Callable[[], datetime] = now, log: Log = print
) -> Call:
    """Ask Iterable what became of a call that is in doubt. Raises CallAtWork, IterableError."""
    ledger = CallLedger(settings)
    found = one_call(ledger, call_id)
    with ledger.turn(found.lane):
        found = settled_now(ledger, one_call(ledger, call_id), client, clock())
    publish(settings, ledger, log)
    return found


def resolve(settings: Settings, call_id: str, how: Literal["done", "not_done"], who: str, log: Log = print) -> Call:
    """Take somebody's word for what became of a call that is in doubt. Raises CallRefused for one that is not."""
    ledger = CallLedger(settings)
    found = one_call(ledger, call_id)
    with ledger.turn(found.lane):
        found = one_call(ledger, call_id)
        if found.state != "unknown":
            raise CallRefused(
                f"call {call_id} is {found.state}, and not in doubt. Nothing was changed.\n"
                "Next: iterable-pipelines campaign calls"
            )
        found = ledger.note(replace(found, state=how, settled_by=who, done_at=now()))
    publish(settings, ledger, log)
    return found


def one_call(ledger: CallLedger, call_id: str) -> Call:
    """The call of that id. Raises CallRefused for none."""
    for each in ledger.calls():
        if each.id == call_id:
            return each
    raise CallRefused(f"there is no call {call_id}. Nothing was changed.\nNext: iterable-pipelines campaign calls")


def settled_now(ledger: CallLedger, doubtful: Call, client: Iterable, moment: datetime) -> Call:
    """What Iterable shows of a call in doubt, noted."""
    if doubtful.state != "unknown":
        return doubtful
    settled, shown = became(client, doubtful, moment)
    if settled == "unknown":
        return ledger.note(replace(doubtful, note=shown))
    return ledger.note(replace(doubtful, state=settled, note=shown, settled_by="reading", done_at=moment))


def refuse_repeated(earlier: Call) -> None:
    """Refuse a call while the one before it is in doubt, or has just turned out to have happened."""
    if earlier.state == "unknown":
        raise CallInDoubt(f"{doubt(earlier)} Nothing was sent now.\nNext: {next_of(earlier)}")
    if earlier.state == "done":
        raise CallRefused(
            f"the call {earlier.id} of {earlier.planned_at:%Y-%m-%d %H:%M} UTC, whose answer was lost, has happened: "
            f"{earlier.note}. Nothing was sent now.\nNext: only if it is to happen once more, the same command again"
        )


def doubt(each: Call) -> str:
    """That nobody knows, in words."""
    why = f" ({each.note})" if each.note else ""
    return (
        f"it is not known whether {each.procedure}, call {each.id} of {each.planned_at:%Y-%m-%d %H:%M} UTC, has "
        f"happened{why}. It is not repeated."
    )


def next_of(each: Call) -> str:
    """How such a call is settled."""
    by_hand = f"iterable-pipelines campaign settle {each.id} --happened, or --did-not"
    if each.campaign_id is None:
        return f"look at the journey in Iterable, then {by_hand}"
    return f"iterable-pipelines campaign settle {each.id}, later too; or, once you have looked in Iterable, {by_hand}"
