"""`import history`: Dagster's own runs of an import (checklist T79, T80)."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from iterable_pipelines.cli.console import CannotGoOn, out, quiet, say, table
from iterable_pipelines.dagster_home import prepare_home
from iterable_pipelines.imports.reading import FOLDER, job_name
from iterable_pipelines.settings import load_settings

_BY_HAND, _MOST_BY_HAND = "__ASSET_JOB", 1000
_COLUMNS = ("job id", "status", "records", "database", "table", "started (UTC)", "seconds")


def history(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The import's name.")],
    job: Annotated[str | None, typer.Option("--job", metavar="ID", help="All there is to know of one run.")] = None,
    most: Annotated[int, typer.Option("--limit", min=1, help="How many runs to list, newest first.")] = 20,
) -> None:
    """List the runs of an import: id, status, records, database, table, when it started and how long it took."""
    settings = load_settings()
    home = prepare_home(settings)
    with quiet():
        import dagster as dg

        with dg.DagsterInstance.from_config(str(home)) as instance:
            own = instance.get_run_records(dg.RunsFilter(job_name=job_name(name)))
            # what somebody materialized by hand runs in a job of Dagster's own
            key, by_hand = dg.AssetKey([FOLDER, name]), dg.RunsFilter(job_name=_BY_HAND)
            others = instance.get_run_records(by_hand, limit=_MOST_BY_HAND)
            found = [*own, *(each for each in others if key in (each.dagster_run.asset_selection or ()))]
            found.sort(key=lambda each: each.create_timestamp, reverse=True)
            if job:
                found = [each for each in found if each.dagster_run.run_id.startswith(job)]
            runs = [(each, _said(instance, each.dagster_run.run_id)) for each in found[:most]]
    if not runs:
        which = f" that begins with {job}" if job else ""
        raise CannotGoOn(f"{name} has no run{which} yet.\nNext: iterable-pipelines import run {name}")
    if job:
        for record, said in runs:
            say(f"job id: {record.dagster_run.run_id}\nstatus: {_status(record)}")
            for what, value in said.items():
                say(f"{what}: {value}")
        return
    shown = table("", *_COLUMNS, numbers=("records", "seconds"))
    for record, said in runs:
        begun = datetime.fromtimestamp(record.start_time, UTC) if record.start_time else None
        took = f"{record.end_time - record.start_time:.1f}" if record.start_time and record.end_time else ""
        shown.add_row(
            record.dagster_run.run_id,
            _status(record),
            f"{said['rows']:,}" if "rows" in said else "",
            str(said.get("database", "")),
            str(said.get("table", "")),
            f"{begun:%Y-%m-%d %H:%M:%S}" if begun else "",
            took,
        )
    out().print(shown)


def _status(record: Any) -> str:
    return str(record.dagster_run.status.value).lower()


def _said(instance: Any, run_id: str) -> dict[str, Any]:
    """What a run noted on its table; of one that failed, why."""
    from dagster import DagsterEventType

    said: dict[str, Any] = {}
    kinds = {DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.STEP_FAILURE}
    for record in instance.get_records_for_run(run_id, of_type=kinds).records:
        event = record.event_log_entry.dagster_event
        if event.is_step_failure:
            failure = event.event_specific_data.user_failure_data
            said["error"] = failure.description if failure else event.event_specific_data.error.message.strip()
        else:
            said |= {key: value.value for key, value in event.materialization.metadata.items()}
    return said
