"""`erase`: whoever is forgotten at Iterable, or asked us, is erased from every file of the project."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from iterable_pipelines.api import Iterable, Ledger
from iterable_pipelines.cli.console import CannotGoOn, out, say, table
from iterable_pipelines.cli.erase_requests import queue, request, send
from iterable_pipelines.erasure.certificate import Certificate, certificates
from iterable_pipelines.erasure.pull import pull
from iterable_pipelines.erasure.requests import Requests
from iterable_pipelines.erasure.run import erase, follow_up, identifiers_left
from iterable_pipelines.erasure.scan import SHORTEST, scan
from iterable_pipelines.erasure.tombstones import Kind, Tombstones, hash_of
from iterable_pipelines.settings import Settings, load_settings

erase_app = typer.Typer(
    help="Erases forgotten people from every file: warehouse, landing, states, copies.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Emails = Annotated[list[str] | None, typer.Option("--email", help="An address; may be given more than once.")]
UserIds = Annotated[list[str] | None, typer.Option("--user-id", help="A user id; may be given more than once.")]


@erase_app.command()
def run(
    local: Annotated[bool, typer.Option("--local", help="Do not ask Iterable whom it lists as forgotten.")] = False,
    approve: Annotated[
        list[str] | None,
        typer.Option("--approve", help="`lift`: take a list of Iterable that is much shorter than before."),
    ] = None,
) -> None:
    """Ask Iterable whom it has forgotten, and erase them here. It may be stopped and run again at any moment."""
    settings = load_settings()
    if unknown := set(approve or []) - {"lift"}:
        raise typer.BadParameter(f"{sorted(unknown)[0]!r} cannot be approved: there is lift")
    if not local:
        ledger = Ledger.of(settings)
        client = Iterable(settings.required_api_key(), settings.url, ledger, log=say)
        pull(client, settings, say, approve_lift=bool(approve))
    _erase(settings)


@erase_app.command()
def person(
    email: Emails = None,
    user_id: UserIds = None,
    yes: Annotated[bool, typer.Option("--yes", help="Really do it: there is no way back.")] = False,
) -> None:
    """Erase somebody who asked you directly, here and for good. Iterable itself is not told."""
    settings, named = load_settings(), _named(email, user_id)
    if not yes:
        raise CannotGoOn(
            f"{len(named):,} identifiers, and what is linked to them, would be erased from every file below "
            f"{settings.data_dir}, and would never be imported again. Nothing was changed.\n"
            "Next: the same command with --yes"
        )
    for kind, identifier in named:
        Tombstones(settings).add(kind, [hash_of(identifier)], "request")
    _erase(settings)


@erase_app.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="Print certificates, one a line.")] = False) -> None:
    """Show the certificates: what each erasure found, did and left open."""
    settings = load_settings()
    known = certificates(settings)
    if as_json:
        for each in known:
            out().print(json.dumps(asdict(each)), soft_wrap=True, markup=False, highlight=False)
        return
    numbers = ("people", "rows", "rows of others", "places", "seconds")
    shown = table("Erasures", "when (UTC)", *numbers, "still open", "left", numbers=numbers)
    for each in known:
        counts = (each.persons, each.rows, each.mentions, len(each.erased), round(each.seconds))
        still_open = ", ".join(sorted(each.open)) or "nothing"
        shown.add_row(each.started_at[:16], *(f"{count:,}" for count in counts), still_open, f"{each.left:,}")
    out().print(shown)
    say(f"{len(Tombstones(settings).hashes()):,} identifiers must not come back.")


@erase_app.command("scan")
def scan_(email: Emails = None, user_id: UserIds = None) -> None:
    """Look for somebody in every byte of the data folder, or, without a name, for anybody who has a tombstone."""
    settings = load_settings()
    if not email and not user_id:
        if left := identifiers_left(settings):
            raise CannotGoOn(
                f"{left:,} identifiers of the forgotten are still here.\nNext: iterable-pipelines erase run"
            )
        say("No identifier that any store holds has a tombstone.")
        return
    named = [identifier for _, identifier in _named(email, user_id)]
    if any(len(each.strip()) < SHORTEST for each in named):
        raise typer.BadParameter(f"what has less than {SHORTEST} signs stands in every file by chance")
    done = scan(settings, named)
    for file in done.unread:
        say(f"could not be read: {file}")
    if done.found:
        files = "\n".join(f"  {file}" for file in done.found)
        asked_for = Requests(settings).path
        waits = any(Path(file).name.startswith(asked_for.name) for file in done.found)
        told = f"\n{asked_for.name} keeps whom Iterable is to forget until it has answered." if waits else ""
        then = "erase send" if waits else "erase person"
        raise CannotGoOn(
            f"Found in {len(done.found):,} of {done.files:,} files:\n{files}{told}\nNext: iterable-pipelines {then}"
        )
    say(f"Not in any of {done.files:,} files, {done.bytes:,} bytes.")


def _named(email: list[str] | None, user_id: list[str] | None) -> list[tuple[Kind, str]]:
    named: list[tuple[Kind, str]] = [("email", each) for each in email or []]
    named += [("user_id", each) for each in user_id or []]
    if not named or not all(identifier.strip() for _, identifier in named):
        raise typer.BadParameter("say who: --email ada@example.com, or --user-id 4711")
    return named


def _erase(settings: Settings) -> None:
    certificate = erase(settings, say)
    follow_up(settings, certificate, say)
    say(_told(certificate))
    for place in certificate.elsewhere:
        say(f"Elsewhere: {place}")
    if not certificate.complete:
        what = "\n".join(f"  {name}: {why}" for name, why in sorted(certificate.open.items()))
        left = f"\n{certificate.left:,} identifiers are still there" if certificate.left else ""
        raise CannotGoOn(f"Not everything is erased yet:\n{what}{left}\nNext: iterable-pipelines erase run --local")


def _told(certificate: Certificate) -> str:
    return (
        f"{certificate.persons:,} people: {certificate.rows:,} rows erased, {certificate.mentions:,} rows of others "
        f"that named them, in {len(certificate.erased):,} places, in {certificate.seconds:.0f} s."
    )


for command in (request, queue, send):
    erase_app.command()(command)
