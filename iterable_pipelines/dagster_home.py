"""Dagster's home below the data folder: its configuration, and what Dagster reads from the environment."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import yaml

from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_sources import PREFIX

# importing Dagster costs every command a second
if TYPE_CHECKING:
    import dagster as dg

_CONFIGURATION = "dagster.yaml"
_STORAGE = f"""
# runs, events and ticks; the password stands in the environment alone
storage:
  postgres:
    postgres_url:
      env: {PREFIX}DAGSTER_POSTGRES
"""
# how many steps of a pool are at work at once, over all workers: more exports than Iterable answers a minute, or a
# second writer of the warehouse, would hold a worker that only waits
_POOL_LIMITS = {"iterable": 4, "warehouse": 1}


def prepare_home(settings: Settings) -> Path:
    """Dagster's home, holding the project's dagster.yaml; made or brought up to date. Sets the variables it names."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    os.environ |= secrets_of_dagster(settings)
    written = settings.checkout / _CONFIGURATION
    text = written.read_text() if written.exists() else ""
    if settings.dagster_postgres:
        text += _STORAGE
    _write(home / _CONFIGURATION, text)
    return home


class Place(NamedTuple):
    """Where a code server listens: a port, or else a socket."""

    host: str = "localhost"
    port: int | None = None
    socket: str | None = None


def code_server_at(home: Path, place: Place, reader: str = "") -> Path:
    """The workspace file of a code server, in Dagster's home. It is called as in the project's own workspace.yaml.

    `reader` is who reads it alone: containers share the home, and each may have been told another place.
    """
    named = {name: value for name, value in place._asdict().items() if value is not None}
    server = {"grpc_server": {**named, "location_name": "iterable_pipelines"}}
    workspace = home / (f"workspace-{reader}.yaml" if reader else "workspace.yaml")
    _write(workspace, yaml.safe_dump({"load_from": [server]}))
    return workspace


def _write(path: Path, text: str) -> None:
    """Write it, unless that stands there already."""
    if not path.exists() or path.read_text() != text:
        # beside it first: another process may be reading, and one of another container may have the same id
        aside = path.with_name(f"{path.name}.{uuid4().hex}")
        aside.write_text(text)
        aside.replace(path)


def secrets_of_dagster(settings: Settings) -> dict[str, str]:
    """What Dagster's own configuration names as variables, by name, wherever it was set."""
    given = {
        "DAGSTER_POSTGRES": settings.dagster_postgres,
        "CELERY_BROKER": settings.celery_broker,
        "CELERY_BACKEND": settings.celery_backend or settings.celery_broker,
    }
    return {PREFIX + name: secret.get_secret_value() for name, secret in given.items() if secret}


def make_storage(home: Path) -> None:
    """Make Dagster's storage before its processes start: several at once would break the schema of a fresh one.

    With PostgreSQL, pools get their limits, unless somebody has set others.
    """
    import dagster as dg

    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.all_instigator_state()
        if is_shared(instance):
            limited = {each.name for each in instance.event_log_storage.get_pool_limits()}
            for pool, limit in _POOL_LIMITS.items():
                if pool not in limited:
                    instance.event_log_storage.set_concurrency_slots(pool, limit)


def is_shared(instance: "dg.DagsterInstance") -> bool:
    """Whether processes of other machines may write to Dagster's storage too: it is no file of this one."""
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

    return instance.is_persistent and not isinstance(instance.event_log_storage, SqliteEventLogStorage)
