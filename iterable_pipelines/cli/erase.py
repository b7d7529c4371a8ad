"""`erase`: whoever is to be forgotten, at Iterable and here."""

import typer

from iterable_pipelines.cli.erase_requests import queue, request, send

erase_app = typer.Typer(
    help="Whoever is to be forgotten, at Iterable and here.", no_args_is_help=True, rich_markup_mode=None
)
for command in (request, queue, send):
    erase_app.command()(command)
