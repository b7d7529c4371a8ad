"""What a sync reads: a table, a model of dbt, or a query of one's own, as one query over the copy for readers."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import yaml

from iterable_pipelines.activation.declaration import Sql, Sync
from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.profiles.dbt import project_dir
from iterable_pipelines.published import only_query, tables_of
from iterable_pipelines.quoting import literal, quoted
from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_values import did_you_mean

_MARK = re.compile(r"\{\{(?P<inner>.*?)\}\}", re.DOTALL)
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def window_start(sync: Sync, as_of: datetime) -> datetime | None:
    """Where the sync's window begins; None without one. Windows are whole hours: 90d are 2160 (P11)."""
    return as_of - timedelta(**{_UNITS[sync.window[-1]]: int(sync.window[:-1])}) if sync.window else None


def source_query(settings: Settings, sync: Sync, as_of: datetime) -> str:
    """The one query that gives the rows. Raises ActivationRefused, with what to correct."""
    if isinstance(sync.source, Sql):
        return _own(sync, sync.source.sql, as_of)
    if sync.model:
        return f"from {_named(_model(settings, sync, sync.model))}"
    schema, dot, table = sync.source.strip().partition(".")
    if not (schema and dot and table):
        raise _wrong(sync, "`source` must be schema.table, ref('a dbt model') or {sql: a query}")
    return f"from {_named((schema, table))}"


def tables_read(settings: Settings, sync: Sync) -> list[tuple[str, str]]:
    """Schema and name of the tables that the source reads, as far as it names the schema."""
    return tables_of(source_query(settings, sync, datetime(2000, 1, 1, tzinfo=UTC)))


def moment_literal(moment: datetime) -> str:
    """A moment as SQL has it: a timestamp of UTC without a zone."""
    return f"timestamp {literal(str(moment.astimezone(UTC).replace(tzinfo=None)))}"


def _own(sync: Sync, sql: str, as_of: datetime) -> str:
    moments = {"as_of": as_of, "window_start": window_start(sync, as_of)}

    def filled(mark: re.Match[str]) -> str:
        name = mark["inner"].strip()
        moment = moments.get(name)
        if moment is not None:
            return moment_literal(moment)
        if name in moments:
            raise _wrong(sync, "`sql` uses {{ window_start }}, and there is no `window`, such as 90d")
        raise _wrong(sync, f"`sql` may use {{{{ as_of }}}} and {{{{ window_start }}}}, not {mark[0][:60]}")

    try:
        return only_query(_MARK.sub(filled, sql))
    except (ValueError, duckdb.Error) as error:
        raise _wrong(sync, f"`sql`: {str(error).strip()}") from None


def _model(settings: Settings, sync: Sync, name: str) -> tuple[str, str]:
    """Where a dbt model's rows are: its name, in the schema that dbt_project.yml gives its folder."""
    project = project_dir(settings)
    models = {path.stem: path.relative_to(project / "models") for path in (project / "models").rglob("*.sql")}
    if name not in models:
        raise _wrong(sync, f"there is no dbt model {name}{did_you_mean(name, models)}")
    return _schema_of(project, models[name].parts[0]), name


def _schema_of(project: Path, folder: str) -> str:
    config = yaml.safe_load((project / "dbt_project.yml").read_text(encoding="utf-8"))
    folders = config.get("models", {}).get(config["name"], {})
    return str(folders.get(folder, {}).get("+schema", folder))


def _named(table: tuple[str, str]) -> str:
    return ".".join(map(quoted, table))


def _wrong(sync: Sync, what: str) -> ActivationRefused:
    return ActivationRefused(
        f"{sync.name}: {what}\nNothing was sent.\n"
        f"Next: correct syncs/{sync.name}.yml, then iterable-pipelines sync plan {sync.name}"
    )
