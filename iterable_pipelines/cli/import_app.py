"""`import`: the group of commands about imports as files (checklist T45 to T81)."""

import typer

from iterable_pipelines.cli.import_guess import guess, preview
from iterable_pipelines.cli.import_history import history
from iterable_pipelines.cli.import_run import run
from iterable_pipelines.cli.import_schedules import create, delete, disable, enable, list_, show

import_app = typer.Typer(
    help="Imports as files: what to ask of Iterable, which table to fill, and when.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
for command in (guess, preview, run, create, list_, show, history, enable, disable, delete):
    import_app.command(command.__name__.rstrip("_"))(command)
