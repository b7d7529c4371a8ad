"""`write`: rows of a file or a query into Iterable, once. A dry run unless it is told otherwise (outbound.md 4.3)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from iterable_pipelines.activation.options import options_of
from iterable_pipelines.cli.console import out, plain, say, table
from iterable_pipelines.cli.sync_arguments import Approve
from iterable_pipelines.cli.sync_plan import show_plan
from iterable_pipelines.cli.sync_run import show_report
from iterable_pipelines.settings import Settings, load_settings

if TYPE_CHECKING:
    from iterable_pipelines.activation.one_off.write import Asked, Written

_FAILED_ROWS = 3


def write(
    what: Annotated[str, typer.Argument(metavar="OBJECT", help="catalog_items, templates, lists, events, users, …")],
    operation: Annotated[str, typer.Argument(metavar="OPERATION", help="insert, update, upsert or delete.")],
    file: Annotated[
        Path | None, typer.Option("--file", help="Rows of a .csv, .json, .ndjson or .parquet file.")
    ] = None,
    sql: Annotated[str | None, typer.Option("--sql", help="Rows of a query over the copy for readers.")] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", metavar="COL=VALUE", help="The same in every row; repeatable.")
    ] = None,
    catalog: Annotated[str | None, typer.Option(help="Catalog items: the catalog, where no column says it.")] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="COL=FIELD", help="What a column is; Col=Field:long types it, Col= drops it."),
    ] = None,
    delimiter: Annotated[str, typer.Option(help="Between the cells of a CSV file.")] = ",",
    keep_empty: Annotated[bool, typer.Option("--keep-empty", help="Empty cells are empty texts, not NULL.")] = False,
    approve: Approve = None,
    yes: Annotated[bool, typer.Option("--yes", help="Send it. Without, nothing is sent.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Read back what the same command has sent.")] = False,
    resolve: Annotated[
        Literal["resend", "drop"] | None,
        typer.Option("--resolve", help="What may have happened has not (resend), or has (drop)."),
    ] = None,
    show_values: Annotated[bool, typer.Option("--show-values", help="Print the first requests, with values.")] = False,
) -> None:
    """Write rows into Iterable once: a plan first, and with --yes the outcome of every row.

    The same command again goes on where it stopped, and for a week sends nothing twice. Exits with 3 if rows failed.
    """
    from iterable_pipelines.activation.one_off import write as one_off

    settings = load_settings()
    asked = _asked(what, operation, file, sql, values or [], catalog, mapping or [], delimiter, keep_empty)
    if resolve:
        settled = one_off.resolve_once(settings, asked, resolve, say)
        say(
            f"{settled:,} requests were in doubt, and are settled. Nothing was sent.\nNext: the same command with --yes"
        )
    elif verify:
        _verify(settings, asked)
    elif yes:
        options = options_of(False, approve or [], [], None, None)
        _tell(one_off.write_once(settings, asked, options, say))
    else:
        once, plan = one_off.plan_once(settings, asked, options_of(True, approve or [], [], None, None), say)
        if once.left_out:
            say(f"Not written: {', '.join(once.left_out)}")
        show_plan(plan, show_values)
        stopping = [f"--approve {each.name}" for each in plan.guards if not each.approved and each.name]
        does = " ".join(["--yes", *stopping]) if plan.exit_code else "--verify reads back what was sent before"
        say(f"Next: the same command with {does}")
        raise typer.Exit(plan.exit_code)


def _asked(
    what: str,
    operation: str,
    file: Path | None,
    sql: str | None,
    values: list[str],
    catalog: str | None,
    mapping: list[str],
    delimiter: str,
    keep_empty: bool,
) -> "Asked":
    from iterable_pipelines.activation.one_off.rows import Given
    from iterable_pipelines.activation.one_off.write import Asked

    if file is not None and sql is not None:
        raise typer.BadParameter("the rows come from --file or from --sql, not from both")
    spelled = {}
    for each in values:
        name, is_one, value = each.partition("=")
        if not is_one or not name:
            raise typer.BadParameter(f"--set {name}: write COL=VALUE")
        spelled[name] = value
    if catalog is not None:
        spelled["catalogName"] = catalog
    if file is None and sql is None and not spelled:
        raise typer.BadParameter("say where the rows come from: --file, --sql, or --set COL=VALUE for one row")
    return Asked(what, operation, Given(file, sql, spelled, delimiter, keep_empty), tuple(mapping))


def _tell(written: "Written") -> None:
    report, found = written.report, written.outcomes
    if written.left_out:
        say(f"Not written: {', '.join(written.left_out)}")
    shown = table("", "row", "outcome", "code", "what", "made", numbers=("row",))
    for row in found.rows:
        shown.add_row(
            "" if row.line is None else str(row.line), row.outcome, row.code, plain(row.message), escape(row.result)
        )
    if found.rows:
        out().print(shown)
    show_report("write", report)
    if found.errors is not None:
        say(f"{found.failed:,} rows failed: {found.errors} has them, with line, code and message")
    if report.status == "failed":
        say(report.note)
    say(f"Next: {report.then or 'the same command with --verify reads back what was sent'}")
    if found.failed or report.status == "failed":
        raise typer.Exit(_FAILED_ROWS)


def _verify(settings: Settings, asked: "Asked") -> None:
    from iterable_pipelines.activation.one_off.write import verify_once

    found = verify_once(settings, asked, say)
    say(
        f"{found.verified:,} are as they were sent; {found.mismatch:,} differ, {found.missing:,} are missing, "
        f"{found.drifted:,} were changed since, {found.pending:,} are too young to be read back"
    )
    for wrong in found.wrong:
        say(f"row {wrong.pk}: {wrong.verdict} {wrong.fields or ''}".rstrip())
    if found.note:
        say(found.note)
    if found.wrong:
        raise typer.Exit(_FAILED_ROWS)
