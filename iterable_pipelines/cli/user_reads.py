"""`user`, `events`, `messages`: one person, straight from Iterable, whether or not anything was imported."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from iterable_pipelines.api import Iterable, Ledger
from iterable_pipelines.api.user_reads import MOST_EVENTS, Person, read_events, read_messages, read_user
from iterable_pipelines.cli.console import CannotGoOn, out, plain, say, table
from iterable_pipelines.erasure.tombstones import Tombstones, hash_of
from iterable_pipelines.moments import parse_moment
from iterable_pipelines.settings import load_settings

Who = Annotated[str, typer.Argument(metavar="EMAIL_OR_USERID", help="An address; what has no @ is a user id.")]
ById = Annotated[bool, typer.Option("--user-id", help="It is a user id, even with an @ in it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what Iterable answered, an object a line.")]
Limit = Annotated[int, typer.Option(min=1, max=MOST_EVENTS, help="How many at most, the newest first.")]

_WIDTH = 80


def user(who: Who, by_id: ById = False, as_json: AsJson = False) -> None:
    """Show one user's profile fields as Iterable has them now."""
    person = _person(who, by_id)
    found = read_user(_client(), person)
    if found is None:
        kind = "user id" if person.user_id else "address"
        raise CannotGoOn(
            f"Iterable knows nobody by the {kind} {who!r}.\nNext: look at its spelling; --user-id asks by id"
        )
    if as_json:
        _print([found])
        return
    fields = {key: found[key] for key in ("email", "userId") if found.get(key)} | (found.get("dataFields") or {})
    shown = table(f"User {escape(who)}", "field", "value")
    for name, value in sorted(fields.items()):
        shown.add_row(plain(name), _cell(value))
    out().print(shown)


def events(who: Who, limit: Limit = 30, by_id: ById = False, as_json: AsJson = False) -> None:
    """Show one user's newest events, as Iterable has them now; at most 200 can be asked for."""
    found = _newest_first(read_events(_client(), _person(who, by_id), limit))
    if as_json:
        _print(found)
        return
    shown = table(f"Events of {escape(who)}", "created at (UTC)", "event", "name", "the rest")
    for each in found:
        rest = {key: each[key] for key in each if key not in ("createdAt", "eventType", "email", "userId")}
        name = each.get("eventName") or each.get("campaignName") or each.get("campaignId")
        shown.add_row(_moment(each.get("createdAt")), _cell(each.get("eventType")), _cell(name), _cell(rest))
    _show(shown, found, who, "events", limit)


def messages(who: Who, limit: Limit = 30, by_id: ById = False, as_json: AsJson = False) -> None:
    """Show one user's in-app messages: those that an app would show now, and those kept in its inbox."""
    found = _newest_first(read_messages(_client(), _person(who, by_id), limit))
    if as_json:
        _print(found)
        return
    shown = table(f"In-app messages of {escape(who)}", "created at (UTC)", "campaign", "title", "read", "expires at")
    for each in found:
        title = (each.get("inboxMetadata") or {}).get("title")
        cells = (_cell(each.get("campaignId")), _cell(title), "yes" if each.get("read") else "no")
        shown.add_row(_moment(each.get("createdAt")), *cells, _moment(each.get("expiresAt")))
    _show(shown, found, who, "in-app messages", limit)


def _client() -> Iterable:
    settings = load_settings()
    return Iterable(settings.required_api_key(), settings.url, Ledger.of(settings))


def _person(who: str, by_id: bool) -> Person:
    if not who.strip():
        raise typer.BadParameter("an address or a user id is needed")
    if who in (".", ".."):
        raise typer.BadParameter(f"{who!r} cannot be asked for: in an address of the web it means another place")
    if hash_of(who) in Tombstones(load_settings()).hashes():
        raise CannotGoOn(
            "This person is forgotten. Iterable was not asked, and nothing is shown.\n"
            "Next: iterable-pipelines erase show says since when"
        )
    return Person(user_id=who) if by_id or "@" not in who else Person(email=who.strip())


def _show(shown: Any, found: list[dict[str, Any]], who: str, what: str, limit: int) -> None:
    if not found:
        say(f"Iterable shows no {what} of {who!r}, or knows nobody of that name.")
        return
    out().print(shown)
    if len(found) == limit:
        more = "; Iterable shows no more" if limit == MOST_EVENTS else f"; --limit {MOST_EVENTS} shows more"
        say(f"The newest {limit}{more}.")


def _print(found: list[dict[str, Any]]) -> None:
    for each in found:
        # escapes keep a sign that would steer the terminal from doing so
        print(json.dumps(each))


def _cell(value: Any) -> str:
    return plain("" if value is None else value if isinstance(value, str) else json.dumps(value), _WIDTH)


def _newest_first(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """In which order Iterable answers is not documented (api.md 5.10)."""
    return sorted(found, key=lambda each: _moment(each.get("createdAt")), reverse=True)


def _moment(value: Any) -> str:
    """Epoch milliseconds and texts alike; what is neither, as it is."""
    try:
        moment = datetime.fromtimestamp(value / 1000, UTC) if isinstance(value, int | float) else parse_moment(value)
        return f"{moment:%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError, AttributeError):
        return _cell(value)
