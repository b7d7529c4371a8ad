"""`serve`: Dagster in production: UI, daemon and code server, each kept up; or one of them, for a container."""

import os
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from iterable_pipelines.cli.console import CannotGoOn, complain, say
from iterable_pipelines.cli.sandbox import refuse_taken
from iterable_pipelines.dagster_home import Place, code_server_at, make_storage, prepare_home
from iterable_pipelines.settings import load_settings
from iterable_pipelines.settings_values import is_loopback
from iterable_pipelines.supervisor import Part, of_this_environment, supervise

_DEFINITIONS = "iterable_pipelines.definitions"


class What(StrEnum):
    """Everything on this machine, or one part of it, in place of this process."""

    ALL = "all"
    WEBSERVER = "webserver"
    DAEMON = "daemon"
    CODE = "code"


def serve(
    what: Annotated[What, typer.Argument(help="Everything, or one part in a container of its own.")] = What.ALL,
    host: Annotated[str, typer.Option(help="Address to listen on; leave it, behind a proxy.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the UI (3000), or of the code server (4000).")
    ] = None,
    code: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the webserver and the daemon find the code server.")
    ] = "127.0.0.1:4000",
) -> None:
    """Run the UI on 127.0.0.1, schedules and imports until SIGTERM (docs/deploy.md). A key is needed."""
    settings = load_settings()
    if what in (What.ALL, What.CODE):
        os.environ["ITERABLE_API_KEY"] = settings.required_api_key()
    port = port or (4000 if what == What.CODE else 3000)
    if what == What.ALL:
        refuse_taken(port, "--port")
    if what != What.DAEMON and not is_loopback(f"http://{host}"):
        complain("Others can reach this address, and Dagster asks for no password: put a proxy that does in front.")
    home = prepare_home(settings)
    os.environ["DAGSTER_HOME"] = str(home)
    make_storage(home)
    if what != What.ALL:
        listening = ["-h", host, "-p", str(port)]
        # the code server reads none, and knows of no place but its own
        workspace = "" if what == What.CODE else str(code_server_at(home, _place(code), what.value))
        command = _commands(workspace, listening, host, port)[what]
        os.execv(command[0], command)
    with tempfile.TemporaryDirectory(prefix="iterable-") as folder:
        # a socket, which no other user of this machine can open; its path has to be short
        socket = Path(folder) / "code.sock"
        commands = _commands(str(code_server_at(home, Place(socket=str(socket)))), ["-s", str(socket)], host, port)
        parts = [
            # it listens once it has loaded the definitions; the others would complain until then
            Part(each.value, command, None if each == What.CODE else socket)
            for each, command in commands.items()
        ]
        say(f"The UI will be at http://{host}:{port}, the data is in {settings.data_dir}. SIGTERM ends it.")
        supervise(parts, complain)


def _commands(workspace: str, listening: list[str], host: str, port: int) -> dict[What, list[str]]:
    """The parts in the order in which they start; they end the other way round."""
    return {
        What.CODE: of_this_environment("dagster", "code-server", "start", "-m", _DEFINITIONS, *listening),
        What.DAEMON: of_this_environment("dagster._daemon", "run", "-w", workspace),
        What.WEBSERVER: of_this_environment("dagster_webserver", "-h", host, "-p", str(port), "-w", workspace),
    }


def _place(code: str) -> Place:
    host, _, port = code.rpartition(":")
    if not host or not port.isdigit():
        raise CannotGoOn("--code is the code server's HOST:PORT, such as code:4000. Nothing was started.")
    return Place(host=host, port=int(port))
