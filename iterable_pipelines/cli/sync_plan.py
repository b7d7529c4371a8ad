"""`sync plan`: what a run would send. Nothing is sent, and the exit code says what was found (outbound.md 6.4)."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iterable_pipelines.activation.options import options_of
from iterable_pipelines.cli.console import out, plain, say, table
from iterable_pipelines.cli.sync_arguments import (
    Approve,
    AsOf,
    Everything,
    Limit,
    Names,
    Pks,
    chosen_syncs,
    no_sync_yet,
)
from iterable_pipelines.cli.sync_values import show_changes, show_requests
from iterable_pipelines.settings import load_settings

if TYPE_CHECKING:
    from iterable_pipelines.activation.plan import Plan


def plan(
    name: Names = None,
    everything: Everything = False,
    approve: Approve = None,
    only_pks: Pks = None,
    limit: Limit = None,
    as_of: AsOf = None,
    show_values: Annotated[
        bool, typer.Option("--show-values", help="Print the first requests and changes, with values of persons.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, the same for the same rows.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nothing of Iterable, not even its fields.")] = False,
) -> None:
    """Show what a run would send and what it costs; exits with 0 clean, 2 changes, 3 invalid rows, 4 a guard."""
    from iterable_pipelines.activation.plan import plan_sync

    settings = load_settings()
    options = options_of(True, approve or [], only_pks or [], limit, as_of, offline=offline)
    chosen = chosen_syncs(settings, name, everything)
    if not chosen:
        no_sync_yet(settings)
        return
    log = (lambda text: None) if as_json else say
    found = [plan_sync(settings, each, options, log) for each in chosen]
    if as_json:
        told = [_as_json(each, show_values) for each in found]
        say(json.dumps(told if everything or len(told) > 1 else told[0], indent=2, sort_keys=True, default=str))
    else:
        for each in found:
            show_plan(each, show_values)
            _tell_what_is_next(each)
    raise typer.Exit(max(each.exit_code for each in found))


def _as_json(found: "Plan", show_values: bool) -> dict[str, Any]:
    told = found.as_json()
    if not show_values:
        told["requests"] = [{**each, "body": None} for each in told["requests"]]
        told["changes"] = [{**each, "fields": [field for field, *_ in each["fields"]]} for each in told["changes"]]
    return told


def show_plan(found: "Plan", show_values: bool) -> None:
    """What a plan says: records by what would become of them, costs, warnings, guards; with values only if asked."""
    shown = table("", "what", "records", numbers=("records",))
    for op, records in found.counts.items():
        shown.add_row(op, f"{records:,}")
    for what, codes in (("invalid", found.invalid), ("skipped", found.skipped), ("warning", found.warned)):
        for code, rows in codes.items():
            shown.add_row(f"{what}: {plain(code)}", f"{rows:,}")
    if shown.row_count:
        # as a title it would be folded to the width of two narrow columns
        say(f"{found.sync}: what would become of {found.rows:,} rows")
        out().print(shown)
    else:
        say(f"{found.sync}: {found.rows:,} rows, and nothing is new about them.")
    costs, fields = found.costs, found.fields
    lookups = f", {costs.lookups:,} looked up before" if costs.lookups else ""
    if found.sends:
        say(
            f"To send: {found.sends:,} records, {costs.requests:,} requests, {costs.bytes:,} bytes{lookups}, at least "
            f"{costs.minutes:,.2f} minutes; as_of {found.as_of:%Y-%m-%dT%H} UTC; mapping version "
            f"{found.mapping_version}"
        )
    for lines in (
        [f"row {pk}: {': '.join(filter(None, (code, path, text)))}" for pk, code, path, text in found.wrong],
        [f"{found.in_doubt:,} requests of an earlier run are in doubt: a run settles them first"]
        if found.in_doubt
        else [],
        [f"Iterable would make the fields {', '.join(fields.new)}"] if fields.new else [],
        [f"Iterable would make the list {name}" for name in found.lists],
        found.warnings,
        [f"{'approved' if each.approved else 'stops'}: {each.title}: {each.message}" for each in found.guards],
    ):
        for line in lines:
            say(f"- {line}")
    if show_values:
        show_changes(found.changes)
        show_requests(found.requests)
    say(f"{found.sync}: nothing was sent.")


def _tell_what_is_next(found: "Plan") -> None:
    stopping = [each.name for each in found.guards if not each.approved]
    if None in stopping:
        say(f"Next: correct syncs/{found.sync}.yml, then iterable-pipelines sync plan {found.sync}")
    elif stopping:
        flags = " ".join(f"--approve {each}" for each in stopping)
        say(f"Next, if that is meant: iterable-pipelines sync run {found.sync} {flags}")
    elif found.sends:
        say(f"Next: iterable-pipelines sync run {found.sync}")
