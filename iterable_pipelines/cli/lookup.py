"""`lookup`: one object as Iterable has it now, whether or not anything was imported."""

import json
from typing import Annotated

import typer

from iterable_pipelines.api import Iterable, Ledger
from iterable_pipelines.api.lookups import LOOKUPS, look_up
from iterable_pipelines.cli.console import CannotGoOn
from iterable_pipelines.settings import load_settings
from iterable_pipelines.settings_values import did_you_mean


def lookup(
    what: Annotated[str, typer.Argument(metavar="OBJECT", help=f"One of {', '.join(LOOKUPS)}.")],
    key: Annotated[
        list[str],
        typer.Option("--key", help="What names it; of a catalog item, a template or metadata two, in order."),
    ],
) -> None:
    """Ask Iterable for one object by its key, and print what it answers as JSON. People: `user --json`."""
    if what not in LOOKUPS:
        raise typer.BadParameter(
            f"{what!r} cannot be looked up{did_you_mean(what, LOOKUPS)} (there are {', '.join(LOOKUPS)})"
        )
    chosen = LOOKUPS[what]
    if len(key) != len(chosen.keys):
        needed = " ".join(f"--key {name.upper()}" for name in chosen.keys)
        raise typer.BadParameter(f"{what} is named by {len(chosen.keys)} key(s): {needed}")
    settings = load_settings()
    client = Iterable(settings.required_api_key(), settings.url, Ledger.of(settings))
    found = look_up(client, chosen, tuple(key))
    if found is None:
        raise CannotGoOn(
            f"Iterable has no {what.replace('_', ' ')} {' '.join(map(repr, key))}.\nNext: look at its spelling"
        )
    print(json.dumps(found, indent=2))
