"""`import create`, `list`, `show`, `enable`, `disable` and `delete`: the files in imports/ and their schedules."""

from typing import Annotated, Any

import typer

from iterable_pipelines.cli.console import CannotGoOn, complain, out, quiet, say, table
from iterable_pipelines.cli.import_arguments import (
    AutoCreate,
    Name,
    TimeColumn,
    file_named,
    placed,
    telling_warnings,
)
from iterable_pipelines.dagster_home import prepare_home
from iterable_pipelines.imports.document import ImportFileError, read_document
from iterable_pipelines.imports.file import Import
from iterable_pipelines.imports.reading import ENDING, imports_folder, job_name, read_import, shown_path
from iterable_pipelines.imports.run import store_of
from iterable_pipelines.imports.store import watermark_of
from iterable_pipelines.imports.writing import as_yaml, with_enabled, write_import
from iterable_pipelines.postgres import PostgresFailed
from iterable_pipelines.settings import Settings, SettingsError, load_settings

_RELOAD = "Next: where the UI is open, Deployment, Reload definitions; or start it with make dev"


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the import is to be called.")],
    cron: Annotated[str, typer.Argument(metavar="CRON", help="@hourly, @daily, @monthly, or '10 0 * * *'.")],
    database: Annotated[str, typer.Argument(metavar="DATABASE", help="A name, a .duckdb file, or ${MY_URL}.")],
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The table that is filled.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="What to ask for: load.yml.")],
    timezone: Annotated[
        str, typer.Option("--timezone", "-t", metavar="ZONE", help="Zone of the schedule: Asia/Tokyo.")
    ] = "UTC",
    delay: Annotated[int, typer.Option(metavar="SECONDS", help="Start so much later than the schedule says.")] = 0,
    time_column: TimeColumn = None,
    auto_create_table: AutoCreate = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an import of that name.")] = False,
) -> None:
    """Make an import with a schedule: write imports/NAME.yml."""
    settings = load_settings()
    source, path = file_named(file, settings), imports_folder(settings) / f"{name}{ENDING}"
    if path.exists() and not overwrite:
        raise CannotGoOn(
            f"{shown_path(path, settings)} is there already, and was left as it is.\n"
            "Next: take another name, or --overwrite"
        )
    with telling_warnings():
        read_import(source, settings)
        given = read_document(source, shown_path(source, settings)).given
        target = {**(given.get("out") or {}), "database": database, "table": table}
        target |= {"time_column": time_column} if time_column else {}
        target |= {"auto_create_table": True} if auto_create_table else {}
        schedule: dict[str, Any] = {"cron": cron, "delay": delay, "timezone": timezone, "enabled": True}
        made = write_import(path, as_yaml({**given, "out": target, "schedule": schedule}), settings)
    say(f"{shown_path(path, settings)}: {made.source.what} into {table}, {cron} {timezone}")
    try:
        watermark_of(store_of(made, settings), made, "")
    except (SettingsError, PostgresFailed) as error:
        # it may be made until the first run; whoever forgets it should not learn it from that one
        complain(f"Warning: {error}")
    say(_RELOAD)


def list_() -> None:
    """List the imports, with their schedules."""
    settings, troubles = load_settings(), []
    shown = table("", "name", "cron", "timezone", "delay", "database", "table", "mode", "enabled")
    with telling_warnings():
        for path in sorted(imports_folder(settings).glob("*.y*ml")):
            try:
                shown.add_row(*_row(read_import(path, settings, complete=True), settings))
            except ImportFileError as error:
                troubles.append(str(error))
    if shown.row_count:
        out().print(shown)
    elif not troubles:
        say(f"No import yet. Next: iterable-pipelines import create …, or a file in {imports_folder(settings)}")
    if troubles:
        raise CannotGoOn("\n".join(troubles))


def show(name: Name) -> None:
    """Show an import: its schedule, its table, and what it asks for."""
    settings = load_settings()
    path = placed(name, settings)
    with telling_warnings():
        made = read_import(path, settings)
        given = read_document(path, shown_path(path, settings)).given
    titles = ("Name", "Cron", "Timezone", "Delay", "Database", "Table", "Mode", "Enabled")
    for title, value in zip(titles, _row(made, settings), strict=True):
        say(f"{title:<9}: {value}")
    if "api_key" in given["in"]:
        given["in"]["api_key"] = "(hidden)"
    say(f"Config   :\n{as_yaml({'in': given['in']})}")


def enable(name: Name) -> None:
    """Turn an import's schedule on."""
    _set_enabled(name, True)


def disable(name: Name) -> None:
    """Turn an import's schedule off; a run that is under way goes on."""
    _set_enabled(name, False)


def delete(name: Name) -> None:
    """Delete an import's file, and with it its schedule. Its table and its history stay."""
    settings = load_settings()
    path = placed(name, settings)
    path.unlink()
    _forget_switch(name, settings)
    say(f"{shown_path(path, settings)} is deleted. Its table and its history stay as they are.")


def _row(made: Import, settings: Settings) -> tuple[str, ...]:
    when, target = made.schedule, made.target
    schedule = (when.cron, when.timezone, f"{when.delay} s") if when else ("", "", "")
    enabled = "" if when is None else "yes" if when.enabled and settings.keep_updated else "no"
    database = "PostgreSQL" if target.is_postgres else store_of(made, settings).shown
    return (made.name, *schedule, database, target.table or "", target.mode, enabled)


def _set_enabled(name: str, on: bool) -> None:
    settings = load_settings()
    path = placed(name, settings)
    with telling_warnings():
        made = read_import(path, settings)
        if made.schedule is None:
            raise CannotGoOn(
                f"{shown_path(path, settings)} has no schedule. Nothing was changed.\n"
                "Next: write one below schedule:, such as cron: '@daily'"
            )
        document = read_document(path, shown_path(path, settings))
        write_import(path, with_enabled(path.read_text(encoding="utf-8-sig"), document, on), settings)
    _forget_switch(name, settings)
    say(f"{name} is {'on' if on else 'off'}")
    say(_RELOAD if on else "A schedule that is running looks at the file each time, so that it stops at once.")


def _forget_switch(name: str, settings: Settings) -> None:
    """Take back what somebody has switched in the UI: from now on the file says it."""
    if not (settings.dagster_postgres or settings.dagster_home.exists()):
        return
    with quiet():
        import dagster as dg

        with dg.DagsterInstance.from_config(str(prepare_home(settings))) as instance:
            for state in instance.all_instigator_state():
                if state.instigator_name == job_name(name):
                    instance.delete_instigator_state(state.instigator_origin_id, state.selector_id)
