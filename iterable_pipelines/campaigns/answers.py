"""What Iterable's answer to a call means: done, refused, to be waited for, or not known (api.md 1.4, R12). Pure."""

from dataclasses import dataclass
from typing import Literal

from iterable_pipelines.api import Answer
from iterable_pipelines.api.error_body import plain_text
from iterable_pipelines.campaigns.procedures import OfCampaign, Procedure

# errors that say nothing of whether the call was carried out
_PASSING = ("GenericError", "DatabaseError", "QueueEmailError", "")
_QUERY = 'iterable-pipelines query "select id, name, type, campaign_state from objects.campaigns where id = {id}"'


@dataclass(frozen=True)
class Meaning:
    """`text` is what Iterable said, and `advice` what to do about a refusal; neither holds anything of a person."""

    outcome: Literal["done", "refused", "wait", "unknown"]
    text: str
    advice: str = ""


def read_answer(procedure: Procedure, answer: Answer) -> Meaning:
    """Judge an answer by its status first, then by its code."""
    body = answer.json() or {}
    code, message = str(body.get("code") or ""), str(body.get("msg") or body.get("message") or "")
    said = plain_text((message or answer.body.decode("utf-8", "replace")).encode())
    text = f"HTTP {answer.status}" + (f" {code}" if code else "") + (f": {said}" if said else "")
    if answer.status == 429 or code == "RateLimitExceeded":
        return Meaning("wait", text)
    if answer.status < 300:
        if code == "Success":
            return Meaning("done", text)
        # R17: an answer that nobody documents is no success, and no refusal either
        return Meaning("unknown" if code in _PASSING else "refused", text, _advice(procedure, 400, message))
    if answer.status == 408 or answer.status >= 500:
        return Meaning("unknown", text)
    return Meaning("refused", text, _advice(procedure, answer.status, message))


def _advice(procedure: Procedure, status: int, message: str) -> str:
    """What a refusal comes from, and the next command."""
    if status in (401, 407):
        return "The key is no good for this. Next: iterable-pipelines check"
    if status == 403:
        return (
            f"Iterable has not switched this on for your project, or the key lacks the right to {procedure.command} a "
            "campaign. Next: ask Iterable's support to enable it by API, or do it in Iterable's own pages"
        )
    if "invalidListId" in message or "listIds" in message:
        return "A list is not there, or is none to send to. Next: iterable-pipelines lists"
    if "already being triggered" in message:
        return "The list is still on its way into this journey. Next: the same command once that is over"
    if not isinstance(procedure, OfCampaign):
        return "Next: look at the journey in Iterable: it must be switched on, and let the API start it"
    look = _QUERY.format(id=procedure.campaign_id)
    if "not a triggered campaign" in message:
        return (
            "It is a blast, which has lists of its own. "
            f"Next: iterable-pipelines campaign send {procedure.campaign_id}, or {look}"
        )
    if "failed" in message or "state" in message.lower():
        return f"It is in no state in which Iterable does that. Next: {look}"
    if status == 404 or "campaignId" in message or "not found" in message.lower():
        return f"There is no such campaign in this project. Next: {look}"
    return f"Next: {look}"
