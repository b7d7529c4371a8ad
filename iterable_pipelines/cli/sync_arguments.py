"""What the commands of `sync` share: which sync is meant, and the options of a run."""

from typing import Annotated

import typer

from iterable_pipelines.activation.declaration import FOLDER, Sync
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.cli.arguments import chosen_of
from iterable_pipelines.cli.console import say
from iterable_pipelines.settings import Settings

Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="The file's name, without .yml.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The file's name, without .yml.")]
Everything = Annotated[bool, typer.Option("--all", help="Every sync there is.")]
Approve = Annotated[
    list[str] | None, typer.Option(help="A guard that may let this pass, such as mass_exit; repeatable.")
]
Pks = Annotated[list[str] | None, typer.Option("--pk", help="Primary key: this row only; repeatable.")]
Limit = Annotated[
    int | None, typer.Option(min=1, help="The first so many rows by primary key; others stay as they are.")
]
AsOf = Annotated[str | None, typer.Option(help="The hour that windows end at, UTC: 2026-11-01T03. Default: this one.")]


def chosen_syncs(settings: Settings, names: list[str] | None, everything: bool) -> list[Sync]:
    """The syncs that are meant. Raises BadParameter, with the nearest name."""
    known = {each.name: each for each in load_syncs(settings)}
    return [known[each] for each in chosen_of(known, names, everything, "sync", settings.project_root / FOLDER)]


def one_sync(settings: Settings, name: str) -> Sync:
    """The sync of that name. Raises BadParameter, with the nearest."""
    return chosen_syncs(settings, [name], everything=False)[0]


def no_sync_yet(settings: Settings) -> None:
    """Where the first one is to be written."""
    say(f"There is no sync yet: write {settings.project_root / FOLDER}/NAME.yml (docs/syncs.md)")
