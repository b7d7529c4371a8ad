"""Who types the command, for what keeps a record of it."""

import getpass
import os


def who() -> str:
    """The user's name on this machine; in a container that has none, the number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"user {os.getuid()}"
