"""Settings that are right one by one, and do not go together."""

from typing import TYPE_CHECKING

from iterable_pipelines import settings_values as values
from iterable_pipelines.data_types import STREAM
from iterable_pipelines.settings_dagster import refuse_what_cannot_run
from iterable_pipelines.settings_engine import check_engine, check_lake
from iterable_pipelines.settings_sources import PREFIX

if TYPE_CHECKING:
    from iterable_pipelines.settings import Settings


def check(settings: "Settings") -> None:
    """Raise ValueError for the first of them, by name."""
    if settings.skip_users and settings.skip_activity:
        raise ValueError(
            f"{PREFIX}SKIP_USERS and {PREFIX}SKIP_ACTIVITY are both on: nothing is left to import; turn one off"
        )
    if not any(settings.enabled_data_types(stream) for stream in STREAM):
        raise ValueError(f"{PREFIX}SKIP_USERS is on and {PREFIX}DATA_TYPES names users only: nothing is left to import")
    if settings.requests_relaxed and not values.is_loopback(settings.url):
        raise ValueError(
            f"{PREFIX}REQUESTS_RELAXED is for the sandbox on this machine: Iterable itself has limits; turn it off"
        )
    if settings.warehouse_path == settings.published_path:
        raise ValueError(f"{PREFIX}WAREHOUSE must not be {settings.published_path}: the copy for readers lies there")
    refuse_what_cannot_run(
        settings.executor,
        settings.engine,
        settings.dagster_postgres,
        settings.celery_broker,
        settings.celery_backend,
    )
    if settings.engine == "spark":
        check_engine(settings)
    if settings.engine == "spark" or settings.lake:
        check_lake(settings)
