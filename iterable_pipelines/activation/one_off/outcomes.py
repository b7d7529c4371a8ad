"""What became of the rows of a one-off write: those that failed as a CSV file, with line, code and message (4.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.one_off.rows import LINE
from iterable_pipelines.activation.outcomes import newest_outcomes
from iterable_pipelines.activation.row_log import SCHEMA
from iterable_pipelines.activation.state import Workspace, open_workspace
from iterable_pipelines.landing.scratch import scratch_folder
from iterable_pipelines.quoting import literal, quoted
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.table_files import write_rows

SHOWN = 20
# columns of the file of errors that no column of the rows is called like
ERRORS = ("_error_line", "_error_code", "_error_message")
_FAILED = "outcome not in ('acked', 'accepted', 'noop')"


@dataclass(frozen=True)
class OneOff:
    """A one-off write, ready: its sync, the columns that its rows came with, and those of them that are not written.

    rows: the Parquet file that the sync reads.
    """

    sync: Sync
    columns: tuple[str, ...]
    left_out: tuple[str, ...]
    rows: Path


@dataclass(frozen=True)
class RowOutcome:
    """One row: its line, what became of it, why, and what Iterable made of it, as JSON. That of a forgotten person has
    no line."""

    line: int | None
    outcome: str
    code: str
    message: str
    result: str


@dataclass(frozen=True)
class Outcomes:
    """The first rows, those that failed before the others; how many failed, and the file that has all of those."""

    rows: tuple[RowOutcome, ...] = ()
    failed: int = 0
    errors: Path | None = None


def outcomes_of(
    settings: Settings, once: OneOff, run_id: str, errors: Path | None, log: Callable[[str], None]
) -> Outcomes:
    """What became of the rows of a run. The failed ones go into `errors`, if it is said where."""
    if not run_id:
        return Outcomes()
    with scratch_folder(settings.landing_dir, "once-") as folder, duckdb.connect() as con:
        found = folder / "outcomes.parquet"
        _copy_outcomes(settings, once.sync, run_id, found, log)
        con.execute(
            f"create table outcomes as select try_cast(pk as bigint) as line, outcome, coalesce(code, '') as code, "
            f"coalesce(message, '') as message, coalesce(field_path, '') as path, "
            f"coalesce(result::varchar, '') as result from read_parquet({literal(str(found))})"
        )
        rows = con.execute(
            f"select line, outcome, code, concat_ws(': ', nullif(path, ''), message), result from outcomes "
            f"order by {_FAILED} desc, line limit {SHOWN}"
        ).fetchall()
        ((failed,),) = con.execute(f"select count(*) from outcomes where {_FAILED}").fetchall()
        if failed and errors is not None:
            header = int(errors.name.lower().endswith(".csv.errors.csv"))
            given = ", ".join(f"r.{quoted(each)}" for each in once.columns if each not in ERRORS)
            rows_of_it = f"read_parquet({literal(str(once.rows))})"
            query = (
                f"select {given}, r.{LINE} + {header} as {ERRORS[0]}, o.code as {ERRORS[1]}, "
                f"concat_ws(': ', nullif(o.path, ''), o.message) as {ERRORS[2]} "
                f"from {rows_of_it} r join outcomes o on o.line = r.{LINE} where {_FAILED} order by r.{LINE}"
            )
            part = folder / "errors.csv"
            write_rows(con, query, part)
            # its folder may be on another file system
            errors.write_bytes(part.read_bytes())
    return Outcomes(tuple(RowOutcome(*each) for each in rows), failed, errors if failed else None)


def _copy_outcomes(settings: Settings, sync: Sync, run_id: str, to: Path, log: Callable[[str], None]) -> None:
    """From the row log, or where that was not to be had, from the state."""
    into = f"to {literal(str(to))} (format parquet)"
    with open_workspace(settings, sync.name, log=log) as workspace:
        if _is_unpublished(workspace, run_id):
            workspace.con.execute(
                "copy (select c.pk, coalesce(o.kind, 'aborted') as outcome, o.code, o.message, o.path as field_path, "
                f"o.result from state.changes c left join {newest_outcomes(f'run_id = {literal(run_id)}')} o "
                f"on o.run_id = c.run_id and o.number = c.number where c.run_id = {literal(run_id)}) {into}"
            )
            return
    with Warehouse.of(settings, log).transaction() as con:
        con.execute(
            f"copy (select pk, outcome, code, message, field_path, result from {SCHEMA}.sync_rows "
            f"where run_id = {literal(run_id)}) {into}"
        )


def _is_unpublished(workspace: Workspace, run_id: str) -> bool:
    found = workspace.con.execute("select 1 from state.runs where run_id = ? and not published", [run_id]).fetchone()
    return found is not None
