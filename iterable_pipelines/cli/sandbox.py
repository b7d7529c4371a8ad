"""`sandbox`: Iterable on your own machine."""

import socket
from typing import Annotated, Literal

import typer

from iterable_pipelines.cli.console import CannotGoOn

Port = Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")]


def sandbox(
    port: Port = 8800,
    seed: Annotated[int, typer.Option(help="The same seed gives the same world.")] = 1,
    users: Annotated[int, typer.Option(min=0, help="How many people live in it; 0: an empty project.")] = 300,
    project_type: Annotated[
        Literal["email", "hybrid", "userid"], typer.Option(help="What identifies its people.")
    ] = "email",
    settle_seconds: Annotated[float, typer.Option(min=0, help="How long after its answer a write shows in reads.")] = 0,
    relaxed: Annotated[bool, typer.Option("--relaxed", help="Lift the limit of four exports a minute.")] = False,
    webhooks_to: Annotated[
        str | None, typer.Option(metavar="URL", help="Post events there, on this machine, as they become known.")
    ] = None,
    webhook_token: Annotated[str, typer.Option(help="What these requests show in the header Authorization.")] = "",
) -> None:
    """Serve a sandbox of Iterable on 127.0.0.1 until Ctrl-C; its key is `sandbox`."""
    from iterable_pipelines.sandbox import Hook, run_sandbox

    refuse_taken(port, "--port")
    webhooks = None
    if webhooks_to is not None:
        webhooks = [Hook(51, webhooks_to, auth_type="Basic" if webhook_token else "NoAuth", auth_token=webhook_token)]
        if not webhooks[0].reachable:
            raise CannotGoOn(
                "--webhooks-to must be an address of this machine: the sandbox posts nowhere else. Nothing was "
                "started.\nNext: take http://127.0.0.1:8700/webhooks, where iterable-pipelines webhooks listens"
            )
    run_sandbox(
        port=port,
        seed=seed,
        users=users,
        relaxed=relaxed,
        project_type=project_type,
        webhooks=webhooks,
        settle_seconds=settle_seconds,
    )


def refuse_taken(port: int, option: str) -> None:
    """Raise CannotGoOn if somebody listens on the port of 127.0.0.1 already."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise CannotGoOn(
            f"Port {port} of 127.0.0.1 is taken by another program ({error.strerror}). Nothing was started.\n"
            f"Next: end that program, or take another port with {option}"
        ) from None
