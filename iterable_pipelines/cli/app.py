"""The table of contents of the command line, and the one place where an error becomes a message and an exit code."""

import errno
import sqlite3
import sys
from collections.abc import Sequence

import duckdb
import typer

from iterable_pipelines.activation.errors import ActivationFailed
from iterable_pipelines.api import IterableError
from iterable_pipelines.cli.accept import accept
from iterable_pipelines.cli.backfill import backfill
from iterable_pipelines.cli.campaign import campaign_app
from iterable_pipelines.cli.check import check
from iterable_pipelines.cli.console import CannotGoOn, Interrupted, complain
from iterable_pipelines.cli.demo import demo
from iterable_pipelines.cli.dev import dev
from iterable_pipelines.cli.erase import erase_app
from iterable_pipelines.cli.export import export
from iterable_pipelines.cli.import_app import import_app
from iterable_pipelines.cli.lists import lists
from iterable_pipelines.cli.lookup import lookup
from iterable_pipelines.cli.move_landing import move_landing
from iterable_pipelines.cli.plan import plan
from iterable_pipelines.cli.profile import profile
from iterable_pipelines.cli.query import query
from iterable_pipelines.cli.rebuild import rebuild
from iterable_pipelines.cli.replicate import replicate
from iterable_pipelines.cli.retention import retention
from iterable_pipelines.cli.sandbox import sandbox
from iterable_pipelines.cli.status import status
from iterable_pipelines.cli.sync import sync_app
from iterable_pipelines.cli.track_calls import track_calls
from iterable_pipelines.cli.two_way import two_way_app
from iterable_pipelines.cli.user_reads import events, messages, user
from iterable_pipelines.cli.webhooks import webhooks_app
from iterable_pipelines.cli.webhooks_at_iterable import register, show
from iterable_pipelines.cli.write import write
from iterable_pipelines.erasure.errors import ErasureFailed
from iterable_pipelines.landing import LandingFailed
from iterable_pipelines.postgres import PostgresFailed
from iterable_pipelines.profiles import ModelsFailed
from iterable_pipelines.replications.errors import ReplicationRefused
from iterable_pipelines.settings import SettingsError
from iterable_pipelines.streams import StaleWriter, WarehouseFailed
from iterable_pipelines.track_calls.errors import TrackCallsFailed
from iterable_pipelines.two_way.errors import TwoWayFailed

# no boxes around usage errors: one line can be read, searched and copied
app = typer.Typer(
    name="iterable-pipelines",
    help="Iterable, hour by hour, into DuckDB.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (
    check,
    sandbox,
    demo,
    dev,
    plan,
    backfill,
    status,
    profile,
    query,
    replicate,
    track_calls,
    user,
    events,
    messages,
    lookup,
    export,
    lists,
    accept,
    rebuild,
    retention,
    move_landing,
    write,
):
    app.command()(command)
app.add_typer(import_app, name="import")
app.add_typer(sync_app, name="sync")
app.add_typer(erase_app, name="erase")
app.add_typer(campaign_app, name="campaign")
app.add_typer(two_way_app, name="two-way")
for at_iterable in (show, register):
    webhooks_app.command()(at_iterable)
app.add_typer(webhooks_app, name="webhooks")

_KNOWN = (
    CannotGoOn,
    SettingsError,
    IterableError,
    LandingFailed,
    StaleWriter,
    WarehouseFailed,
    ModelsFailed,
    PostgresFailed,
    ReplicationRefused,
    TrackCallsFailed,
    ActivationFailed,
    TwoWayFailed,
    ErasureFailed,
    OSError,
    duckdb.Error,
    sqlite3.Error,
)
# their errors say what is wrong, and are too many to list; importing them would cost every command two seconds
_KNOWN_LIBRARIES = ("dagster", "dbt")
_DISK_MARKS = ("disk I/O error", "disk is full", "readonly database", "unable to open database file")
# what Typer makes of Ctrl-C
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave the process: 0 done, 1 a clear message says what is wrong, 2 the command was misspelt."""
    try:
        app(arguments)
    except SystemExit as left:
        if left.code == _INTERRUPTED:
            complain("Stopped. What is stored is safe; the same command goes on from here.")
        raise
    except Exception as error:
        if disk := trouble_of_the_disk(error):
            complain(
                f"The disk is full or cannot be written: {disk}. What is stored before is safe.\n"
                "Next: free space, or set ITERABLE_DATA_DIR elsewhere; then iterable-pipelines check"
            )
            sys.exit(1)
        if not isinstance(error, _KNOWN) and type(error).__module__.partition(".")[0] not in _KNOWN_LIBRARIES:
            raise
        complain(str(error) or type(error).__name__)
        sys.exit(_INTERRUPTED if isinstance(error, Interrupted) else 1)


def trouble_of_the_disk(error: BaseException | None) -> str | None:
    """What the system or SQLite said of the disk, however many libraries have wrapped it since."""
    while error is not None:
        text = str(error).splitlines()[0] if str(error) else ""
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
            return text
        if isinstance(error, sqlite3.OperationalError) and any(mark in text for mark in _DISK_MARKS):
            return f"SQLite says {text}"
        error = error.__cause__ or error.__context__
    return None
