"""`import run`: one import, now, as a run of Dagster that its history keeps."""

from typing import Annotated, Any

import typer

from iterable_pipelines.cli.console import CannotGoOn, plain, progress, say
from iterable_pipelines.cli.import_arguments import (
    AutoCreate,
    Database,
    NameOrFile,
    TimeColumn,
    file_named,
    telling_warnings,
)
from iterable_pipelines.cli.runs import Runs
from iterable_pipelines.imports.document import read_document
from iterable_pipelines.imports.reading import checked, job_name, shown_path
from iterable_pipelines.imports.run import store_of
from iterable_pipelines.settings import load_settings


def run(
    file: NameOrFile,
    database: Database = None,
    table: Annotated[str | None, typer.Option(metavar="TABLE", help="The table, in place of the file's.")] = None,
    time_column: TimeColumn = None,
    auto_create_table: AutoCreate = False,
) -> None:
    """Run an import now. What is given here wins over the file."""
    settings = load_settings()
    path = file_named(file, settings)
    with telling_warnings():
        document = read_document(path, shown_path(path, settings))
        instead: dict[str, Any] = {"database": database, "table": table, "time_column": time_column}
        instead["auto_create_table"] = auto_create_table or None
        section = document.given.get("out") or {}
        if isinstance(section, dict):
            document.given["out"] = section | {name: value for name, value in instead.items() if value is not None}
        made = checked(document, path.stem, settings)
    if made.target.table is None:
        raise CannotGoOn(f"{document.shown} names no table. Nothing was asked.\nNext: give --table, or write out.table")
    # before Dagster is loaded, which takes seconds
    store_of(made, settings)
    said: list[str] = []

    def definitions() -> Any:
        from iterable_pipelines.imports.assets import definitions_of

        return definitions_of([made], settings)

    with progress() as shown:
        bar = shown.add_task("", total=None)

        def hear(text: str) -> None:
            said.append(text)
            shown.update(bar, description=plain(text))

        with Runs(settings, definitions) as runs:
            outcome = runs.run(job_name(made.name), said=hear)
    if outcome.failed:
        raise CannotGoOn("\n".join(outcome.failed.values()))
    say(said[-1] if said else f"{made.name}: done")
    say(f"Run {outcome.run_id}; iterable-pipelines import history {made.name}")
