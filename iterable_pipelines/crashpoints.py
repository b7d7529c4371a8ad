"""Named points at which a test may kill the process, so that every promised recovery is rehearsed."""

import os
import signal
import sys


def crashpoint(name: str) -> None:
    """Kill this process with SIGKILL if ITERABLE_CRASH_AT names this point; otherwise do nothing.

    The name is printed first: a rehearsal that never reached its point must not pass.
    """
    if os.environ.get("ITERABLE_CRASH_AT") == name:
        print(f"crashpoint {name}", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
