"""`sync reset` and `sync resolve`: what a person says of the state of a sync, when it is to be other than it is."""

from typing import Annotated, Literal

import typer

from iterable_pipelines.cli.console import say
from iterable_pipelines.cli.sync_arguments import Name, Pks, one_sync
from iterable_pipelines.settings import load_settings


def reset(
    name: Name,
    how: Annotated[
        Literal["resend", "rebaseline", "pk", "project"],
        typer.Argument(
            help="resend: all rows go again. rebaseline: Iterable has them. pk: those of --pk go again. project: the "
            "key is a new one of the same project."
        ),
    ],
    pks: Pks = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Change what the sync takes for acknowledged (S11); sends nothing. Who left since is still told so later."""
    if (how == "pk") != bool(pks):
        raise typer.BadParameter("pk and --pk KEY go together")
    from iterable_pipelines.activation.run import reset_sync

    settings = load_settings()
    sync = one_sync(settings, name)
    if how != "pk" and not yes:
        told = {
            "resend": "forgets what was acknowledged, and the next run sends every row again",
            "rebaseline": "takes the rows of now for acknowledged without sending them",
            "project": "takes the key of now for one of the project that everything was sent to",
        }
        typer.confirm(f"{name}: this {told[how]}. Go on?", abort=True)
    records = reset_sync(settings, sync, how, tuple(pks or ()), log=say)
    then = "go again with the next run" if how in ("resend", "pk") else "are taken for acknowledged"
    say(f"{name}: {records:,} records {then}; nothing was sent.\nNext: iterable-pipelines sync plan {name}")


def resolve(
    name: Name,
    how: Annotated[
        Literal["resend", "drop"],
        typer.Argument(help="resend: it has not happened, and is to. drop: it has, or is not wanted any more."),
    ],
) -> None:
    """Settle requests that must not be repeated blindly, and of which no answer came (S7)."""
    from iterable_pipelines.activation.run import resolve as settle

    settings = load_settings()
    requests = settle(settings, one_sync(settings, name), how, log=say)
    what = f"{requests:,} requests were in doubt, and are settled" if requests else "nothing is in doubt"
    say(f"{name}: {what}. Nothing was sent.\nNext: iterable-pipelines sync run {name}")
