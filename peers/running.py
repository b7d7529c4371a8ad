"""How a peer is run: in an environment of its own, for a limited time, without a way out of the machine."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from iterable_pipelines.sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 120  # a peer that waits and retries for longer has met an error


class PeerFailed(Exception):
    """A peer ended with an error or not at all; the text has the end of what it said."""


def run(command: list[str], stdin: str = "") -> str:
    """What the command prints. Raises PeerFailed if it fails or takes too long."""
    theirs_not = ("http_proxy", "https_proxy", "all_proxy", "pythonpath")
    environment = {name: value for name, value in os.environ.items() if name.lower() not in theirs_not}
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=SECONDS, env=environment, cwd=ROOT
        )
    except FileNotFoundError as missing:
        raise PeerFailed(f"{command[0]} is not there. Next: make test-peers, which sets it up") from missing
    except subprocess.TimeoutExpired as late:
        raise PeerFailed(f"{Path(command[0]).name} was not done after {SECONDS} s\n{_end(late.stderr)}") from late
    if done.returncode:
        raise PeerFailed(f"{Path(command[0]).name} ended with {done.returncode}\n{_end(done.stderr or done.stdout)}")
    return done.stdout


def run_redirected(sandbox: Sandbox, command: str, *arguments: str) -> str:
    """What a Python client prints whose requests go to the sandbox; it lives in .venv-peers, under its own name."""
    python = ROOT / ".venv-peers" / command / "bin" / "python"
    # -P: what lies beside redirect.py is not the client's to import
    return run([str(python), "-P", str(ROOT / "peers" / "redirect.py"), sandbox.url, command, *arguments])


def json_lines(said: str) -> list[dict[str, Any]]:
    """The messages of a peer, one a line; strings in them may hold every other sign that ends a line."""
    try:
        return [json.loads(line) for line in said.split("\n") if line]
    except ValueError as wrong:
        raise PeerFailed(f"what it printed is no JSON: {wrong}\n{_end(said)}") from wrong


def _end(said: str | bytes | None) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said or ""
    return "\n".join(line[:500] for line in text.splitlines()[-30:])
