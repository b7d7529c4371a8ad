"""The arguments that several commands share, and what is said when one of them is wrong."""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from iterable_pipelines.cli.console import CannotGoOn
from iterable_pipelines.data_types import DATA_TYPE, STREAM, STREAMS
from iterable_pipelines.hours import Window, hour_key, hour_of, now, parse_hour
from iterable_pipelines.record_files import ENDINGS
from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_values import did_you_mean


def hour_named(text: str | datetime) -> datetime:
    """The hour written as 2026-11-01T03, or a day for its midnight. Raises BadParameter."""
    # Typer hands a parsed default through again
    if isinstance(text, datetime):
        return text
    try:
        return parse_hour(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _stream(name: str) -> str:
    if name not in STREAM:
        like = [each for each in STREAM if name.strip().lower() in each] if name.strip() else []
        near = f", did you mean {like[0]}?" if len(like) == 1 else did_you_mean(name, STREAM)
        near = near or f"; there are {', '.join(STREAM)}"
        raise typer.BadParameter(f"{name!r} is no stream{near}")
    return name


def data_type_named(name: str) -> str:
    """One of Iterable's data types. Raises BadParameter, with the nearest name."""
    if name not in DATA_TYPE:
        raise typer.BadParameter(f"{name!r} is no data type{did_you_mean(name, DATA_TYPE)}")
    return name


def table_file(text: str | Path) -> Path:
    """A file whose name says how to write it. Raises BadParameter for any other."""
    path = Path(text).expanduser()
    if path.suffix.lower() not in ENDINGS:
        raise typer.BadParameter(f"{path.name!r}: the name must end with {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    return path


def check_file(file: Path, overwrite: bool) -> None:
    """Raise CannotGoOn unless `file` can be written: its folder is there, and it is not, or may be replaced."""
    if not file.parent.is_dir():
        raise CannotGoOn(f"There is no folder {file.parent}. Nothing was asked.\nNext: make it, or take another --out")
    if file.is_dir():
        raise CannotGoOn(f"{file} is a folder.\nNext: take another --out")
    if file.exists() and not overwrite:
        raise CannotGoOn(f"{file} is there already, and was left as it is.\nNext: take another --out, or --overwrite")


From = Annotated[
    datetime, typer.Option("--from", parser=hour_named, metavar="HOUR", help="First hour, such as 2026-11-01T00 (UTC).")
]
To = Annotated[
    datetime,
    typer.Option("--to", parser=hour_named, metavar="HOUR", help="End, such as 2026-11-02T00 (UTC); not included."),
]
# both or neither: `span_of` sees to it
FromIfAny = Annotated[
    datetime | None,
    typer.Option("--from", parser=hour_named, metavar="HOUR", help="First hour, such as 2026-11-01T00 (UTC)."),
]
ToIfAny = Annotated[
    datetime | None,
    typer.Option("--to", parser=hour_named, metavar="HOUR", help="End, such as 2026-11-02T00 (UTC); not included."),
]
Streams = Annotated[
    list[str] | None,
    typer.Option("--stream", parser=_stream, metavar="STREAM", help="One stream only; may be given several times."),
]


def window_of(start: datetime, end: datetime) -> Window:
    """The hours from `start` up to, and without, `end`. Raises BadParameter unless they are in order and over."""
    if end <= start:
        raise typer.BadParameter(
            f"--to {hour_key(end)} must be later than --from {hour_key(start)}: it is the end, and not included"
        )
    if end > hour_of(now()):
        raise typer.BadParameter(
            f"--to {hour_key(end)} lies in the future: the latest end there is now is {hour_key(hour_of(now()))} (UTC)"
        )
    return Window(start, end)


def span_of(start: datetime | None, end: datetime | None) -> Window | None:
    """The hours of a command that works on all of them unless told otherwise. Raises BadParameter for one end only."""
    if start is None and end is None:
        return None
    if start is None or end is None:
        missing, given = ("--from", "--to") if start is None else ("--to", "--from")
        raise typer.BadParameter(f"{given} needs {missing}: a span of hours has two ends")
    return window_of(start, end)


def chosen_streams(settings: Settings, names: list[str] | None) -> list[str]:
    """The streams to work on: those named, else all that are enabled. Raises BadParameter for one that is off."""
    enabled = [stream.name for stream in STREAMS if settings.enabled_data_types(stream.name)]
    for name in names or []:
        if name not in enabled:
            raise typer.BadParameter(f"the stream {name} is off: the settings import none of its data types")
    return [name for name in enabled if not names or name in names]


def chosen_of(known: Collection[str], names: list[str] | None, everything: bool, what: str, folder: Path) -> list[str]:
    """Those declared in `folder` to work on: the ones named, or all. Raises BadParameter, with the nearest name."""
    listed = f"there are {', '.join(known) or 'none'}"
    if bool(names) == everything:
        raise typer.BadParameter(f"name {what}s, or --all; {listed}")
    for unknown in [each for each in names or () if each not in known]:
        near = did_you_mean(unknown, known) or f"; {listed}"
        raise typer.BadParameter(f"{unknown!r} is no {what} of {folder}{near}")
    return list(known) if everything else list(names or ())
