"""`sync preview`, and what a plan shows where it is asked for values: requests as they would go out, old and new."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from iterable_pipelines.cli.console import out, plain, say, table
from iterable_pipelines.cli.sync_arguments import Name, one_sync
from iterable_pipelines.settings import load_settings

if TYPE_CHECKING:
    from iterable_pipelines.activation.shown import ShownChange, ShownRequest


def preview(name: Name, pk: Annotated[str, typer.Option("--pk", help="Primary key of the row.")]) -> None:
    """Show the exact requests of one row, with its values, beside what Iterable acknowledged; nothing is sent."""
    from iterable_pipelines.activation.plan import preview_pk

    settings = load_settings()
    found = preview_pk(settings, one_sync(settings, name), pk, log=say)
    for code, message, path in found.issues:
        say(": ".join(filter(None, (code, path, message))))
    show_changes(found.changes)
    show_requests(found.requests)
    if found.requests:
        say(f"{name}: nothing was sent.\nNext: iterable-pipelines sync send {name} --pk '{pk}'")
    else:
        say(f"{name}: this row gives no request, and nothing was sent.\nNext: iterable-pipelines sync plan {name}")


def show_changes(changes: Sequence["ShownChange"]) -> None:
    """Field by field, what was acknowledged and what would be."""
    if not any(each.fields for each in changes):
        return
    shown = table("Changes", "primary key", "output", "operation", "field", "old", "new")
    for each in changes:
        for field, old, new in each.fields:
            shown.add_row(escape(each.pk), each.output, each.op, escape(field), *map(_value, (old, new)))
    out().print(shown)


def show_requests(requests: Sequence["ShownRequest"]) -> None:
    """Each request as one line, and its body, of which the first records are written out."""
    for each in requests:
        say(f"{each.method} {each.path} with {each.records:,} records, {each.bytes:,} bytes")
        say(json.dumps(each.body, ensure_ascii=False))


def _value(value: object) -> str:
    return "" if value is None else plain(json.dumps(value, ensure_ascii=False))
