"""`worker`: a Celery worker that does the steps of runs."""

import os
from typing import Annotated

import typer

from iterable_pipelines.cli.console import CannotGoOn, say
from iterable_pipelines.dagster_home import prepare_home, secrets_of_dagster
from iterable_pipelines.settings import load_settings
from iterable_pipelines.settings_dagster import CELERY


def worker(
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="How many steps at once.")] = 2,
    ping: Annotated[bool, typer.Option("--ping", help="Only say whether workers are there.")] = False,
) -> None:
    """Do steps of runs until Ctrl-C, on the machine of the data folder (ITERABLE_EXECUTOR=celery, docs/deploy.md)."""
    settings = load_settings()
    if settings.executor != CELERY:
        raise CannotGoOn(
            f"ITERABLE_EXECUTOR is {settings.executor}: runs hand out no steps, so a worker would have nothing to do. "
            "Nothing was started.\nNext: set ITERABLE_EXECUTOR=celery (docs/deploy.md)"
        )
    from iterable_pipelines.celery_workers import app_of_workers, workers_at

    secrets = secrets_of_dagster(settings)
    app = app_of_workers(secrets["ITERABLE_CELERY_BROKER"], secrets["ITERABLE_CELERY_BACKEND"])
    if ping:
        there = workers_at(app)
        if not there:
            raise CannotGoOn("No Celery worker takes steps.\nNext: iterable-pipelines worker")
        say(f"{len(there)} Celery workers take steps: {', '.join(there)}")
        return
    os.environ["ITERABLE_API_KEY"] = settings.required_api_key()
    os.environ["DAGSTER_HOME"] = str(prepare_home(settings))
    app.worker_main(["worker", "--loglevel=WARNING", f"--concurrency={concurrency}", "--hostname=iterable@%h"])
