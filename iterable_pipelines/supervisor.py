"""Processes that are to run for ever: each is started again when it ends, and all end with this one."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_TICK_SECONDS = 0.5
# a process that ends at once is tried again after twice as long each time, and after a quiet while anew
_FIRST_PAUSE, _LONGEST_PAUSE, _STEADY_SECONDS = 1.0, 60.0, 120.0
# a code server waits for nothing, a run that is cut off is found by Dagster
_GRACE_SECONDS = 30.0


@dataclass
class Part:
    """One of the processes: its name, the command that is it, and a file that is there once it may start."""

    name: str
    command: Sequence[str]
    after: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _pause: float = field(default=_FIRST_PAUSE, init=False)
    _started: float = field(default=0.0, init=False)
    _due: float = field(default=0.0, init=False)

    def keep_up(self, said: Callable[[str], None]) -> None:
        """Start the process if it may start, does not run, and its pause is over."""
        moment = time.monotonic()
        if self.process is not None:
            if (code := self.process.poll()) is None:
                return
            self.process = None
            if moment - self._started > _STEADY_SECONDS:
                self._pause = _FIRST_PAUSE
            self._due = moment + self._pause
            said(f"{self.name} ended with {code}; it is started again in {self._pause:.0f} s")
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        if moment >= self._due and (self.after is None or self.after.exists()):
            self._started = moment
            self.process = subprocess.Popen(self.command)

    def end(self) -> None:
        """Ask the process to end, and wait for it; kill it if it takes too long."""
        if self.process is None:
            return
        # what Dagster's own processes end cleanly on
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def supervise(parts: Sequence[Part], said: Callable[[str], None]) -> None:
    """Keep the processes up until SIGTERM or SIGINT, then end them, the last first; `said` hears what has ended."""
    ending = False

    def end(number: int, frame: object) -> None:
        nonlocal ending
        ending = True

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)
    try:
        while not ending:
            for part in parts:
                part.keep_up(said)
            time.sleep(_TICK_SECONDS)
    finally:
        for part in reversed(parts):
            part.end()


def of_this_environment(module: str, *arguments: str) -> list[str]:
    """The command that runs a module with this Python, whatever is on the PATH."""
    return [sys.executable, "-m", module, *arguments]
