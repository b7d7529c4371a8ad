"""One call of a procedure: read, refuse what cannot be, write down, send once, and note what came of it (4.2, R12)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from iterable_pipelines.api import Broken, Iterable, IterableError, Ledger, Refused
from iterable_pipelines.campaigns.answers import Meaning, read_answer
from iterable_pipelines.campaigns.campaign import read_campaign, read_size
from iterable_pipelines.campaigns.declaration import FOLDER, load_campaigns
from iterable_pipelines.campaigns.doubts import doubt, next_of, refuse_repeated, settled_now
from iterable_pipelines.campaigns.errors import CallAtWork, CallInDoubt, CallRefused
from iterable_pipelines.campaigns.ledger import Call, CallLedger
from iterable_pipelines.campaigns.procedures import STATES, OfCampaign, Procedure, TriggerCampaign, TriggerJourney
from iterable_pipelines.campaigns.publish import publish
from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.hours import now
from iterable_pipelines.settings import Settings

Log = Callable[[str], None]
# a call that was not let through is made again so often: it was not carried out (R10)
_ATTEMPTS = 5
_NOT_SENT = "Nothing was sent."


@dataclass(frozen=True)
class Prepared:
    """What a call finds before it is made. `sizes`: members of each list it goes to, None where nobody knows."""

    procedure: Procedure
    campaign: dict[str, Any] | None
    sizes: dict[int, int | None] = field(default_factory=dict)
    objections: tuple[str, ...] = ()

    @property
    def reach(self) -> int | None:
        """How many people at most; who is on two lists counts twice. None where that is not known."""
        known = [size for size in self.sizes.values() if size is not None]
        return sum(known) if self.sizes and len(known) == len(self.sizes) else None


# what else must be so before a call is made; it raises to refuse
Gate = Callable[[Prepared, Call], None]


@dataclass(frozen=True)
class Report:
    """A call as it was written down, and what it found before."""

    call: Call
    prepared: Prepared


def client_of(settings: Settings, log: Log) -> Iterable:
    """The way to Iterable, as every other command of the project goes it."""
    ledger = Ledger.of(settings)
    return Iterable(settings.required_api_key(), settings.url, ledger, log=log)


def prepare(procedure: Procedure, client: Iterable, moment: datetime) -> Prepared:
    """Read the campaign and the sizes of the lists, and say what speaks against the call. Raises IterableError."""
    campaign, against = None, procedure.objections(moment)
    sizes: dict[int, int | None] = {}
    if isinstance(procedure, OfCampaign):
        campaign = read_campaign(client, procedure.campaign_id)
        against += _against(procedure, campaign)
    if isinstance(procedure, TriggerCampaign):
        sizes = {list_id: read_size(client, list_id) for list_id in procedure.list_ids}
    elif isinstance(procedure, TriggerJourney) and procedure.list_id:
        sizes = {procedure.list_id: read_size(client, procedure.list_id)}
    elif procedure.kind == "send" and campaign:
        sizes = {list_id: read_size(client, list_id) for list_id in campaign["listIds"]}
    if campaign and client.server_date:
        # by its own clock: messages are looked for from here on
        campaign["readAt"] = client.server_date.isoformat()
    return Prepared(procedure, campaign, sizes, tuple(against))


def call(
    settings: Settings,
    procedure: Procedure,
    who: str,
    *,
    approve: bool = False,
    gate: Gate | None = None,
    gate_name: str | None = None,
    dagster_run_id: str | None = None,
    client: Iterable | None = None,
    log: Log = print,
    clock: Callable[[], datetime] = now,
) -> Report:
    """Call a procedure once; without `approve` only look. Either way it is written down, and published.

    Raises, with nothing sent: CallRefused (an argument, the campaign's state, the gate, Iterable's own answer),
    CallAtWork, CallInDoubt (an earlier call of the kind), IterableError (of a read). Raises CallInDoubt as well when
    the answer was lost and nothing shows whether the call has happened.
    """
    if approve and gate is None:
        _refuse_without_gate(settings, procedure)
    client, ledger = client or client_of(settings, log), CallLedger(settings)
    planned = ledger.plan(procedure, who, approve, clock(), gate_name, dagster_run_id)
    try:
        if not approve:
            return _look(ledger, planned, procedure, client, clock(), gate)
        with ledger.turn(planned.lane):
            return _send(ledger, planned, procedure, client, clock, gate, log)
    except CallAtWork as busy:
        ledger.note(replace(planned, state="refused", note=str(busy).partition("\n")[0], done_at=clock()))
        raise
    finally:
        publish(settings, ledger, log)


def _look(
    ledger: CallLedger, planned: Call, procedure: Procedure, client: Iterable, moment: datetime, gate: Gate | None
) -> Report:
    prepared = prepare(procedure, client, moment)
    doubts = tuple(doubt(each) for each in ledger.in_doubt(planned.lane))
    prepared = replace(prepared, objections=(*prepared.objections, *doubts))
    against = "; ".join(prepared.objections)
    noted = replace(_with_found(planned, prepared), state="dry_run", note=against, done_at=moment)
    ledger.note(noted)
    if gate:
        gate(prepared, noted)
    return Report(noted, prepared)


def _send(
    ledger: CallLedger,
    planned: Call,
    procedure: Procedure,
    client: Iterable,
    clock: Callable[[], datetime],
    gate: Gate | None,
    log: Log,
) -> Report:
    noted = planned
    try:
        for each in ledger.in_doubt(planned.lane):
            refuse_repeated(settled_now(ledger, each, client, clock()))
        prepared = prepare(procedure, client, clock())
        noted = _with_found(planned, prepared)
        if gate:
            # it looks at the objections too, and writes down what it decides
            gate(prepared, noted)
        if prepared.objections:
            raise CallRefused(_refusal(procedure, prepared))
    except Exception as error:
        ledger.note(replace(noted, state="refused", note=str(error).partition("\n")[0], done_at=clock()))
        raise
    sending = ledger.note(replace(noted, state="sending", sent_at=clock()))
    crashpoint("campaign_call_sending")
    done = _answered(ledger, sending, procedure, client, clock, log)
    return Report(done, prepared)


def _answered(
    ledger: CallLedger,
    sending: Call,
    procedure: Procedure,
    client: Iterable,
    clock: Callable[[], datetime],
    log: Log,
) -> Call:
    """Send, and note what came back; nothing is sent twice that may have been carried out."""
    try:
        status, meaning = _sent(procedure, client, log)
    except Refused as error:
        # by the client itself, before any byte has left
        status, meaning = None, Meaning("refused", str(error))
    except Broken as error:
        status, meaning = None, Meaning("unknown", str(error))
    crashpoint("campaign_call_answered")
    heard = replace(sending, http_status=status, response=meaning.text)
    answered = replace(heard, done_at=clock(), settled_by="answer")
    if meaning.outcome == "done":
        # said at once: the warehouse may keep whoever publishes this waiting
        log(f"{procedure.name}: Iterable answers {meaning.text}")
        return ledger.note(replace(answered, state="done"))
    if meaning.outcome in ("refused", "wait"):
        ledger.note(replace(answered, state="refused", note=meaning.advice))
        raise CallRefused(
            f"{procedure.name}: Iterable refuses: {meaning.text}. {_NOT_SENT}\n"
            f"{meaning.advice or 'Next: the same command, in a minute'}"
        )
    unknown = ledger.note(replace(heard, state="unknown", doubtful_since=clock()))
    log(f"{procedure.name}: no answer that tells: {meaning.text}. Iterable is asked what became of it")
    try:
        settled = settled_now(ledger, unknown, client, clock())
    except IterableError as error:
        log(f"Iterable could not be asked: {error}")
        settled = unknown
    if settled.state == "done":
        return settled
    if settled.state == "not_done":
        raise CallRefused(
            f"{procedure.name}: it did not happen: {settled.note}.\nNext: the same command makes the call anew"
        )
    raise CallInDoubt(f"{doubt(settled)}\nNext: {next_of(settled)}")


def _sent(procedure: Procedure, client: Iterable, log: Log) -> tuple[int, Meaning]:
    for _ in range(_ATTEMPTS):
        answer = client.write("POST", procedure.to, procedure.sent)
        meaning = read_answer(procedure, answer)
        if meaning.outcome != "wait":
            break
        # it was not carried out; the client's own ledger makes the next try wait
        client.hold_back("POST", procedure.to, 1.0 if answer.retry_after is None else answer.retry_after)
        log(f"{procedure.name}: {meaning.text}; it is tried again when the limit allows it")
    return answer.status, meaning


def _refuse_without_gate(settings: Settings, procedure: Procedure) -> None:
    """A campaign that has a gate is sent through it, or not at all."""
    if procedure.kind != "send" or not isinstance(procedure, OfCampaign):
        return
    for each in load_campaigns(settings):
        if each.campaign_id == procedure.campaign_id:
            raise CallRefused(
                f"{procedure.name}: campaign {each.campaign_id} has a gate, {FOLDER}/{each.name}.yml. {_NOT_SENT}\n"
                f"Next: iterable-pipelines campaign trigger {each.name}"
            )


def _with_found(noted: Call, prepared: Prepared) -> Call:
    return replace(noted, before=prepared.campaign or {}, list_size=prepared.reach)


def _against(procedure: OfCampaign, campaign: dict[str, Any] | None) -> list[str]:
    """Why Iterable would not do it, as far as the campaign shows."""
    if campaign is None:
        return [f"there is no campaign {procedure.campaign_id} in this project"]
    kind, state = campaign.get("type"), campaign.get("campaignState")
    if procedure.type and kind and kind != procedure.type:
        return [f"campaign {procedure.campaign_id} is of type {kind}, and only one of type {procedure.type} can be"]
    if state in STATES and state not in procedure.states:
        return [f"campaign {procedure.campaign_id} is {state}; it must be {' or '.join(sorted(procedure.states))}"]
    return []


def _refusal(procedure: Procedure, prepared: Prepared) -> str:
    then = 'iterable-pipelines query "select id, name, type, campaign_state from objects.campaigns"'
    return f"{procedure.name}: {'; '.join(prepared.objections)}. {_NOT_SENT}\nNext: {then}"
