"""What the commands about imports share: how a file is named, and how the warnings about it are told."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from iterable_pipelines.cli.console import CannotGoOn, complain
from iterable_pipelines.imports.reading import ENDING, FOLDER, imports_folder
from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_sources import SettingsWarning
from iterable_pipelines.settings_values import did_you_mean

Name = Annotated[str, typer.Argument(metavar="NAME", help=f"The import's name: that of its file in {FOLDER}/.")]
NameOrFile = Annotated[
    str, typer.Argument(metavar="FILE", help=f"A file such as load.yml, or the name of one in {FOLDER}/.")
]
Database = Annotated[
    str | None, typer.Option(metavar="DATABASE", help="A name, a .duckdb file, or the URL of a PostgreSQL database.")
]
TimeColumn = Annotated[str | None, typer.Option(metavar="COLUMN", help="The column that the time is taken from.")]
AutoCreate = Annotated[bool, typer.Option("--auto-create-table", help="Make database and table if they are missing.")]


def file_named(text: str, settings: Settings) -> Path:
    """The file that is meant by a path or by a name. Raises CannotGoOn for a name that no file has."""
    if text.endswith((ENDING, ".yaml")) or "/" in text:
        return Path(text).expanduser()
    return placed(text, settings)


def placed(name: str, settings: Settings) -> Path:
    """The file of an import of the project. Raises CannotGoOn, with the names there are, where there is none."""
    path = imports_folder(settings) / f"{name}{ENDING}"
    if not path.is_file():
        names = sorted(each.stem for each in imports_folder(settings).glob(f"*{ENDING}"))
        there = did_you_mean(name, names) or (f"; there are {', '.join(names)}" if names else "")
        raise CannotGoOn(
            f"There is no import {name!r} in {imports_folder(settings)}{there}. Nothing was changed.\n"
            "Next: iterable-pipelines import list"
        )
    return path


@contextmanager
def telling_warnings() -> Iterator[None]:
    """Tell of what was taken, but should not stand there, in one line each and once."""
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always", SettingsWarning)
        try:
            yield
        finally:
            told = [str(each.message) for each in noticed if issubclass(each.category, SettingsWarning)]
            for text in dict.fromkeys(told):
                complain(f"Warning: {text}")
