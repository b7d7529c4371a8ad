"""`rebuild`: streams and profiles from the landing files alone, with the network off."""

from typing import Annotated

import typer

from iterable_pipelines.cli.arguments import FromIfAny, Streams, ToIfAny, chosen_streams, span_of
from iterable_pipelines.cli.completeness import lacking
from iterable_pipelines.cli.console import CannotGoOn, out, plain, progress, say, table
from iterable_pipelines.data_types import USERS
from iterable_pipelines.hours import HOUR, Window, hour_key
from iterable_pipelines.landing import Manifest
from iterable_pipelines.landing.expired import ExpiredHours, count_hours
from iterable_pipelines.profiles import run_models
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.streams import Content, Warehouse, content_of, replay, tables_of
from iterable_pipelines.streams.completeness import NOT_LOADED


def rebuild(
    start: FromIfAny = None,
    end: ToIfAny = None,
    stream: Streams = None,
    hash_only: Annotated[
        bool, typer.Option("--hash-only", help="Rebuild nothing; print rows and content hash of each table.")
    ] = False,
) -> None:
    """Load landed hours again and build the profiles; hashes prove what changed. Iterable is not asked for anything.

    Without hours it is all of them, and the profiles from scratch if it is all streams, too. Users are made anew as a
    whole only. What others read is replaced when all is done.
    """
    settings = load_settings()
    names, window = chosen_streams(settings, stream), span_of(start, end)
    warehouse = Warehouse.of(settings, log=lambda text: None)
    if hash_only:
        if window:
            raise typer.BadParameter("--hash-only is of whole tables: leave --from and --to out")
        _print_hashes(_contents(warehouse, names))
        return
    if window and USERS in names:
        if stream and USERS in stream:
            raise typer.BadParameter(f"{USERS} is merged over all hours: rebuild it without --from and --to")
        names.remove(USERS)
    manifest = Manifest.of(settings)
    landed = {name: _landed(settings, manifest, name, window) for name in names}
    if not any(landed.values()):
        span = f" from {hour_key(window.start)} to {hour_key(window.end)}" if window else ""
        raise CannotGoOn(
            f"Nothing has landed in {settings.landing_root}{span} yet: nothing to rebuild from. Nothing was changed.\n"
            "Next: iterable-pipelines backfill --from … --to …"
        )
    expired = sum(count_hours(each) for each in ExpiredHours(manifest).spans().values())
    if expired:
        say(
            f"{expired:,} hours have left by the retention, and cannot be made anew: what profiles and marts counted "
            "of them is kept, so these are brought up to date and not built from scratch."
        )
    if window is None and not stream:
        _change_engine(settings, warehouse, expired)
    before = _contents(warehouse, names)
    rows = _rebuild(
        settings, manifest, warehouse, names, window, everything=window is None and not stream and not expired
    )
    after = _contents(warehouse, names)
    hours = [hour for those in landed.values() for hour in those]
    behind = lacking(settings, manifest, names, Window(min(hours), max(hours) + HOUR), [NOT_LOADED])
    if behind:
        raise CannotGoOn("Not all that has landed was loaded:\n" + "\n".join(behind) + "\nNext: run it again")
    _print_comparison(before, after)
    if window and not stream and settings.enabled_data_types(USERS):
        say(f"{USERS} is merged over all hours, and was left as it is: rebuild --stream {USERS}")
    say(f"Rebuilt from landing: {rows:,} rows, and the profiles.")


def _landed(settings: Settings, manifest: Manifest, stream: str, window: Window | None) -> list:  # type: ignore[type-arg]
    hours = {hour for name in settings.enabled_data_types(stream) for hour in manifest.current(name)}
    return sorted(hour for hour in hours if window is None or window.start <= hour < window.end)


def _change_engine(settings: Settings, warehouse: Warehouse, expired: int) -> None:
    if not warehouse.is_of_other_engine():
        return
    if expired:
        raise CannotGoOn(
            f"{settings.warehouse_path} was written with another ITERABLE_ENGINE than {settings.engine}, and hours "
            "have left by the retention: what profiles counted of them could not be made anew. Nothing was changed.\n"
            "Next: set ITERABLE_ENGINE back"
        )
    warehouse.change_engine()
    say(f"All of it is made anew for engine {settings.engine}.")


def _contents(warehouse: Warehouse, streams: list[str]) -> dict[str, Content]:
    warehouse.prepare()
    return content_of(warehouse, tables_of(streams))


def _rebuild(
    settings: Settings,
    manifest: Manifest,
    warehouse: Warehouse,
    names: list[str],
    window: Window | None,
    everything: bool,
) -> int:
    rows = 0
    with progress() as shown:
        bar = shown.add_task("", total=len(names) + 1)

        def said(text: str) -> None:
            shown.update(bar, description=plain(text))

        warehouse.log = said
        for name in names:
            rows += replay(warehouse, manifest, settings, name, window, log=said)
            shown.advance(bar)
        said("profiles …")
        run_models(settings, warehouse, full_refresh=everything, log=said)
        warehouse.publish()
        shown.advance(bar)
    return rows


def _print_hashes(found: dict[str, Content]) -> None:
    shown = table("", "table", "rows", "content", numbers=("rows",))
    for name, content in found.items():
        shown.add_row(name, f"{content.rows:,}", content.hash)
    out().print(shown)


def _print_comparison(before: dict[str, Content], after: dict[str, Content]) -> None:
    shown = table("", "table", "rows", "content before", "content after", "equal", numbers=("rows",))
    for name, content in after.items():
        equal = "yes" if content == before[name] else "no"
        shown.add_row(name, f"{content.rows:,}", before[name].hash, content.hash, equal)
    out().print(shown)
    if before != after:
        say("Where they are not equal, the table held something else than what has landed. It does not any more.")
