"""`check`: is everything there that an import needs?"""

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import uuid4

import duckdb
from rich.markup import escape

from iterable_pipelines.api import IterableError, Ledger, check_connection
from iterable_pipelines.cli.console import CannotGoOn, out, table
from iterable_pipelines.file_store import FileStore, is_remote
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.landing.scratch import scratch_folder
from iterable_pipelines.postgres import PostgresFailed
from iterable_pipelines.settings import Settings, SettingsError, load_settings
from iterable_pipelines.settings_sources import SettingsWarning
from iterable_pipelines.streams import Warehouse, WarehouseFailed

_ENOUGH_BYTES = 2 * 1024**3
Finding = tuple[bool, str]


def check() -> None:
    """Check settings, connection, disk and warehouse, and say what to do about each that is wrong."""
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always", SettingsWarning)
        settings = load_settings()
    shown = table("Check", "", "what", "finding")
    wrong = []
    for name, look in _looks():
        fine, finding = look(settings)
        shown.add_row("[green]ok[/]" if fine else "[red]no[/]", name, escape(finding))
        if not fine:
            wrong.append(f"{name}: {finding}")
    for notice in noticed:
        shown.add_row("[yellow]![/]", "settings", escape(str(notice.message)))
    out().print(shown)
    if wrong:
        raise CannotGoOn("\n".join(wrong))


def _looks() -> Iterator[tuple[str, Callable[[Settings], Finding]]]:
    yield "settings", _settings
    yield "connection", _connection
    yield "disk", _disk
    yield "landing", _landing
    yield "warehouse", _warehouse
    yield "copy for readers", _published


def _settings(settings: Settings) -> Finding:
    types = sum(len(settings.enabled_data_types(name)) for name in _streams())
    return True, f"{types} data types from {settings.start_date:%Y-%m-%dT%H} UTC on, into {settings.data_dir}"


def _streams() -> list[str]:
    from iterable_pipelines.data_types import STREAM

    return list(STREAM)


def _connection(settings: Settings) -> Finding:
    if settings.api_key is None:
        return False, "ITERABLE_API_KEY is not set: write it into .env. `make demo` and `make dev` work without"
    try:
        ledger = Ledger.of(settings)
        found = check_connection(settings.required_api_key(), settings.url, ledger)
    except (IterableError, PostgresFailed, SettingsError) as error:
        return False, str(error)
    return found.ok, found.message


def _disk(settings: Settings) -> Finding:
    folder = next(each for each in (settings.data_dir, *settings.data_dir.parents) if each.exists())
    if not os.access(folder, os.W_OK):
        return False, f"{folder} cannot be written: set ITERABLE_DATA_DIR elsewhere"
    free = shutil.disk_usage(folder).free
    text = f"{free / 1024**3:,.1f} GiB free at {settings.data_dir}"
    return (True, text) if free >= _ENOUGH_BYTES else (False, f"{text}: free space, or set ITERABLE_DATA_DIR elsewhere")


def _landing(settings: Settings) -> Finding:
    if not is_remote(settings.landing_root) and settings.postgres is None:
        return True, f"{settings.landing_root} holds the landed files and their manifest"
    store, name = FileStore.of(settings), f"check-{uuid4().hex}"
    try:
        with scratch_folder(settings.landing_dir, "check-") as folder:
            (folder / "probe").write_text(name)
            store.put(folder / "probe", name)
            store.get(name, folder / "probe")
        store.folders()
        store.remove([name])
        landed = Manifest.of(settings).newest_part()
    except (OSError, PostgresFailed, SettingsError) as error:
        return False, str(error)
    where = "in PostgreSQL" if settings.postgres else f"in {settings.landing_dir}"
    return True, f"{store.url()} takes, lists, gives and removes files; the manifest {where} has {landed:,} parts"


def _warehouse(settings: Settings) -> Finding:
    if not settings.warehouse_path.exists():
        return True, f"{settings.warehouse_path} will be made by the first import"
    try:
        warehouse = Warehouse.of(settings, lambda text: None, wait_seconds=3)
        count = warehouse.read("select count(*) from duckdb_tables()")[0][0]
    except WarehouseFailed as error:
        return False, str(error)
    return True, f"{settings.warehouse_path} opens, {count} tables"


def _published(settings: Settings) -> Finding:
    copy = settings.published_path
    if not copy.exists():
        return True, f"{copy} will be made by the first import"
    try:
        duckdb.connect(copy, read_only=True).close()
    except duckdb.Error as error:
        return False, f"{copy} does not open ({str(error).splitlines()[0]}): remove it, the next import makes it anew"
    made = datetime.fromtimestamp(copy.stat().st_mtime, UTC)
    return True, f"{copy}, of {made:%Y-%m-%d %H:%M} UTC"
