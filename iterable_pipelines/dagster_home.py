"""Dagster's home, below the data folder, made ready before any Dagster process starts."""

import os
from pathlib import Path

import dagster as dg

from iterable_pipelines.settings import Settings, load_settings

TEMPLATE = Path(__file__).resolve().parent.parent / "dagster.yaml"


def prepare_dagster_home(settings: Settings) -> Path:
    """Make Dagster's home, put `dagster.yaml` and the storage into it, and name it in DAGSTER_HOME.

    A DAGSTER_HOME that somebody set before is theirs, and left as it is.
    """
    chosen = os.environ.get("DAGSTER_HOME", "").strip()
    if chosen and Path(chosen).resolve() != settings.dagster_home:
        return Path(chosen)
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (home / TEMPLATE.name).exists() or (home / TEMPLATE.name).read_bytes() != TEMPLATE.read_bytes():
        fresh = home / f".{TEMPLATE.name}.{os.getpid()}"
        fresh.write_bytes(TEMPLATE.read_bytes())
        fresh.replace(home / TEMPLATE.name)
    os.environ["DAGSTER_HOME"] = str(home)
    if not (home / "schedules" / "schedules.db").exists():
        # webserver and daemon start together: each would create the storage, and one of them would lose
        with dg.DagsterInstance.from_config(str(home)) as instance:
            instance.get_runs(limit=1)
            instance.all_instigator_state()
    return home


if __name__ == "__main__":
    print(prepare_dagster_home(load_settings()))
