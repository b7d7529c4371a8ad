"""The settings of Dagster: what does not fit together is refused by name, and no password comes back."""

import importlib.util
from collections.abc import Callable
from importlib.machinery import ModuleSpec

import pytest

from iterable_pipelines.dagster_home import secrets_of_dagster
from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_dagster import refuse_what_cannot_run

POSTGRES, REDIS = "postgresql://dagster:s3cret@db.example.com/dagster", "redis://:s3cret@queue.example.com:6379/0"


def test_nothing_is_needed_for_one_machine(given: Callable[..., Settings]) -> None:
    settings = given()
    assert settings.executor == "in_process"
    assert secrets_of_dagster(settings) == {}


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_the_driver_is_the_one_that_works(given: Callable[..., Settings], scheme: str) -> None:
    settings = given(ITERABLE_DAGSTER_POSTGRES=POSTGRES.replace("postgresql", scheme))
    assert secrets_of_dagster(settings) == {
        "ITERABLE_DAGSTER_POSTGRES": POSTGRES.replace("postgresql", "postgresql+psycopg2")
    }
    assert "s3cret" not in repr(settings)


def test_workers_answer_where_they_are_asked(given: Callable[..., Settings]) -> None:
    settings = given(
        dotenv=f"ITERABLE_CELERY_BROKER={REDIS}\nITERABLE_DAGSTER_POSTGRES={POSTGRES}\n", yml="executor: celery"
    )
    secrets = secrets_of_dagster(settings)
    assert secrets["ITERABLE_CELERY_BROKER"] == secrets["ITERABLE_CELERY_BACKEND"] == REDIS


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("ITERABLE_DAGSTER_POSTGRES", "mysql://me:s3cret@host/db", "postgresql://"),
        ("ITERABLE_DAGSTER_POSTGRES", "postgresql://me:s3cret@host", "postgresql://"),
        ("ITERABLE_DAGSTER_POSTGRES", "postgresql://me:s3cret@host:port/db", "postgresql://"),
        ("ITERABLE_CELERY_BROKER", "amqp://me:s3cret@host", "redis://"),
        ("ITERABLE_CELERY_BACKEND", "redis://", "redis://"),
        ("ITERABLE_EXECUTOR", "multiprocess", "'in_process', 'celery' or 'kubernetes'"),
    ],
)
def test_what_is_no_url_or_executor_is_refused(
    refused: Callable[..., str], variable: str, value: str, text: str
) -> None:
    said = refused(**{variable: value})
    assert variable in said and text in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ({"EXECUTOR": "celery"}, "ITERABLE_CELERY_BROKER is not set"),
        ({"EXECUTOR": "celery", "CELERY_BROKER": REDIS}, "ITERABLE_DAGSTER_POSTGRES is not set"),
        ({"CELERY_BROKER": REDIS}, "ITERABLE_EXECUTOR is in_process: set it to celery"),
        ({"EXECUTOR": "kubernetes"}, "cannot share one DuckDB file"),
    ],
)
def test_what_does_not_go_together_is_refused(refused: Callable[..., str], written: dict[str, str], text: str) -> None:
    said = refused(**{f"ITERABLE_{name}": value for name, value in written.items()})
    assert text in said and "s3cret" not in said


def test_pods_share_what_lies_in_an_object_store() -> None:
    assert refuse_what_cannot_run("kubernetes", "spark", None, None, None) is None


def test_a_missing_package_is_named(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec

    def without(name: str) -> ModuleSpec | None:
        return None if name == "dagster_postgres" else found(name)

    monkeypatch.setattr("iterable_pipelines.settings_dagster.find_spec", without)
    said = refused(ITERABLE_DAGSTER_POSTGRES=POSTGRES)
    assert "ITERABLE_DAGSTER_POSTGRES needs the package dagster_postgres" in said
    assert ".venv/bin/python -m pip install -c constraints.txt -e '.[postgres]'" in said


def test_secrets_do_not_stand_in_the_file_that_everybody_reads(refused: Callable[..., str]) -> None:
    said = refused(yml=f"dagster_postgres: {POSTGRES}\n")
    assert "dagster_postgres stands in iterable.yml" in said and "s3cret" not in said
