"""`replicate`: bring the targets of replications/*.yml up to date now, as a run that Dagster's UI shows."""

from typing import Annotated

import typer

from iterable_pipelines import replications
from iterable_pipelines.cli.arguments import chosen_of
from iterable_pipelines.cli.console import CannotGoOn, say
from iterable_pipelines.cli.runs import Runs
from iterable_pipelines.settings import load_settings


def replicate(
    name: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="The file's name, without .yml.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every replication there is.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent and deleted; send nothing.")
    ] = False,
    allow_deletes: Annotated[
        bool, typer.Option("--allow-deletes", help="Delete even more rows than delete_guard allows.")
    ] = False,
) -> None:
    """Replicate tables and queries, as replications/*.yml say, into PostgreSQL or files: what has changed is sent."""
    settings = load_settings()
    known = {each.name: each for each in replications.load_replications(settings)}
    chosen = chosen_of(known, name, everything, "replication", settings.project_root / "replications")
    if not chosen:
        say(f"There is no replication yet: write {settings.project_root / 'replications'}/NAME.yml")
        return
    if dry_run:
        for each in chosen:
            say(f"{each}: {replications.replicate(settings, known[each], dry_run=True)}; nothing was sent")
        return
    from iterable_pipelines.automation import replicate as job

    options = {f"replications/{each}": {"allow_deletes": allow_deletes} for each in chosen}
    told: list[str] = []
    with Runs(settings) as runs:
        outcome = runs.run(job.name, list(options), config=options, said=told.append)
    for line in told:
        say(line)
    if outcome.failed:
        raise CannotGoOn("\n".join(outcome.failed.values()))
