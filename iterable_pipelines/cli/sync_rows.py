"""`sync errors`: the rows that Iterable does not have, and why."""

from typing import Annotated

import typer
from rich.markup import escape

from iterable_pipelines.activation.open_issues import OpenIssues, open_issues
from iterable_pipelines.cli.console import out, plain, say, table
from iterable_pipelines.cli.sync_arguments import Name, one_sync
from iterable_pipelines.settings import load_settings


def errors(
    name: Name,
    code: Annotated[str | None, typer.Option(help="Rows with this code only, such as invalid_email.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows to show.")] = 20,
) -> None:
    """Show the rows that Iterable does not have, by code and one by one, with their primary keys."""
    settings = load_settings()
    found = open_issues(settings, one_sync(settings, name), code, limit)
    if not found.rows:
        say(f"{name}: no row has {code or 'an open error'}")
        return
    _show(name, found)
    say("Next: correct the rows in the source, then iterable-pipelines sync run " + name)


def _show(name: str, found: OpenIssues) -> None:
    counted = table(f"{name}: by code", "code", "severity", "rows", numbers=("rows",))
    for code, severity, rows in found.counts:
        counted.add_row(code, severity, f"{rows:,}")
    out().print(counted)
    shown = table(
        "", "primary key", "output", "code", "where", "what", "attempts", "since (UTC)", numbers=("attempts",)
    )
    for row in found.rows:
        shown.add_row(
            escape(row.pk), row.output, row.code, escape(row.path), plain(row.message), str(row.attempts),
            f"{row.first_seen:%Y-%m-%d %H:%M}",
        )  # fmt: skip
    out().print(shown)
