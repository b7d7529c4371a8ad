"""Copies that this project has made beyond its data folder: no erasure reaches them, so that a person has to know."""

from pathlib import Path

from iterable_pipelines.erasure.dagster_history import VARIABLE
from iterable_pipelines.imports.reading import all_imports, database_file, shown_path
from iterable_pipelines.replications.declaration import load_replications
from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines.track_calls.declaration import load_destinations


def elsewhere(settings: Settings) -> list[str]:
    """Each such place, and what becomes of the forgotten there. Names variables, and no address or key in them."""
    found: list[str] = _old_bytes(settings)
    for folder, places in (("replications", _replications), ("imports", _imports), ("track_calls", _track_calls)):
        try:
            found += places(settings)
        except SettingsError:
            found.append(f"whatever {folder}/*.yml name: a file there cannot be read")
    return found


def _old_bytes(settings: Settings) -> list[str]:
    if settings.dagster_postgres is None:
        return []
    return [f"old bytes in free pages and the log of the PostgreSQL of {VARIABLE}: until it writes over them"]


def _replications(settings: Settings) -> list[str]:
    found = []
    for each in load_replications(settings):
        then = f"its next run takes them out: iterable-pipelines replicate {each.name}"
        if each.file is None:
            found.append(f"table {'.'.join(each.target)} in the PostgreSQL of {each.postgres}: {then}")
        elif _is_outside(settings, settings.project_root / each.file):
            found.append(f"{each.file}: {then}")
    return found


def _imports(settings: Settings) -> list[str]:
    found = []
    for each in all_imports(settings):
        if each.source.emails or each.source.user_ids:
            found.append(f"whom imports/{each.name}.yml names: take them out of the file")
        if each.target.is_postgres:
            found.append(f"table {each.target.table} in PostgreSQL, of imports/{each.name}.yml: delete them there")
        elif _is_outside(settings, path := database_file(each.target, settings)):
            shown = shown_path(path, settings)
            found.append(f"table {each.target.table} in {shown}, of imports/{each.name}.yml: delete them there")
    return found


def _track_calls(settings: Settings) -> list[str]:
    found = []
    for each in load_destinations(settings):
        if each.to.folder is None:
            found.append(f"what was sent to {each.to.url_env}, by track_calls/{each.name}.yml: delete them there")
        elif _is_outside(settings, settings.project_root / each.to.folder):
            found.append(f"files in {each.to.folder}, by track_calls/{each.name}.yml: delete them there")
    return found


def _is_outside(settings: Settings, path: Path) -> bool:
    return not path.resolve().is_relative_to(settings.data_dir)
