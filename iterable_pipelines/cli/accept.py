"""`accept`: take an hour without the lines of it that cannot be read."""

from datetime import datetime
from typing import Annotated

import typer

from iterable_pipelines.cli.arguments import data_type_named, hour_named
from iterable_pipelines.cli.console import CannotGoOn, say
from iterable_pipelines.cli.importing import load_landed
from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.file_store import FileStore
from iterable_pipelines.hours import Window, hour_key
from iterable_pipelines.landing import Manifest, accept_loss
from iterable_pipelines.settings import load_settings


def accept(
    data_type: Annotated[str, typer.Argument(parser=data_type_named, metavar="DATA_TYPE", help="Such as emailOpen.")],
    hour: Annotated[datetime, typer.Argument(parser=hour_named, metavar="HOUR", help="Such as 2026-11-01T03 (UTC).")],
) -> None:
    """Import what can be read of an hour that waits in quarantine, and note how many lines were lost."""
    settings = load_settings()
    manifest = Manifest.of(settings)
    held = [each for each in manifest.quarantined() if (each.data_type, each.hour) == (data_type, hour)]
    if not held:
        raise CannotGoOn(
            f"Nothing of {data_type} {hour_key(hour)} waits in quarantine. Nothing was changed.\n"
            "Next: iterable-pipelines status"
        )
    part, lost = accept_loss(manifest, settings, held[0])
    say(f"{data_type} {hour_key(hour)}: {part.rows:,} records have landed.")
    say(f"{lost:,} lines are lost, as the manifest notes.")
    say(f"The download stays as it came: {FileStore.of(settings).url(held[0].path)}")
    troubles = load_landed(settings, Window.of_hour(hour), DATA_TYPE[data_type].stream)
    if troubles:
        raise CannotGoOn("It landed, and is safe, but not all is loaded:\n" + "\n".join(troubles))
    say("Loaded, and the profiles are built.")
