"""A project of its own on the sandbox: the demo's, and what the UI shows where no key is set."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from iterable_pipelines.activation.row_log import SCHEMA as ROW_LOG
from iterable_pipelines.activation.state import FOLDER as ACTIVATION
from iterable_pipelines.cli.console import say
from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.hours import hour_key, hour_of, now
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.streams import Warehouse

FOLDER = "demo"


@contextmanager
def sandbox_project() -> Iterator[Settings]:
    """Start a sandbox in a thread and point the environment at it, with a data folder that no real project uses.

    The export limit is relaxed, and it says so. The folder and the seed stay, so that a later one goes on from here.
    """
    from iterable_pipelines.sandbox import running_sandbox

    real = load_settings()
    folder = real.data_dir if real.data_dir.name == FOLDER else real.data_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with running_sandbox(relaxed=True) as sandbox:
        # whatever a real project has chosen in .env or iterable.yml, this one shows everything; and what a real one
        # has in imports/ would fill its tables with a sandbox's records
        os.environ |= {
            "ITERABLE_PROJECT_ROOT": str(folder),
            "ITERABLE_API_KEY": sandbox.key,
            "ITERABLE_BASE_URL": sandbox.url,
            "ITERABLE_REQUESTS_RELAXED": "true",
            "ITERABLE_PROJECT_TYPE": "email",
            "ITERABLE_DATA_DIR": str(folder),
            "ITERABLE_LANDING": "",
            "ITERABLE_LANDING_OPTIONS": "",
            "ITERABLE_POSTGRES": "",
            "ITERABLE_WAREHOUSE": str(folder / "iterable.duckdb"),
            "ITERABLE_DATA_TYPES": ",".join(DATA_TYPE),
            "ITERABLE_SKIP_USERS": "false",
            "ITERABLE_SKIP_ACTIVITY": "false",
            "ITERABLE_START_DATE": hour_key(first_hour(Manifest(folder / "landing"))),
        }
        forget_what_was_sent(load_settings())
        say(f"Sandbox of Iterable at {sandbox.url}, its export limit relaxed (Iterable allows 4 a minute).")
        yield load_settings()


def forget_what_was_sent(settings: Settings) -> None:
    """A new sandbox has nothing of what an earlier one was sent: nor may the state of the syncs, or the row log."""
    shutil.rmtree(settings.data_dir / ACTIVATION, ignore_errors=True)
    if settings.warehouse_path.exists():
        warehouse = Warehouse.of(settings)
        with warehouse.transaction() as con:
            con.execute(f"drop schema if exists {ROW_LOG} cascade")
        # the copy for readers would still tell of it
        warehouse.publish()


def first_hour(manifest: Manifest) -> datetime:
    """Where the project begins: a day ago, or at its oldest landed hour, so that little is missing."""
    hours = [hour for name in DATA_TYPE for hour in manifest.current(name)]
    return min([hour_of(now()) - timedelta(hours=24), *hours])
