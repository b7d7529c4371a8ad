"""How a failure of ours becomes Dagster's: with the next command in its text, and retried only if that can help."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg

from iterable_pipelines.activation.errors import ActivationFailed, ActivationRefused, AlreadyRunning
from iterable_pipelines.api import Busy, IterableError, Refused
from iterable_pipelines.erasure.errors import AlreadyErasing, ErasureFailed, ErasureRefused
from iterable_pipelines.landing import LandingFailed
from iterable_pipelines.postgres import PostgresFailed, PostgresRefused
from iterable_pipelines.profiles.dbt import ModelsFailed
from iterable_pipelines.published import NothingPublished
from iterable_pipelines.replications.errors import ReplicationRefused
from iterable_pipelines.settings import SettingsError
from iterable_pipelines.streams import StaleWriter, WarehouseFailed, WarehouseLocked
from iterable_pipelines.track_calls.errors import TrackCallsFailed, TrackCallsRefused
from iterable_pipelines.two_way.errors import TwoWayFailed, TwoWayRefused
from iterable_pipelines.webhooks.errors import WebhooksNotLanded

NEVER, LATER, NOW = "never", "later", "now"
_NO_USE = (
    Refused
    | SettingsError
    | StaleWriter
    | FileNotFoundError
    | PostgresRefused
    | ReplicationRefused
    | TrackCallsRefused
    | ActivationRefused
    | TwoWayRefused
    | ErasureRefused
)
_EXPLAINED = (
    ActivationFailed,
    ErasureFailed,
    IterableError,
    LandingFailed,
    ModelsFailed,
    SettingsError,
    StaleWriter,
    WarehouseFailed,
    FileNotFoundError,
    PostgresFailed,
    ReplicationRefused,
    TrackCallsFailed,
    TwoWayFailed,
    WebhooksNotLanded,
)


def when_to_retry(error: Exception) -> str:
    """never for what a retry cannot mend, later for what needs time, now for the rest."""
    if isinstance(error, LandingFailed):
        kind: type[Exception] = error.kind
    else:
        kind = type(error)
    if issubclass(kind, _NO_USE):
        return NEVER
    return (
        LATER if issubclass(kind, Busy | WarehouseLocked | NothingPublished | AlreadyRunning | AlreadyErasing) else NOW
    )


Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.OpExecutionContext


def failure_for_good(context: Context, text: str, metadata: Mapping[str, Any] | None = None) -> dg.Failure:
    """A failure that no retry can mend. The run's automatic retries are taken away too: `allow_retries=False` stops
    only the step's own (Dagster's run retries do not look at it).
    """
    context.instance.add_run_tags(context.run.run_id, {"dagster/max_retries": "0"})
    return dg.Failure(text, metadata={**(metadata or {}), "retry": NEVER}, allow_retries=False)


@contextmanager
def explained(context: Context) -> Iterator[None]:
    """Turn our errors into dg.Failure."""
    try:
        yield
    except _EXPLAINED as error:
        when = when_to_retry(error)
        if when == NEVER:
            raise failure_for_good(context, str(error)) from None
        raise dg.Failure(str(error), metadata={"retry": when}) from None
