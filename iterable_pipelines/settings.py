"""Every setting of the project: one model, read from the environment, `.env` and `iterable.yml`, in that order.

What it does not know it refuses. Nothing is read when this module is imported: `load_settings` reads.
"""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from iterable_pipelines import settings_dagster
from iterable_pipelines import settings_engine as engines
from iterable_pipelines import settings_places as places
from iterable_pipelines import settings_together as together
from iterable_pipelines import settings_values as values
from iterable_pipelines.data_types import ACTIVITY_STREAMS, DATA_TYPE, STREAM, USERS
from iterable_pipelines.file_store import is_remote
from iterable_pipelines.hours import now, parse_hour
from iterable_pipelines.settings_description import Description, described
from iterable_pipelines.settings_errors import SettingsError, explained, refusal
from iterable_pipelines.settings_sources import DOTENV, PREFIX, SECRETS, SettingsWarning, read_sources

__all__ = ["Description", "Settings", "SettingsError", "SettingsWarning", "describe_settings", "load_settings"]

REGIONS = {"us": "https://api.iterable.com", "eu": "https://api.eu.iterable.com"}
# without these a user could not be merged, whatever else is wanted
IDENTITY_FIELDS = ("email", "userId", "itblUserId", "profileUpdatedAt")
# without its field nobody would be on a static list any more (api.md 1.8)
_LIST_FIELDS = {"email": "emailListIds", "userid": "userListIds", "hybrid": "userListIds"}
# the file in the data folder that holds the start date, where none was set
STARTED = "started"
# where none may stand: the first is needed to find the file, the others are secrets
_NOT_IN_YAML = ("project_root", *SECRETS)


def _start(given: dict[str, Any]) -> datetime:
    """Thirty days before the data folder was first used: a start that moved on daily would take partitions away."""
    noted = given.get("data_dir", Path()) / STARTED
    if noted.is_file():
        return parse_hour(noted.read_text().strip())
    return now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=30)


def _lower(given: Any) -> Any:
    return given.lower() if isinstance(given, str) else given


def _secret(read: Callable[[str], str]) -> BeforeValidator:
    def taken(given: Any) -> Any:
        text = given.get_secret_value() if isinstance(given, SecretStr) else given
        return (read(text) or None) if isinstance(text, str) else given

    return BeforeValidator(taken)


def _data_types(given: Any) -> tuple[str, ...]:
    return _known(given, list(DATA_TYPE), "data type of Iterable")


def _retention(given: Any) -> dict[str, int]:
    return values.retention(given, [each.name for each in ACTIVITY_STREAMS])


def _mart_metrics(given: Any) -> tuple[str, ...]:
    return _known(given, [name for name in DATA_TYPE if DATA_TYPE[name].stream != USERS], "event that can be counted")


def _known(given: Any, allowed: list[str], what: str) -> tuple[str, ...]:
    named, every = values.names(given), f" (there are {', '.join(allowed)})"
    unknown = [
        f"{name!r} is no {what}{values.did_you_mean(name, allowed) or every}" for name in named if name not in allowed
    ]
    if unknown:
        raise ValueError("; ".join(unknown))
    return named


