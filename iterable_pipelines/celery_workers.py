"""Celery workers that do the steps of runs: the app that they run, and an executor that sees whether there are any."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from celery import Celery
from celery.exceptions import TimeoutError as CeleryTimeout
from dagster._core.definitions.executor_definition import multiple_process_executor_requirements
from dagster._core.execution.retries import RetryMode
from dagster_celery.defaults import broker_transport_options
from dagster_celery.executor import CELERY_CONFIG, CeleryExecutor
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_task
from kombu.exceptions import OperationalError

from iterable_pipelines.settings_sources import PREFIX

QUEUE = "dagster"
# Redis hands out again what nobody acknowledged for so long: longer than any run may take, three days against the two
# of dagster.yaml. Whoever listens does that, so that runs need it as well as workers
_TRANSPORT = {**broker_transport_options, "visibility_timeout": 3 * 24 * 3600}
# workers answer from a process of their own, within milliseconds, however busy they are
_PATIENCE_SECONDS = 3.0


class NoWorkers(Exception):
    """No Celery worker would take the steps of a run, which would wait for one without end."""


def app_of_workers(broker: str, backend: str) -> Celery:
    """The Celery app of a worker: it takes steps from the queue, and does them as Dagster's own do."""
    app = make_app({"broker": broker, "backend": backend})
    app.conf.broker_transport_options = _TRANSPORT
    # none is taken in advance: another worker may be free, and Redis would hand out again what waits here for long
    app.conf.worker_prefetch_multiplier = 1
    app.conf.worker_disable_prefetch = True
    app.conf.broker_connection_retry_on_startup = True
    create_task(app)
    return app


def workers_at(app: Celery) -> list[str]:
    """The names of the workers that take steps. Raises NoWorkers when the broker cannot be reached."""
    try:
        # the first to answer is enough, unless it is somebody else's
        for limit in (1, None):
            queues = app.control.inspect(timeout=_PATIENCE_SECONDS, limit=limit).active_queues() or {}
            if found := sorted(name for name, taken in queues.items() if any(each["name"] == QUEUE for each in taken)):
                return found
    except (OperationalError, CeleryTimeout, OSError) as error:
        raise NoWorkers(
            f"Redis, the broker of Celery, cannot be reached ({type(error).__name__}). What is stored is as it was.\n"
            f"Next: start it, or correct {PREFIX}CELERY_BROKER; then iterable-pipelines worker --ping"
        ) from None
    return []


class _Executor(CeleryExecutor):
    """Dagster's own, which would wait for ever where there is no worker, and could not be terminated either."""

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[Any]:
        if not workers_at(make_app(self.app_args())):
            raise NoWorkers(
                "No Celery worker takes steps, so none of this run was begun. What is stored is as it was.\n"
                "Next: iterable-pipelines worker, and then this run again"
            )
        return iter(super().execute(plan_context, execution_plan))


@dg.executor(name="celery", config_schema=CELERY_CONFIG, requirements=multiple_process_executor_requirements())
def _celery(context: dg.InitExecutorContext) -> _Executor:
    config: dict[str, Any] = dict(context.executor_config)
    return _Executor(
        retries=RetryMode.from_config(config["retries"]),
        broker=config["broker"],
        backend=config["backend"],
        include=config.get("include"),
        config_source={"broker_transport_options": _TRANSPORT, **(config.get("config_source") or {})},
    )


# named, not read: a run's config is shown by the UI
executor_of_workers = dg.configured(_celery, name="celery")(
    {"broker": {"env": f"{PREFIX}CELERY_BROKER"}, "backend": {"env": f"{PREFIX}CELERY_BACKEND"}}
)
