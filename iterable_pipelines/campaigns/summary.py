"""A call in words: for the command line, and for the log of a run in Dagster. Nobody is named."""

import json

from iterable_pipelines.campaigns.calls import Report
from iterable_pipelines.campaigns.gates import Check


def summary(report: Report) -> list[str]:
    """What it is about, the request, how many it goes to, what speaks against it, and what came of it."""
    call, prepared = report.call, report.prepared
    lines = []
    if campaign := prepared.campaign:
        kind = f"{campaign.get('messageMedium')}, {campaign.get('type')}"
        lines.append(f"campaign {call.campaign_id}: {campaign.get('name')} ({kind}), {campaign.get('campaignState')}")
    lines.append(f"POST {call.path} {_body(report)}".rstrip())
    for list_id, size in prepared.sizes.items():
        lines.append(f"list {list_id}: {'Iterable does not say how many' if size is None else f'{size:,} members'}")
    lines += [f"- stops: {each}" for each in prepared.objections]
    if call.approved:
        came = f": {call.note}" if call.settled_by == "reading" else f": {call.response}"
        lines.append(f"{call.procedure}: {call.state}{came} (call {call.id})")
    return lines


def gate_table(checks: list[Check]) -> str:
    """What the checks of a gate found, as a table in markdown."""
    rows = [f"| {each.name} | {each.word} | {each.text.replace('|', chr(92) + '|')} |" for each in checks]
    return "\n".join(["| check | | what was found |", "|---|---|---|", *rows])


def _body(report: Report) -> str:
    """The body as it is sent, without persons and values of data fields."""
    procedure = report.prepared.procedure
    body = procedure.body
    if body is None:
        return ""
    hidden = {"dataFields", *(name for name in ("email", "userId") if name in body)}
    return json.dumps({name: "…" if name in hidden else value for name, value in body.items()}, ensure_ascii=False)
