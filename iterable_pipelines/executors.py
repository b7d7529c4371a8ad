"""Who does the steps of a run: its own process, Celery workers, or pods of Kubernetes."""

import dagster as dg

from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_dagster import CELERY, KUBERNETES


def executor_of(settings: Settings) -> dg.ExecutorDefinition:
    """The executor that the settings name. What it needs is installed: the settings were refused otherwise."""
    if settings.executor == CELERY:
        from iterable_pipelines.celery_workers import executor_of_workers

        return executor_of_workers
    if settings.executor == KUBERNETES:
        from dagster_k8s import k8s_job_executor

        return k8s_job_executor
    # fifty steps of one process cost 4 CPU-seconds, fifty processes more than 100
    return dg.in_process_executor
