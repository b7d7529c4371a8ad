"""`rebuild`: streams and profiles from the landing files alone, with the network off."""

from iterable_pipelines.cli.completeness import completeness, loads_of
from iterable_pipelines.cli.console import CannotGoOn, plain, progress, say
from iterable_pipelines.data_types import STREAMS
from iterable_pipelines.hours import HOUR, contiguous
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles import run_models
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.streams import Warehouse, load_hours

_HOURS_AT_ONCE = 168


def rebuild() -> None:
    """Load every landed hour again and build the profiles anew. Iterable is not asked for anything."""
    settings = load_settings()
    manifest = Manifest(settings.landing_dir)
    landed = {
        stream.name: sorted(
            {hour for name in settings.enabled_data_types(stream.name) for hour in manifest.current(name)}
        )
        for stream in STREAMS
    }
    if not any(landed.values()):
        raise CannotGoOn(
            f"Nothing has landed in {settings.landing_dir} yet: nothing to rebuild from. Nothing was changed.\n"
            "Next: iterable-pipelines backfill --from … --to …"
        )
    rows = rebuild_streams(settings, manifest, landed)
    loads = loads_of(settings)
    behind = [
        line
        for name, hours in landed.items()
        for line in completeness(settings, manifest, loads, name, hours).lines()
        if "not loaded" in line
    ]
    if behind:
        raise CannotGoOn("Not all that has landed was loaded:\n" + "\n".join(behind) + "\nNext: run it again")
    say(f"Rebuilt from landing: {rows:,} rows, and the profiles.")


def rebuild_streams(settings: Settings, manifest: Manifest, landed: dict) -> int:  # type: ignore[type-arg]
    """Empty the stream tables, load all landed hours, build the profiles from scratch. Returns the rows loaded."""
    warehouse = Warehouse.of(settings, log=lambda text: None)
    warehouse.prepare()
    spans = [
        (name, window.hours()[at : at + _HOURS_AT_ONCE])
        for name, hours in landed.items()
        for window in contiguous(hours)
        for at in range(0, int((window.end - window.start) / HOUR), _HOURS_AT_ONCE)
    ]
    rows = 0
    with progress() as shown:
        bar = shown.add_task("", total=len(spans) + 1)

        def said(text: str) -> None:
            shown.update(bar, description=plain(text))

        warehouse.log = said
        with warehouse.transaction() as con:
            # a crash from here on is mended by running this again: the files are not touched
            for stream in STREAMS:
                con.execute(f"delete from streams.{stream.name} where _source = 'export'")
            con.execute("delete from streams.loads")
        for name, hours in spans:
            rows += load_hours(warehouse, manifest, settings, name, hours, "rebuild", log=said).rows
            shown.advance(bar)
        said("profiles …")
        run_models(settings, warehouse, full_refresh=True, log=said)
        warehouse.publish()
        shown.advance(bar)
    return rows
