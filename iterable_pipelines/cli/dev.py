"""`dev`: Dagster's UI and daemon on this machine, with the sandbox where no key is set."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import Annotated

import typer

from iterable_pipelines.cli.console import say
from iterable_pipelines.cli.sandbox import refuse_taken
from iterable_pipelines.cli.sandbox_project import sandbox_project
from iterable_pipelines.dagster_home import make_storage, prepare_home
from iterable_pipelines.settings import load_settings

_HOST = "127.0.0.1"


def dev(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the UI on 127.0.0.1.")] = 3000,
) -> None:
    """Open the UI on 127.0.0.1 until Ctrl-C. Without a key, it shows the sandbox and the data of the demo."""
    settings = load_settings()
    refuse_taken(port, "--port")
    with ExitStack() as stack:
        if settings.api_key is None:
            settings = stack.enter_context(sandbox_project())
        else:
            os.environ["ITERABLE_API_KEY"] = settings.required_api_key()
        home = prepare_home(settings)
        os.environ["DAGSTER_HOME"] = str(home)
        make_storage(home)
        workspace = settings.checkout / "workspace.yaml"
        target = ["-w", str(workspace)] if workspace.exists() else ["-m", "iterable_pipelines.definitions"]
        say(f"The UI will be at http://{_HOST}:{port}, the data is in {settings.data_dir}. Ctrl-C ends it.")
        command = [sys.executable, "-m", "dagster", "dev", "-h", _HOST, "-p", str(port), *target]
        code = _run(command, settings.checkout)
    raise typer.Exit(code)


def _run(command: list[str], folder: os.PathLike[str]) -> int:
    """Run in the foreground. A signal that ends this process ends the child first, and waits for it."""
    # what a script starts in the background ignores Ctrl-C and would hand that on: Dagster then heeds no signal at all
    signal.signal(signal.SIGINT, signal.default_int_handler)
    child = subprocess.Popen(command, cwd=folder)

    def end(number: int, frame: object) -> None:
        child.send_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, end)
    while True:
        try:
            code = child.wait()
            return 0 if code in (-signal.SIGINT, 130) else abs(code)
        except KeyboardInterrupt:
            # the terminal has sent it to the child too, which takes some seconds to put everything away
            continue
