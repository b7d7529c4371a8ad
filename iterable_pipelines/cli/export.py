"""`export`: records of one data type as a file, once, beside the import."""

import os
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated

import typer

from iterable_pipelines.api import Broken, Iterable, IterableError, Ledger, Refused, Truncated
from iterable_pipelines.api.selection import Selection
from iterable_pipelines.cli.arguments import check_file, data_type_named, table_file
from iterable_pipelines.cli.console import CannotGoOn, Interrupted, plain, progress, say
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.exporting import Door, door_for, fetch_records
from iterable_pipelines.file_store import sync
from iterable_pipelines.hours import Window, now
from iterable_pipelines.landing.cut import Unreadable
from iterable_pipelines.landing.question import filter_field_of
from iterable_pipelines.landing.scratch import scratch_beside
from iterable_pipelines.moments import Range, parse_moment, span_of, zone_named
from iterable_pipelines.record_files import Written, write_records
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.settings_values import names


def export(
    data_type: Annotated[
        str, typer.Argument(parser=data_type_named, metavar="DATA_TYPE", help="Such as emailSend or user.")
    ],
    file: Annotated[
        Path,
        typer.Option("--out", parser=table_file, metavar="FILE", help="A .csv, .parquet or .ndjson file."),
    ],
    span: Annotated[Range | None, typer.Option("--range", help="A span of UTC; today and all end now.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Start: 2026-11-01, 2026-11-01T03:00:00+01:00, …")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="End; not included.")] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Zone of times without an offset: Europe/Berlin. Else UTC.")
    ] = None,
    campaign_id: Annotated[int | None, typer.Option(min=1, help="Records of this campaign only.")] = None,
    only_fields: Annotated[str | None, typer.Option(metavar="A,B", help="Keep these fields only.")] = None,
    omit_fields: Annotated[str | None, typer.Option(metavar="A,B", help="Drop these fields.")] = None,
    door: Annotated[
        Door, typer.Option(help="One request, or a job of Iterable's; auto takes a job beyond 48 hours.")
    ] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Export records of one data type into a CSV, Parquet or NDJSON file. The import and its data stay as they are."""
    only, omit = _fields("--only-fields", only_fields), _fields("--omit-fields", omit_fields)
    if only and omit:
        raise typer.BadParameter("--only-fields keeps fields and --omit-fields drops them: give one of the two")
    if campaign_id and data_type == "user":
        raise typer.BadParameter("--campaign-id: users belong to no campaign")
    asked = Selection(data_type, _window(span, start, end, timezone), only, omit, campaign_id)
    check_file(file, overwrite)
    settings = load_settings()
    try:
        with scratch_beside(file) as scratch:
            written = _export(settings, asked, door, scratch / f"records{file.suffix}")
            check_file(file, overwrite)
            os.replace(scratch / f"records{file.suffix}", file)
        sync(file.parent)
    except KeyboardInterrupt as stop:
        raise Interrupted("\n".join(["Stopped.", *_notes(stop), f"{file} was not written."])) from None
    except IterableError as error:
        then = "" if "Next: " in str(error) else f"\nNext: {_next(error, door_for(asked, door))}"
        raise CannotGoOn("\n".join([str(error), *_notes(error), f"{file} was not written.{then}"])) from None
    except Unreadable as error:
        raise CannotGoOn(
            f"What Iterable sent cannot be read: {error}\n{file} was not written.\nNext: the same command again"
        ) from None
    _tell(asked, file, written)


def _fields(option: str, text: str | None) -> tuple[str, ...]:
    found = names(text or "")
    if text is not None and not found:
        raise typer.BadParameter(f"{option} names no field: write names with commas between them, or leave it out")
    return found


def _window(span: Range | None, start: str | None, end: str | None, timezone: str | None) -> Window:
    if span and (start or end or timezone):
        raise typer.BadParameter("--range is a span of UTC by itself: leave out --from, --to and --timezone")
    if not span and not (start and end):
        raise typer.BadParameter("say from when to when: --range today, or both --from and --to")
    try:
        if span:
            return span_of(span)
        zone: tzinfo = zone_named(timezone) if timezone else UTC
        window = Window(parse_moment(start or "", zone), parse_moment(end or "", zone))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    present = now().replace(microsecond=0)
    if window.start >= present:
        raise typer.BadParameter(f"--from lies in the future: it is {present:%Y-%m-%dT%H:%M:%S}Z now")
    return Window(window.start, min(window.end, present))


def _export(settings: Settings, asked: Selection, door: Door, to: Path) -> Written:
    ledger = Ledger.of(settings)
    with progress() as shown:
        bar = shown.add_task("", total=None)

        def said(text: str) -> None:
            shown.update(bar, description=plain(text))

        client = Iterable(settings.required_api_key(), settings.url, ledger, log=said)
        parts = fetch_records(client, asked, door, to.parent, said)
        said(f"writing {to.suffix.lstrip('.').upper()}")
        spare = filter_field_of(asked.data_type)
        written = write_records(parts, to, spare, settings.memory_limit, Tombstones(settings))
        said("done")
    return written


def _notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


def _next(error: IterableError, door: Door) -> str:
    if isinstance(error, Truncated):
        return "ask for shorter spans with --from and --to, one after the other"
    if isinstance(error, Refused):
        return "iterable-pipelines check"
    if isinstance(error, Broken) and door == "export":
        return "the same command with --door job, which survives long answers"
    return "the same command again"


def _tell(asked: Selection, file: Path, written: Written) -> None:
    if written.erased:
        say(f"{written.erased:,} records of people who are forgotten were left out.")
    if not written.records:
        say(f"Iterable has no {asked}: {file} is empty.")
        return
    columns = f", {len(written.columns):,} columns" if file.suffix.lower() != ".ndjson" else ""
    say(f"{written.records:,} records of {asked} in {file} ({written.bytes:,} bytes{columns})")
    for key, column in written.columns.items():
        if key != column:
            say(f"The key {key!r} is in the column {column!r}: a column needs a name that differs by more than case.")
