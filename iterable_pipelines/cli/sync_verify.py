"""`sync verify`: what was acknowledged is read back from Iterable."""

from typing import Annotated

import typer

from iterable_pipelines.cli.sync_arguments import Everything, Names


def verify(
    name: Names = None,
    everything: Everything = False,
    full: Annotated[bool, typer.Option("--full", help="Every row, not a sample of 50.")] = False,
) -> None:
    """Read back what Iterable acknowledged, and say what is not as it was sent."""
    raise NotImplementedError
