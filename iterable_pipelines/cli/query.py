"""`query`: SQL over the copy for readers, as a table, as lines for another program, or into a file."""

import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import duckdb
import typer

from iterable_pipelines.cli.arguments import check_file, table_file
from iterable_pipelines.cli.console import CannotGoOn, complain, out, say
from iterable_pipelines.published import check_query, only_query, reading
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.table_files import write_file, write_rows

_TABLES = "iterable-pipelines query 'show all tables'"


def query(
    sql: Annotated[str, typer.Argument(help="One query: select …, from …, show all tables, describe …")],
    file: Annotated[
        Path | None,
        typer.Option("--out", parser=table_file, metavar="FILE", help="Into a .csv, .parquet or .ndjson file."),
    ] = None,
    shape: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="What is printed; json is an object a line.")
    ] = "table",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Rows to print: 40 of a table, all as csv and json, unless this says so.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Run one query over the copy for readers. It can read tables, and nothing else."""
    settings = load_settings()
    try:
        asked = only_query(sql)
        if file:
            _into_file(settings, asked, file, overwrite)
        elif shape == "table":
            _as_table(settings, asked, limit or 40)
        else:
            _as_lines(settings, asked, ".csv" if shape == "csv" else ".ndjson", limit)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    except duckdb.Error as error:
        raise CannotGoOn(f"{str(error).strip()}\n\nNothing was changed or written.\nNext: {_advice(error)}") from None


def _into_file(settings: Settings, asked: str, file: Path, overwrite: bool) -> None:
    check_file(file, overwrite)
    written = write_file(settings, asked, file)
    say(f"{written.rows:,} rows in {file} ({written.bytes:,} bytes)")
    if written.guarded:
        say(_guarded(written.guarded))


def _as_table(settings: Settings, asked: str, limit: int) -> None:
    with reading(settings) as con:
        check_query(con, asked)
        # DuckDB's own: it leaves out columns and rows that do not fit, says so, and shows control signs as text
        con.sql(asked).show(max_rows=limit, max_width=out().width)
    copied = datetime.fromtimestamp(settings.published_path.stat().st_mtime, UTC)
    say(f"Of {copied:%Y-%m-%d %H:%M} UTC. All rows and columns: --out FILE, or --format csv")


def _as_lines(settings: Settings, asked: str, ending: str, limit: int | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / f"rows{ending}"
        with reading(settings, Path(folder)) as con:
            check_query(con, asked)
            written = write_rows(con, f"from (\n{asked}\n) limit {limit}" if limit else asked, part)
        sys.stdout.flush()
        with part.open("rb") as lines:
            shutil.copyfileobj(lines, sys.stdout.buffer)
        sys.stdout.flush()
    # the answer goes to another program: what is said about it must not
    if written.guarded:
        complain(_guarded(written.guarded))


def _guarded(cells: int) -> str:
    return f"In {cells:,} cells an apostrophe stands first: a spreadsheet would have taken the text for a formula."


def _advice(error: duckdb.Error) -> str:
    if isinstance(error, duckdb.PermissionException):
        return "name a table of the copy: files, the network and extensions are out of reach of a query"
    if isinstance(error, duckdb.OutOfMemoryException):
        return "raise ITERABLE_MEMORY_LIMIT, or ask for less"
    if isinstance(error, duckdb.CatalogException | duckdb.BinderException):
        return f"{_TABLES} lists tables and their columns"
    return "correct the query"
