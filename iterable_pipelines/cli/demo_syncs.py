"""The way back in the demo: the example syncs, sent to the sandbox, and what arrived there."""

from iterable_pipelines.activation.declaration import FOLDER
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.standing import standing_of
from iterable_pipelines.cli.console import CannotGoOn, out, say, table
from iterable_pipelines.cli.runs import Runs
from iterable_pipelines.settings import Settings

_NUMBERS = ("acknowledged", "rejected", "verified")


def lay_out_examples(settings: Settings) -> None:
    """Copy the example syncs into the demo's folder, switched on: nothing of a real project is touched."""
    folder = settings.project_root / FOLDER
    folder.mkdir(exist_ok=True)
    for example in sorted((settings.checkout / "docs" / "syncs-examples").glob("*.yml")):
        # what the sandbox says yes to is there at once
        (folder / example.name).write_text(example.read_text() + "verify_after_seconds: 0\n")


def send_examples(settings: Settings) -> None:
    """Send all of them; their checks read back some of what was acknowledged; show it."""
    from iterable_pipelines.automation import sync as job

    syncs = load_syncs(settings)
    with Runs(settings) as runs:
        outcome = runs.run(job.name, [f"activation/{each.name}" for each in syncs])
    if outcome.failed:
        lines = "\n".join(f"  {why}" for why in outcome.failed.values())
        raise CannotGoOn(f"The demo's syncs did not all arrive.\n{lines}\nNext: run it again")
    shown = table("What went back to the sandbox", "sync", "object", *_NUMBERS, numbers=_NUMBERS)
    for each in syncs:
        found = standing_of(settings, each.name)
        shown.add_row(each.name, each.object, *(f"{getattr(found, number):,}" for number in _NUMBERS))
    out().print(shown)
    say(f"Every row's outcome: activation.sync_rows; the files: {settings.project_root / FOLDER}")
