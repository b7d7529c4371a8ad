"""`erase request`, `erase queue`, `erase send`: whom Iterable is to forget, a thousand a day, and how far that is."""

import csv
from pathlib import Path
from typing import Annotated

import typer

from iterable_pipelines.activation.compile.identity import email_of, user_id_of
from iterable_pipelines.activation.records import Issue
from iterable_pipelines.api import Iterable, Ledger
from iterable_pipelines.cli.console import CannotGoOn, out, say, table
from iterable_pipelines.erasure.requests import Action, IdentifierKind, Requests
from iterable_pipelines.settings import Settings, load_settings

Named = tuple[IdentifierKind, str]
# what identifies a user is what Iterable forgets by (api.md 1.8)
_FORGETS_BY: dict[str, tuple[IdentifierKind, ...]] = {
    "email": ("email",),
    "userid": ("userId",),
    "hybrid": ("email", "userId"),
}
_COLUMNS: dict[str, IdentifierKind] = {"email": "email", "user_id": "userId", "userId": "userId"}


def request(
    email: Annotated[list[str] | None, typer.Option("--email", help="An address; repeatable.")] = None,
    user_id: Annotated[list[str] | None, typer.Option("--user-id", help="A user id; repeatable.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", exists=True, dir_okay=False, help="CSV with a column email or user_id.")
    ] = None,
    unforget: Annotated[bool, typer.Option("--unforget", help="Let them be written again, instead.")] = False,
) -> None:
    """Queue people whom Iterable is to forget: its copy of them is deleted for good, and new data refused."""
    settings = load_settings()
    given: list[tuple[str, IdentifierKind, str]] = [("--email", "email", each) for each in email or []]
    given += [("--user-id", "userId", each) for each in user_id or []]
    if file:
        given += _read(file)
    if not given:
        raise typer.BadParameter("name somebody: --email, --user-id or --file")
    action: Action = "unforget" if unforget else "forget"
    new = Requests(settings).add(action, _checked(settings, given))
    say(f"{new:,} queued to {action}, {len(given) - new:,} waited already.")
    _show(settings)
    say("Next: iterable-pipelines erase send; while Dagster runs it goes on by itself, every hour")


def queue() -> None:
    """Show how many wait, and by when they will have gone; never who."""
    settings = load_settings()
    _show(settings)
    level = Requests(settings).level()
    if level.refused:
        say("Next: ask again for those that were refused, once the cause is mended: iterable-pipelines erase request …")
    elif level.waiting or level.in_doubt:
        say("Next: iterable-pipelines erase send")


def send() -> None:
    """Send what waits, as far as Iterable takes it today, as a run that Dagster's UI shows."""
    from iterable_pipelines.automation import send_forgets as job
    from iterable_pipelines.cli.runs import Runs

    settings, said = load_settings(), list[str]()
    with Runs(settings) as runs:
        outcome = runs.run(job.name, ["erasure/forget_requests"], said=said.append)
    for line in said:
        say(line)
    if outcome.failed:
        raise CannotGoOn("\n".join(outcome.failed.values()))
    _show(settings)
    say("Next: iterable-pipelines erase queue")


def _show(settings: Settings) -> None:
    from iterable_pipelines.activation.promise import told
    from iterable_pipelines.erasure.send_requests import promise

    level = Requests(settings).level()
    shown = table("Requests to Iterable", "what", "people", numbers=("people",))
    for state, counts in (("waiting", level.waiting), ("done", level.done), ("refused", level.refused)):
        for name, number in counts.items():
            shown.add_row(f"{state}: {name}", f"{number:,}")
    if level.in_doubt:
        shown.add_row("in doubt: no answer came", f"{level.in_doubt:,}")
    if shown.row_count:
        out().print(shown)
    else:
        say("Nobody was asked for yet.")
    if level.waiting:
        ledger = Ledger.of(settings)
        client = Iterable(settings.required_api_key(), settings.url, ledger)
        say(f"Promised: {told(promise(settings, client))}")


def _read(file: Path) -> list[tuple[str, IdentifierKind, str]]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = csv.DictReader(opened)
        columns = {name: _COLUMNS[name] for name in rows.fieldnames or () if name in _COLUMNS}
        if not columns:
            raise CannotGoOn(
                f"{file} has no column email or user_id in its first line. Nothing was queued.\n"
                "Next: name the column, then the same command"
            )
        return [
            (f"line {rows.line_num}", kind, row[name]) for row in rows for name, kind in columns.items() if row[name]
        ]


def _checked(settings: Settings, given: list[tuple[str, IdentifierKind, str]]) -> list[Named]:
    """All of them, normalised. Raises CannotGoOn, which names places and no persons, if one is wrong."""
    found, wrong = list[Named](), list[str]()
    for place, kind, written in given:
        issues = list[Issue]()
        name = email_of(written, issues) if kind == "email" else user_id_of(written.strip(), issues)
        if kind not in _FORGETS_BY[settings.project_type]:
            wrong.append(f"{place}: projects of type {settings.project_type} do not forget by {kind}")
        elif name is None:
            wrong.append(f"{place}: {issues[0].message if issues else 'it is blank'}")
        else:
            found.append((kind, name))
    if wrong:
        told = "\n".join(f"  {each}" for each in wrong[:10])
        raise CannotGoOn(
            f"{len(wrong)} of {len(given)} cannot be asked for. Nothing was queued.\n{told}\n"
            "Next: correct them, then the same command"
        )
    return found
