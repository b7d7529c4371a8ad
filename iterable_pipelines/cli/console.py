"""How the command line speaks: answers on the standard output, progress and complaints on the standard error."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table


class CannotGoOn(Exception):
    """A command ends here. The text says what is wrong, whether stored data is safe, and the next command."""


class Interrupted(CannotGoOn):
    """A command was stopped by Ctrl-C, and says itself what became of its work."""


def out() -> Console:
    """The standard output as it is now: tests and pipes replace it."""
    # a table that is read by a program must not be folded to the width of a screen that is not there
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160, highlight=False)


def say(text: str) -> None:
    """One plain line of answer; brackets in it are brackets, not styles."""
    out().print(text, markup=False, soft_wrap=True)


def complain(text: str) -> None:
    """What is wrong, in red where there are colours."""
    Console(file=sys.stderr, highlight=False).print(text, style="red", markup=False, soft_wrap=True)


def table(title: str, *columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """An empty table with these headings; the columns in `numbers` are aligned to the right."""
    made = Table(title=title or None, title_justify="left", title_style="bold")
    for name in columns:
        made.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    return made


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress display on the standard error that keeps working while `quiet` has taken that away."""
    with os.fdopen(os.dup(sys.__stderr__.fileno() if sys.__stderr__ else 2), "w") as file:
        shown = Progress(
            SpinnerColumn(),
            BarColumn(24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", table_column=None),
            console=Console(file=file),
        )
        with shown:
            yield shown


@contextmanager
def quiet() -> Iterator[None]:
    """Send what others print to nowhere: Dagster and dbt write whole logs, which their own storage keeps."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, original in enumerate(kept, start=1):
            os.dup2(original, number)
            os.close(original)
        os.close(nowhere)


def plain(text: str, width: int = 90) -> str:
    """One line of at most `width` signs, safe to show where brackets mean styles."""
    # a control sign in what somebody has named would steer the terminal
    line = "".join(sign if sign.isprintable() else "\ufffd" for sign in " ".join(text.split()))
    return escape(line if len(line) <= width else line[: width - 1] + "…")
