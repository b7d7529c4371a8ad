"""What stops webhooks on their way from the spool."""

import sqlite3
from pathlib import Path


class WebhooksNotLanded(Exception):
    """The spool could not be moved into landing. What was not moved is still in it."""

    def __init__(self, cause: Exception, spool: Path) -> None:
        # an engine's own words may quote a body
        why = str(cause) if isinstance(cause, OSError | sqlite3.Error) else type(cause).__name__
        super().__init__(
            f"landing/webhooks: not everything was moved ({why}). Stored data is safe, and so is the spool {spool} but "
            "for what is wrong with that file itself; this is tried again every minute.\n"
            "Next: free space on the disk; a spool that is broken move away, the exports bring what it held"
        )