class Settings(BaseSettings):
    """The settings of one project. Made by `load_settings`; made by hand, it reads nothing but its arguments."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        enable_decoding=False,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    project_root: Path = Field(
        default_factory=lambda: _checkout(),
        description="The folder with `.env` and `iterable.yml`; relative paths begin here. From the environment only.",
        json_schema_extra={"default": "the project's folder"},
    )
    api_key: Annotated[SecretStr | None, _secret(values.api_key)] = Field(
        None, description="A server-side key of your Iterable project. Never in `iterable.yml` or in code."
    )
    region: Annotated[Literal["us", "eu"], BeforeValidator(_lower)] = Field(
        "us", description="Iterable's data center: `us` or `eu`. The key works in one of them only."
    )
    base_url: Annotated[str, BeforeValidator(values.base_url)] | None = Field(
        None, description="Where to ask instead of the region's own address. https, or http to this machine."
    )
    project_type: Annotated[Literal["email", "userid", "hybrid"], BeforeValidator(_lower)] = Field(
        "email", description="What identifies a user in your Iterable project: `email`, `userid` or `hybrid`."
    )
    data_dir: Path = Field(
        Path("data"), description="Landing files, warehouse, ledger and Dagster's home lie below it."
    )
    landing: Annotated[str, BeforeValidator(places.landing)] | None = Field(
        None,
        description="Where landed files lie: a folder, or a URL of an object store such as `s3://bucket/folder` "
        "(docs/object-storage.md).",
        json_schema_extra={"default": "`landing` in the data folder"},
    )
    landing_options: Annotated[SecretStr | None, _secret(places.landing_options)] = Field(
        None,
        description='JSON for the driver of the object store: `{"endpoint_url": "https://minio.example.com"}`. '
        "Never in `iterable.yml` or in code.",
    )
    postgres: Annotated[SecretStr | None, _secret(places.postgres)] = Field(
        None,
        description="`postgresql://user:password@host:5432/database`: where several machines share the manifest, the "
        "ledger of limits and the tombstones. Never in `iterable.yml` or in code.",
        json_schema_extra={"default": "SQLite files in the data folder"},
    )
    warehouse: Path | None = Field(
        None,
        description="The DuckDB file that is written.",
        json_schema_extra={"default": "`iterable.duckdb` in the data folder"},
    )
    start_date: Annotated[datetime, BeforeValidator(values.start_date)] = Field(
        default_factory=_start,
        description="The first hour to import: `2026-11-01`, `2026-11-01T03` (UTC) or `2026-11-01T03:00:00Z`.",
        json_schema_extra={"default": "30 days before the first import"},
    )
    data_types: Annotated[tuple[str, ...], BeforeValidator(_data_types)] = Field(
        (),
        description="Activity events to import, such as `emailSend,emailOpen`. Users come too, unless skipped.",
        json_schema_extra={"default": "all"},
    )
    profile_fields: Annotated[dict[str, str], BeforeValidator(values.pairs)] = Field(
        {},
        description="Your own user fields as columns of the profile: `tier=loyaltyTier,points=loyaltyPoints`.",
        json_schema_extra={"default": "none"},
    )
    mart_metrics: Annotated[tuple[str, ...], BeforeValidator(_mart_metrics)] = Field(
        (),
        description="The events that the marts count, in total and by people, such as `emailSend,emailOpen,purchase`. "
        "Changing it needs no rebuilding.",
        json_schema_extra={"default": "every event that is imported"},
    )
    user_fields: Annotated[tuple[str, ...], BeforeValidator(values.names)] = Field(
        (),
        description="User fields to import. Those that identify a user, name lists or fill `profile_fields` come too.",
        json_schema_extra={"default": "all"},
    )
    dynamic_lists: Annotated[Literal["all", "none"] | tuple[int, ...], BeforeValidator(values.list_ids)] = Field(
        "all",
        description="Lists to ask for, five a minute: `all` that user records do not show, `none`, or ids with commas. "
        "Static lists come with the users.",
    )
    webhook_token: Annotated[SecretStr | None, _secret(values.webhook_tokens)] = Field(
        None,
        description="What Iterable's webhooks must show: 16 characters or more; two with a comma while one takes the "
        "place of the other. Never in `iterable.yml` or in code.",
    )
    webhook_header: Annotated[str, BeforeValidator(values.header_name)] = Field(
        "Authorization", description="The header in which Iterable's webhooks show the token."
    )
    skip_users: bool = Field(False, description="Import activity only.")
    skip_activity: bool = Field(False, description="Import users only.")
    keep_updated: bool = Field(True, description="Whether the hourly schedules are on. Off: you start every import.")
    memory_limit: Annotated[str, BeforeValidator(values.memory)] = Field(
        "1GB", description="How much memory DuckDB may use; beyond it, it works on disk. More makes builds faster."
    )
    settle_after_hours: int = Field(
        3,
        ge=0,
        le=168,
        description="An hour is fetched once more when it is this old, or older where more than 1 in 1000 rows come "
        "later still.",
    )
    fresh_after_minutes: int = Field(
        10, ge=0, le=59, description="Minutes to wait after an hour closes before it is fetched for the first time."
    )
    retention: Annotated[dict[str, int], BeforeValidator(_retention)] = Field(
        {},
        description="How long rows of events stay, here and in landing: `400d`, or by stream "
        "`default=400d,iterable_push_activity=90d,iterable_purchase_activity=keep`. Counts stay (docs/retention.md).",
        json_schema_extra={"default": "for ever"},
    )
    job_from_hours: int = Field(
        48, ge=1, description="Stretches of this many hours or more are asked for as export jobs, shorter ones at once."
    )
    engine: Annotated[Literal["duckdb", "spark"], BeforeValidator(_lower)] = Field(
        "duckdb", description="What builds profiles and marts: `duckdb`, or `spark` for what outgrows one machine."
    )
    spark_target: Annotated[Literal["spark_session", "spark_thrift", "databricks", "glue"], BeforeValidator(_lower)] = (
        Field("spark_session", description="Which Spark: one on this machine (`spark_session`), or a cluster's.")
    )
    spark_format: Annotated[Literal["parquet", "delta", "iceberg"], BeforeValidator(_lower)] = Field(
        "parquet", description="What Spark writes tables as: people are merged into `delta` and `iceberg`."
    )
    lake: Annotated[str, BeforeValidator(places.landing)] | None = Field(
        None,
        description="Where events lie with engine `spark`: a folder, or a URL such as `s3://bucket/lake`.",
        json_schema_extra={"default": "`lake` in the data folder"},
    )
    requests_relaxed: bool = Field(
        False, description="Ask faster than Iterable's limits allow. For the sandbox on this machine only."
    )
    dagster_postgres: Annotated[settings_dagster.DagsterPostgres, _secret(settings_dagster.postgres_url)] = None
    executor: Annotated[settings_dagster.ExecutorName, BeforeValidator(_lower)] = "in_process"
    celery_broker: Annotated[settings_dagster.CeleryBroker, _secret(settings_dagster.redis_url)] = None
    celery_backend: Annotated[settings_dagster.CeleryBackend, _secret(settings_dagster.redis_url)] = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments only: `load_settings` reads the rest, so that it can say where a wrong value stands."""
        return (init_settings,)

    @field_validator("data_dir", "warehouse", "landing", "lake")
    @classmethod
    def _resolve(cls, place: Path | str | None, info: ValidationInfo) -> Path | str | None:
        # once, against the project: every process sees the same file, whatever folder it was started in
        root = info.data.get("project_root", Path.cwd())
        return None if place is None else type(place)(places.absolute(str(place), root))

    @field_validator("user_fields")
    @classmethod
    def _with_what_is_needed(cls, fields: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        mapped = info.data.get("profile_fields", {}).values()
        lists = _LIST_FIELDS[info.data.get("project_type", "email")]
        return tuple(dict.fromkeys((*IDENTITY_FIELDS, lists, *fields, *mapped))) if fields else ()

    @model_validator(mode="after")
    def _fit_together(self) -> "Settings":
        together.check(self)
        return self

    @property
    def checkout(self) -> Path:
        """Where this project's own files lie (dbt_models, dagster.yaml), whatever folder the settings are read from."""
        return _checkout()

    @property
    def url(self) -> str:
        """Where to ask, without a slash at the end."""
        return self.base_url or REGIONS[self.region]

    @property
    def landing_root(self) -> str:
        """Where landed files lie: an absolute path, or a URL."""
        return self.landing or str(self.data_dir / "landing")

    @property
    def landing_dir(self) -> Path:
        """The folder of landing on this machine: scratch, and a manifest of its own, lie there in any case."""
        return self.data_dir / "landing" if is_remote(self.landing_root) else Path(self.landing_root)

    @property
    def warehouse_path(self) -> Path:
        return self.warehouse or self.data_dir / "iterable.duckdb"

    @property
    def published_path(self) -> Path:
        """The copy for readers, replaced after each run."""
        return self.data_dir / "iterable.read.duckdb"

    @property
    def lake_url(self) -> str:
        return self.lake or str(self.data_dir / "lake")

    @property
    def ledger_path(self) -> Path:
        return self.data_dir / "ledger.db"

    @property
    def spool_path(self) -> Path:
        """Webhooks that were received and have not landed yet."""
        return self.data_dir / "webhooks" / "spool.db"

    @property
    def dagster_home(self) -> Path:
        return self.data_dir / "dagster"

    def enabled_data_types(self, stream: str) -> tuple[str, ...]:
        """The data types of a stream to import; empty when the stream is off. Raises KeyError for no stream of ours."""
        if stream == USERS:
            return () if self.skip_users else STREAM[stream].data_types
        if self.skip_activity:
            return ()
        return tuple(name for name in STREAM[stream].data_types if not self.data_types or name in self.data_types)

    @property
    def counted_events(self) -> tuple[str, ...]:
        """The data types that the marts show: those named, else every activity event that is imported."""
        return self.mart_metrics or tuple(
            name for stream in ACTIVITY_STREAMS for name in self.enabled_data_types(stream.name)
        )

    def required_api_key(self) -> str:
        """The key as text, for the request header alone. Raises SettingsError when there is none."""
        if self.api_key is None:
            raise SettingsError(
                f"{PREFIX}API_KEY is not set, so Iterable cannot be asked; nothing was changed.\n"
                f"Write {PREFIX}API_KEY=… into {self.project_root / DOTENV}, then: iterable-pipelines check"
            )
        return self.api_key.get_secret_value()

    def required_webhook_tokens(self) -> tuple[str, ...]:
        """The tokens that open the receiver of webhooks. Raises SettingsError when there is none."""
        if self.webhook_token is None:
            raise SettingsError(
                f"{PREFIX}WEBHOOK_TOKEN is not set, so anybody could send webhooks; nothing was started.\n"
                f"Make a token with: openssl rand -hex 32. Write {PREFIX}WEBHOOK_TOKEN=… into "
                f"{self.project_root / DOTENV}, and the same token into Iterable (docs/webhooks.md)"
            )
        return values.names(self.webhook_token.get_secret_value())


def describe_settings() -> list[Description]:
    """Every setting, in the order of the model."""
    return described(Settings, not_in_yaml=_NOT_IN_YAML)


def load_settings(project_root: Path | None = None) -> Settings:
    """Read the settings: the environment wins over `.env`, which wins over `iterable.yml`.

    Raises SettingsError with every problem on a line of its own. Warns (SettingsWarning) where white space or quotes
    around a value were taken off. An empty value counts as not set.
    """
    root = _root(project_root)
    variables = {each.env for each in describe_settings()}
    found = read_sources(Settings, root, variables, {each.yaml for each in describe_settings()} - {""})
    problems = found.problems
    settings: Settings | None = None
    try:
        settings = Settings(**{**found.given, "project_root": root})
    except ValidationError as error:
        problems += explained(error, found)
    if settings is not None:
        problems += [*places.unusable(settings), *engines.missing_programs(settings.engine, settings.spark_target)]
    if problems or settings is None:
        # `from None`, and no chaining: the library's own error holds what was given, the key among it
        raise refusal(problems, found) from None
    return settings


def _checkout() -> Path:
    """The project's folder: the one this package was installed from, else the working directory."""
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()


def _root(asked: Path | None) -> Path:
    named = asked or os.environ.get(f"{PREFIX}PROJECT_ROOT", "").strip()
    root = Path(named).expanduser().resolve() if named else _checkout()
    if not root.is_dir():
        raise SettingsError(f"{PREFIX}PROJECT_ROOT is {str(root)!r}: there is no such folder")
    return root
