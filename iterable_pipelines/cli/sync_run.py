"""`sync run` and `sync send`: what changed goes to Iterable now; `run` as a run that Dagster's UI shows."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from iterable_pipelines.activation.options import options_of
from iterable_pipelines.cli.console import CannotGoOn, out, say, table
from iterable_pipelines.cli.runs import Runs
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
from iterable_pipelines.cli.sync_plan import plan
from iterable_pipelines.settings import Settings, load_settings

if TYPE_CHECKING:
    from iterable_pipelines.activation.report import RunReport


def run(
    name: Names = None,
    everything: Everything = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same as sync plan: nothing is sent.")] = False,
    approve: Approve = None,
    only_pks: Pks = None,
    limit: Limit = None,
    as_of: AsOf = None,
) -> None:
    """Send what changed since Iterable last acknowledged it; the row log says what became of every row."""
    if dry_run:
        plan(name, everything, approve, only_pks, limit, as_of)
        return
    settings = load_settings()
    chosen = chosen_syncs(settings, name, everything)
    if not chosen:
        no_sync_yet(settings)
        return
    # what is wrong with them is said before anything is started
    options_of(False, approve or [], only_pks or [], limit, as_of)
    from iterable_pipelines.automation import sync as job

    given: dict[str, Any] = {
        key: value
        for key, value in {"approve": approve, "only_pks": only_pks, "limit": limit, "as_of": as_of}.items()
        if value
    }
    assets = [f"activation/{each.name}" for each in chosen]
    told: list[str] = []
    with Runs(settings) as runs:
        outcome = runs.run(job.name, assets, config=dict.fromkeys(assets, given), said=told.append)
    for line in told:
        say(line)
    if outcome.failed:
        raise CannotGoOn("\n".join(outcome.failed.values()))
    for each in chosen:
        _tell_what_is_left(settings, each.name)
    if sent := [each.name for each in chosen if each.enabled]:
        say(f"Next: iterable-pipelines sync verify {' '.join(sent)}")


def _tell_what_is_left(settings: Settings, name: str) -> None:
    """Records that Iterable does not have, whichever run it was that tried them."""
    from iterable_pipelines.activation.standing import standing_of

    found = standing_of(settings, name)
    if found.status == "partial":
        say(f"{name}: some records wait. Next: iterable-pipelines sync run {name}")
    if found.rejected:
        say(f"{name}: {found.rejected:,} records are rejected. Next: iterable-pipelines sync errors {name}")


def send(
    name: Name,
    pk: Annotated[str, typer.Option("--pk", help="Primary key of the row; columns of one key are joined by |.")],
    approve: Approve = None,
) -> None:
    """Send one row, whether it changed or not, and show what Iterable answers; the others stay as they are."""
    from iterable_pipelines.activation.run import send_pk

    settings = load_settings()
    approved = options_of(False, approve or [], [pk], None, None).approve
    report = send_pk(settings, one_sync(settings, name), pk, log=say, approve=approved)
    show_report(name, report)
    if report.status == "failed":
        raise CannotGoOn(report.failure(name))


def show_report(name: str, report: "RunReport") -> None:
    """What a run did: a table of outcomes, the codes, what Iterable answered to a single row, and a line."""
    from iterable_pipelines.activation.report_metadata import outcome_rows, summary

    header, rows = outcome_rows(report.counts)
    if rows:
        shown = table(f"{name}: what became of the records", *header, numbers=tuple(header[1:]))
        for row in rows:
            shown.add_row(*row)
        out().print(shown)
    for code, number in sorted(report.codes.items(), key=lambda each: (-each[1], each[0])):
        say(f"{code}: {number:,}")
    if report.answer:
        say(f"Iterable: {report.answer}")
    say(f"{name}: {summary(report)}")
