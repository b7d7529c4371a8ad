"""`webhooks show` and `webhooks register`: the project's webhooks at Iterable, and where they are sent."""

import json
from typing import Annotated

import typer

from iterable_pipelines.api import Iterable, IterableError, Ledger
from iterable_pipelines.api.address import is_loopback, is_protected
from iterable_pipelines.api.webhooks import PATH, AuthWay, Registration, Webhook, read_webhooks, update_webhook
from iterable_pipelines.cli.console import CannotGoOn, out, plain, say, table
from iterable_pipelines.settings import Settings, load_settings

_AUTHORIZATION = "authorization"
_MOST_IDS = 10


def show() -> None:
    """Show the webhooks that this project has at Iterable, which never lists their tokens."""
    _print(_read(_client(load_settings())))


def register(
    endpoint: Annotated[str, typer.Option(help="Where Iterable is to post events: https://…/webhooks.")],
    webhook_id: Annotated[
        int | None, typer.Option("--id", help="Which webhook, where the project has several.", metavar="ID")
    ] = None,
    auth: Annotated[
        AuthWay, typer.Option(help="How the token is shown: a header of its own, or one of Iterable's ways.")
    ] = "header",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the request, and do not send it.")] = False,
) -> None:
    """Point a webhook of Iterable's at this project's receiver, with the first token of ITERABLE_WEBHOOK_TOKEN."""
    settings = load_settings()
    _check_endpoint(endpoint, settings)
    token, header = settings.required_webhook_tokens()[0], settings.webhook_header
    if auth != "header" and header.lower() != _AUTHORIZATION:
        raise CannotGoOn(
            f"--auth {auth} shows the token in the header Authorization, but the receiver looks into {header} "
            "(ITERABLE_WEBHOOK_HEADER), and would refuse every event. Nothing was changed.\n"
            "Next: take --auth header, or unset ITERABLE_WEBHOOK_HEADER"
        )
    client = _client(settings)
    webhook = _chosen(_read(client), webhook_id)
    asked = Registration(webhook.id, endpoint, token, header, auth)
    if dry_run:
        say(f"POST {settings.url}{PATH}\n{json.dumps(asked.as_body(hidden=True), indent=2)}")
        gone = " Custom headers that the webhook has now are gone then." if auth == "header" else ""
        say(f"Nothing was sent. Without --dry-run it is, with the token.{gone}")
        return
    try:
        update_webhook(client, asked)
    except IterableError as error:
        raise CannotGoOn(f"{error}\nNext: iterable-pipelines webhooks show tells whether it was changed") from None
    _confirm(asked, _read(client))


def _check_endpoint(endpoint: str, settings: Settings) -> None:
    if not is_protected(endpoint) or not endpoint.isprintable() or " " in endpoint or "@" in endpoint:
        raise CannotGoOn(
            "--endpoint must be an https address without user name and blanks: the token is sent there. Nothing was "
            "changed.\nNext: put a proxy with TLS before the receiver (docs/webhooks.md), and name its address"
        )
    if is_loopback(endpoint) and not is_loopback(settings.url):
        raise CannotGoOn(
            f"--endpoint {endpoint} is this machine's own address, which Iterable cannot reach. Nothing was changed.\n"
            "Next: name an address of this machine that is known outside"
        )


def _chosen(webhooks: list[Webhook], webhook_id: int | None) -> Webhook:
    """The one webhook there is, or that of this id; raises CannotGoOn, after a table, where that is not clear."""
    if webhook_id is None and len(webhooks) == 1:
        return webhooks[0]
    for webhook in webhooks:
        if webhook.id == webhook_id:
            return webhook
    _print(webhooks)
    what = "Iterable has several webhooks" if webhook_id is None else f"Iterable has no webhook {webhook_id}"
    raise CannotGoOn(f"{what}. Nothing was changed.\nNext: name one of the above with --id")


def _confirm(asked: Registration, webhooks: list[Webhook]) -> None:
    """Show what became of it; raises CannotGoOn where Iterable lists it otherwise than it was asked to."""
    changed = [each for each in webhooks if each.id == asked.webhook_id]
    _print(changed or webhooks)
    if not changed or not asked.became(changed[0]):
        raise CannotGoOn(
            f"Iterable took the change of webhook {asked.webhook_id}, but does not list it as asked for (above).\n"
            "Next: iterable-pipelines webhooks show, in a minute; if it stays so, change it in Iterable's UI"
        )
    place = f"the custom header {asked.header}" if asked.way == "header" else "the header Authorization"
    say(f"Webhook {asked.webhook_id} shows the token in {place}; Iterable may take some minutes until it does.")
    if asked.way == "header":
        say("Custom headers that it had before are gone.")
    say("Which events it sends, Iterable's UI alone says and changes: Integrations > System Webhooks.")


def _client(settings: Settings) -> Iterable:
    ledger = Ledger.of(settings)
    return Iterable(settings.required_api_key(), settings.url, ledger)


def _read(client: Iterable) -> list[Webhook]:
    webhooks = read_webhooks(client)
    if not webhooks:
        raise CannotGoOn(
            "The project has no webhook at Iterable, and the API cannot make one.\n"
            "Next: make it in Iterable's UI (Integrations > System Webhooks), choose its events, then: "
            "iterable-pipelines webhooks register --endpoint https://…"
        )
    return webhooks


def _print(webhooks: list[Webhook]) -> None:
    columns = ("id", "endpoint", "enabled", "auth type", "blast sends", "triggered sends", "channels", "message types")
    shown = table("Webhooks at Iterable", *columns, numbers=("id",))
    for each in webhooks:
        flags = [_yes(each.enabled), plain(each.auth_type), _yes(each.blast), _yes(each.triggered)]
        shown.add_row(
            str(each.id), plain(each.endpoint, 200), *flags, _ids(each.channel_ids), _ids(each.message_type_ids)
        )
    out().print(shown)


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _ids(ids: tuple[object, ...]) -> str:
    listed = ", ".join(str(each) for each in ids[:_MOST_IDS])
    return plain(listed + (", …" if len(ids) > _MOST_IDS else "")) or "none named"
