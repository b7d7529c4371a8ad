"""The settings of Dagster itself: where it keeps its history, and which processes do the steps of a run."""

from importlib.util import find_spec
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from iterable_pipelines.settings_sources import PREFIX

IN_PROCESS, CELERY, KUBERNETES = "in_process", "celery", "kubernetes"

DagsterPostgres = Annotated[
    SecretStr | None,
    Field(
        description="Where Dagster keeps runs and events, if not in SQLite: `postgresql://user:password@host/name`. "
        "Never in `iterable.yml` or in code."
    ),
]
ExecutorName = Annotated[
    Literal["in_process", "celery", "kubernetes"],
    Field(
        description="Who does the steps of a run: `in_process` the run's own process, `celery` workers on the machine "
        "of the data folder, `kubernetes` a pod each on the node of its volume (docs/deploy.md)."
    ),
]
CeleryBroker = Annotated[
    SecretStr | None,
    Field(description="The Redis that hands steps to Celery workers: `redis://:password@host:6379/0`, or `rediss://`."),
]
CeleryBackend = Annotated[
    SecretStr | None,
    Field(description="The Redis to which Celery workers answer.", json_schema_extra={"default": "that of the broker"}),
]


class _Package(NamedTuple):
    module: str
    extra: str


_STORAGE = _Package("dagster_postgres", "postgres")
_OF_EXECUTOR = {CELERY: _Package("dagster_celery", "celery"), KUBERNETES: _Package("dagster_k8s", "kubernetes")}


def postgres_url(given: str) -> str:
    """A URL of PostgreSQL with the driver that Dagster's storage works with. The message never holds what was given."""
    scheme, separator, rest = given.partition("://")
    host = _host_of("postgresql://" + rest)
    if not separator or scheme not in ("postgresql", "postgres", "postgresql+psycopg2") or not host or "/" not in rest:
        raise ValueError(
            "write postgresql://user:password@host:5432/database, and in the password %40 for @, %2F for /, %3A for :, "
            "%23 for #, %25 for %"
        )
    # SQLAlchemy 2.1 takes plain postgresql:// for psycopg 3, whose placeholders Dagster's storage does not know
    return f"postgresql+psycopg2://{rest}"


def redis_url(given: str) -> str:
    """A URL of Redis. The message never holds what was given."""
    if not given.startswith(("redis://", "rediss://")) or not _host_of(given):
        raise ValueError("write redis://:password@host:6379/0, or rediss:// for TLS")
    return given


def _host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        return parts.hostname or "" if parts.port is None or parts.port else ""
    except ValueError:
        # a port that is none, or brackets that do not close
        return ""


def refuse_what_cannot_run(
    executor: str, engine: str, postgres: SecretStr | None, broker: SecretStr | None, backend: SecretStr | None
) -> None:
    """Raise ValueError, naming the setting, for settings of Dagster that do not fit together or lack a package."""
    named = f"{PREFIX}EXECUTOR is {executor}"
    if executor == KUBERNETES and engine == "duckdb":
        raise ValueError(
            f"{named}: each step is a pod of its own then, and pods that build at once cannot share one DuckDB file: "
            f"each would wait for the others; set {PREFIX}ENGINE=spark, which builds profiles and marts elsewhere, or "
            f"leave {PREFIX}EXECUTOR={IN_PROCESS}. A run, and each step, is on the node of the volume either way"
        )
    if executor == CELERY and broker is None:
        raise ValueError(f"{named}, and {PREFIX}CELERY_BROKER is not set: nothing would hand out steps")
    if executor == CELERY and postgres is None:
        raise ValueError(
            f"{named}, and {PREFIX}DAGSTER_POSTGRES is not set: workers that write Dagster's SQLite files at once "
            "lock each other out"
        )
    if executor != CELERY and (broker or backend):
        raise ValueError(f"{PREFIX}CELERY_BROKER or {PREFIX}CELERY_BACKEND is set, but {named}: set it to {CELERY}")
    needed = {f"{PREFIX}EXECUTOR": _OF_EXECUTOR.get(executor), f"{PREFIX}DAGSTER_POSTGRES": postgres and _STORAGE}
    for setting, package in needed.items():
        if isinstance(package, _Package) and find_spec(package.module) is None:
            raise ValueError(
                f"{setting} needs the package {package.module}, which is not installed: "
                f".venv/bin/python -m pip install -c constraints.txt -e '.[{package.extra}]'"
            )
