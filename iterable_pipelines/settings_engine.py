"""The engine that builds profiles and marts: what its settings may say, and what they need."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from iterable_pipelines.file_store import is_remote
from iterable_pipelines.settings_sources import PREFIX

if TYPE_CHECKING:
    from iterable_pipelines.settings import Settings

# the adapter of each target, and what installs it
_ADAPTERS = {
    "spark_session": ("pyspark", "-e '.[spark]'"),
    "spark_thrift": ("pyhive", "-e '.[thrift]'"),
    "databricks": ("dbt.adapters.databricks", "dbt-databricks"),
    "glue": ("dbt.adapters.glue", "dbt-glue"),
}


def check_engine(settings: "Settings") -> None:
    """Raise ValueError for what does not go together with engine `spark`."""
    url, target = settings.lake_url, settings.spark_target
    remote = is_remote(url)
    if settings.retention:
        raise ValueError(
            f"{PREFIX}RETENTION does not go together with {PREFIX}ENGINE=spark: a profile is counted anew as a whole "
            "there, and what has left could not be; leave one of them out"
        )
    if remote and target == "spark_session":
        raise ValueError(
            f"{PREFIX}LAKE is {url}, and the Spark of {PREFIX}SPARK_TARGET=spark_session reads folders only: name a "
            "folder, or spark_thrift, databricks or glue"
        )
    if not remote and target in ("databricks", "glue"):
        raise ValueError(
            f"{PREFIX}LAKE is {url}, a folder of this machine that {PREFIX}SPARK_TARGET={target} cannot read: name a "
            "URL such as s3://bucket/lake"
        )


def check_lake(settings: "Settings") -> None:
    """Raise ValueError for a lake that lies among other files: what erases from it takes all of them for its own."""
    folder = Path(settings.lake_url)
    if not is_remote(settings.lake_url) and (
        settings.data_dir.is_relative_to(folder)
        or folder.is_relative_to(settings.landing_dir)
        or any(folder.is_relative_to(settings.data_dir / own) for own in ("erasure", "dagster", "activation"))
        or settings.warehouse_path.is_relative_to(folder)
    ):
        raise ValueError(f"{PREFIX}LAKE is {folder}, where other files of the project lie: name a folder of its own")


def missing_programs(engine: str, target: str) -> list[str]:
    """What has to be installed before the engine can build anything."""
    if engine != "spark":
        return []
    module, package = _ADAPTERS[target]
    problems = []
    if not _is_installed(module):
        problems.append(
            f"{PREFIX}SPARK_TARGET={target} needs {module}, which is not installed: "
            f".venv/bin/python -m pip install -c constraints.txt {package}"
        )
    if target == "spark_session" and not java():
        problems.append(f"{PREFIX}SPARK_TARGET={target} needs Java 17 or newer, and there is no java: make java")
    return problems


def java() -> str | None:
    """The Java that Spark would start: JAVA_HOME's, if that is set, else the first on PATH."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=str(Path(home) / "bin") if home else None)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
