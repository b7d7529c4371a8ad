"""`webhooks`: receive what Iterable sends, and look after the spool in which it waits."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from iterable_pipelines.cli.console import CannotGoOn, complain, out, say, table
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.settings_values import is_loopback

webhooks_app = typer.Typer(
    help="Iterable's system webhooks: receive them, and look after what waits to be landed.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@webhooks_app.callback()
def receive(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8700,
    host: Annotated[str, typer.Option(help="Address to listen on; leave it, behind a proxy.")] = "127.0.0.1",
) -> None:
    """Receive Iterable's system webhooks until Ctrl-C, behind a proxy with TLS (docs/webhooks.md)."""
    if context.invoked_subcommand:
        return
    settings = load_settings()
    tokens = settings.required_webhook_tokens()

    import logging

    from iterable_pipelines.webhooks.authentication import Authentication
    from iterable_pipelines.webhooks.receiver import Receiver
    from iterable_pipelines.webhooks.server import listen, serve
    from iterable_pipelines.webhooks.spool import Spool

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    receiver = Receiver(Spool(settings.spool_path), Authentication(tokens, settings.webhook_header))
    try:
        listening = listen(host, port)
    except OSError as error:
        raise CannotGoOn(
            f"Port {port} of {host} cannot be listened on ({error.strerror}). Nothing was started.\n"
            "Next: end the program that has it, or take another one with --port or --host"
        ) from None
    address = f"http://[{host}]" if ":" in host else f"http://{host}"
    if not is_loopback(address):
        complain("Others can reach this address: without TLS in front they can read the token (docs/webhooks.md).")
    with listening:
        at = f"{address}:{listening.getsockname()[1]}/webhooks"
        say(f"Receiving webhooks at {at}, with the token in the header {settings.webhook_header}")
        serve(receiver, listening)
    say(f"Stopped. {receiver.spool.level().queued:,} webhooks wait in the spool, durable, for the job `webhooks`.")


@webhooks_app.command()
def spool() -> None:
    """Show how full the spool is, and why bodies were put aside; shows no body."""
    from iterable_pipelines.webhooks.spool import Spool

    spooled = Spool(_spool_path(load_settings()))
    level = spooled.level()
    say(f"{level.queued:,} bodies wait to be landed, {level.aside:,} were put aside: {level.bytes:,} bytes of disk.")
    if level.oldest:
        say(f"The oldest that waits came at {level.oldest:%Y-%m-%d %H:%M:%S} UTC.")
    if level.aside:
        shown = table("Put aside", "reason", "bodies", "first (UTC)", numbers=("bodies",))
        for reason in spooled.reasons():
            shown.add_row(escape(reason.aside), f"{reason.bodies:,}", f"{reason.first:%Y-%m-%d %H:%M:%S}")
        out().print(shown)
        say("Next: when the cause is gone, iterable-pipelines webhooks replay")


@webhooks_app.command()
def replay() -> None:
    """Put what was put aside back into the queue, to be landed anew."""
    from iterable_pipelines.webhooks.spool import Spool

    again = Spool(_spool_path(load_settings())).queue_again()
    say(f"{again:,} bodies are in the queue again; the job `webhooks` takes them." if again else "None was put aside.")


def _spool_path(settings: Settings) -> Path:
    if not settings.spool_path.exists():
        raise CannotGoOn(
            f"No webhook was received yet: there is no {settings.spool_path}.\nNext: iterable-pipelines webhooks"
        )
    return settings.spool_path
