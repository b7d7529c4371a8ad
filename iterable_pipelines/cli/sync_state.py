"""`sync reset` and `sync resolve`: what a person says of the state of a sync, when it is to be other than it is."""

from typing import Annotated, Literal

import typer

from iterable_pipelines.cli.console import say
from iterable_pipelines.cli.sync_arguments import Name, Pks, one_sync
from iterable_pipelines.settings import load_settings


def reset(
    name: Name,
    how: Annotated[
        Literal["resend", "rebaseline", "pk"],
        typer.Option(
            help="resend: all rows go again. rebaseline: take them for acknowledged. pk: those of --pk go again."
        ),
    ],
    pks: Pks = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Change what the sync takes for acknowledged (S11); sends nothing. Who left since is still told so later."""
    if (how == "pk") != bool(pks):
        raise typer.BadParameter("--how pk and --pk KEY go together")
    from iterable_pipelines.activation.run import reset_sync

    settings = load_settings()
    sync = one_sync(settings, name)
    if how != "pk" and not yes:
        told = {
            "resend": "forgets what was acknowledged, and the next run sends every row again",
            "rebaseline": "takes the rows of now for acknowledged without sending them",
        }
        typer.confirm(f"{name}: this {told[how]}. Go on?", abort=True)
    reset_sync(settings, sync, how, tuple(pks or ()))
    say(f"{name}: done; nothing was sent.\nNext: iterable-pipelines sync plan {name}")


def resolve(
    name: Name,
    how: Annotated[
        Literal["resend", "drop"],
        typer.Option(help="resend: it has not happened, and is to. drop: it has, or is not wanted any more."),
    ],
) -> None:
    """Settle requests that must not be repeated blindly, and of which no answer came (S7)."""
    from iterable_pipelines.activation.run import resolve as settle

    settings = load_settings()
    settle(settings, one_sync(settings, name), how)
    say(f"{name}: settled; nothing was sent.\nNext: iterable-pipelines sync run {name}")
