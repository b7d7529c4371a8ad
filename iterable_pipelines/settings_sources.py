"""Where settings are written: the environment, `.env` and `iterable.yml`, read as they stand."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, YamlConfigSettingsSource

from iterable_pipelines.settings_values import did_you_mean, trimmed

PREFIX = "ITERABLE_"
ROOT = PREFIX + "PROJECT_ROOT"
ENVIRONMENT, DOTENV, YAML = "the environment", ".env", "iterable.yml"
# settings that nothing may ever show
SECRETS = (
    "api_key",
    "webhook_token",
    "landing_options",
    "postgres",
    "dagster_postgres",
    "celery_broker",
    "celery_backend",
)
# names that are no settings: the rehearsal of crashes, what dbt is handed, and what else profiles.yml reads
OTHER_NAMES = (
    "ITERABLE_CRASH_AT",
    "ITERABLE_WAREHOUSE_PATH",
    "ITERABLE_LAKE_URL",
    "ITERABLE_SPARK_HOST",
    "ITERABLE_SPARK_PORT",
    "ITERABLE_SPARK_USER",
    "ITERABLE_DATABRICKS_HOST",
    "ITERABLE_DATABRICKS_HTTP_PATH",
    "ITERABLE_DATABRICKS_TOKEN",
    "ITERABLE_DATABRICKS_CATALOG",
    "ITERABLE_GLUE_ROLE",
)


class SettingsWarning(UserWarning):
    """A setting that was taken, but not as it was written."""


@dataclass
class Found:
    """Values by setting as they were written, the place each was taken from, and what is wrong with the places."""

    given: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def take(self, place: str, values: dict[str, Any]) -> None:
        """Let `values` win over what was taken before. What is empty counts as not written at all."""
        for name, value in values.items():
            if isinstance(value, str) and place != YAML:
                bare = trimmed(value)
                if bare and bare != value:
                    text = f"{PREFIX}{name.upper()} in {place}: white space or quotes around the value were taken off"
                    warnings.warn(text, SettingsWarning, stacklevel=4)
                value = bare
            if value is not None and value != "":
                # a key must not show in a traceback that prints what variables hold
                self.given[name] = SecretStr(value) if name in SECRETS else value
                self.places[name] = place


def read_sources(model: type[BaseSettings], root: Path, variables: Iterable[str], yaml_names: Iterable[str]) -> Found:
    """What the three places say: the environment wins over `.env`, which wins over `iterable.yml`.

    `variables` and `yaml_names` are the names that are known; others become problems.
    """
    found = Found()
    found.take(YAML, _from_yaml(model, root, yaml_names, found.problems))
    sources = {DOTENV: _dotenv(model, root, found.problems), ENVIRONMENT: EnvSettingsSource(model)}
    for place, source in sources.items():
        found.take(place, source())
        for name in sorted(each.upper() for each in source.env_vars):
            if name == ROOT and place == DOTENV:
                found.problems.append(f"{name} cannot stand in {place}: it says where that file is; set it outside")
            if name in OTHER_NAMES and place == DOTENV:
                found.problems.append(f"{name} cannot stand in {place}: it is read from the environment alone")
            if name.startswith(PREFIX) and name not in variables and name not in OTHER_NAMES:
                found.problems.append(f"{name} in {place} is no setting{did_you_mean(name, variables)}")
    return found


def _dotenv(model: type[BaseSettings], root: Path, problems: list[str]) -> DotEnvSettingsSource:
    path = root / DOTENV
    try:
        # with or without the mark that some editors put first
        return DotEnvSettingsSource(
            model, env_file=path, env_file_encoding="utf-8-sig", dotenv_filtering="only_existing"
        )
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path} cannot be read ({type(error).__name__})")
        return DotEnvSettingsSource(model, env_file=None, dotenv_filtering="only_existing")


def _from_yaml(model: type[BaseSettings], root: Path, known: Iterable[str], problems: list[str]) -> dict[str, Any]:
    path = root / YAML
    if (root / "iterable.yaml").exists():
        problems.append(f"{root / 'iterable.yaml'} is not read: rename it to {YAML}")
    try:
        found = YamlConfigSettingsSource(model, yaml_file=path).yaml_data if path.exists() else {}
    except yaml.MarkedYAMLError as error:
        # the error's own text shows the line, which may hold a key
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        problems.append(f"{path}, line {line}: {error.problem}")
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, ValueError, AttributeError) as error:
        problems.append(f"{path} cannot be read as settings, one `name: value` a line ({type(error).__name__})")
        return {}
    for name in found:
        if name in SECRETS:
            problems.append(
                f"{name} stands in {YAML}, where everybody reads it: take it out, revoke it where it is from, "
                f"and put a new one into {DOTENV} as {PREFIX}{name.upper()}=…"
            )
        elif name not in known:
            problems.append(f"{name} in {YAML} is no setting{did_you_mean(name, known)}")
    return {name: value for name, value in found.items() if name in known}
