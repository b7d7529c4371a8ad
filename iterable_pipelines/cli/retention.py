"""`retention`: what leaves because it is older than the settings allow; and, if asked, lets it go."""

from typing import Annotated

import typer

from iterable_pipelines.cli.console import CannotGoOn, out, say, table
from iterable_pipelines.hours import now
from iterable_pipelines.landing import Manifest
from iterable_pipelines.landing.expired import ExpiredHours, count_hours
from iterable_pipelines.retention.due import Due
from iterable_pipelines.retention.run import let_go, look
from iterable_pipelines.settings import load_settings
from iterable_pipelines.streams import Warehouse


def retention(
    run: Annotated[
        bool, typer.Option("--run", help="Really do it: rows and landed files leave, and cannot be had again.")
    ] = False,
) -> None:
    """Show which hours are older than the retention, which of them may leave, and why the others stay."""
    settings, moment = load_settings(), now()
    if not settings.retention:
        raise CannotGoOn(
            "No retention is set: all rows stay for ever. Nothing was changed.\n"
            "Next: set ITERABLE_RETENTION=400d, or by stream (docs/retention.md)"
        )
    manifest = Manifest.of(settings)
    warehouse = Warehouse.of(settings, log=say)
    _print(look(warehouse, manifest, settings, moment), ExpiredHours(manifest))
    if not run:
        say("Nothing was changed. Next: iterable-pipelines retention --run, or leave it to the nightly job")
        return
    left = let_go(warehouse, manifest, settings, moment, log=lambda text: None)
    say(
        f"{sum(left.hours.values()):,} hours left: {sum(left.rows.values()):,} rows and {left.files:,} files. "
        f"Freed: {left.landing_bytes:,} bytes of landing, {left.warehouse_bytes:,} of the warehouse."
    )


def _print(due: list[Due], expired: ExpiredHours) -> None:
    spans = expired.spans()
    shown = table("", "stream", "days", "hours that left", "may leave now", "held", numbers=("days",))
    for each in due:
        held = ", ".join(f"{hours:,} {reason}" for reason, hours in sorted(each.held.items()))
        gone = count_hours(spans.get(each.stream, []))
        shown.add_row(each.stream, str(each.days), f"{gone:,}", f"{len(each.hours):,}", held or "none")
    out().print(shown)
