"""`sync plan` and `sync preview`: what would be sent. Nothing is, and the exit code says what was found (6.4)."""

from typing import TYPE_CHECKING, Annotated

import typer

from iterable_pipelines.activation.launchpad import options_of
from iterable_pipelines.cli.console import out, say, table
from iterable_pipelines.cli.sync_arguments import (
    Approve,
    AsOf,
    Everything,
    Limit,
    Name,
    Names,
    Pks,
    chosen_syncs,
    no_sync_yet,
    one_sync,
)
from iterable_pipelines.settings import load_settings

if TYPE_CHECKING:
    from iterable_pipelines.activation.plan import Plan

# outbound.md 6.4; where several syncs are planned, the gravest counts
CLEAN, CHANGES, INVALID_ROWS, GUARD_TRIPPED = 0, 2, 3, 4


def plan(
    name: Names = None,
    everything: Everything = False,
    approve: Approve = None,
    only_pks: Pks = None,
    limit: Limit = None,
    as_of: AsOf = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON, the same for the same rows.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nothing of Iterable, not even its fields.")] = False,
) -> None:
    """Show what a run would send and what that costs; exits with 0 clean, 2 changes, 3 invalid rows, 4 a guard."""
    raise NotImplementedError


def preview(name: Name, pk: Annotated[str, typer.Option("--pk", help="Primary key of the row.")]) -> None:
    """Show the exact requests of one row, with its values, beside what Iterable acknowledged; nothing is sent."""
    raise NotImplementedError
