"""Where files and tables lie: what may be written for it, and what is wrong with places that cannot be used."""

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from iterable_pipelines.settings_sources import PREFIX

if TYPE_CHECKING:
    from iterable_pipelines.settings import Settings

# protocols of fsspec that nothing can be kept with: gone with the process, or read only
_KEEPS_NOTHING = ("memory", "data", "http", "https", "github", "git", "reference", "zip", "tar", "generic", "dask")
# the extra of ours that brings the driver
_EXTRA = {"s3fs": "s3", "gcsfs": "gcs", "adlfs": "azure"}
_WRITE = "write a folder, or a URL such as s3://bucket/folder, gs://bucket/folder or abfs://container/folder"


def landing(given: str) -> str:
    """A folder as it was written, or an fsspec URL whose driver is installed, without the slash at the end."""
    root = given.rstrip("/")
    parts = urlsplit(root)
    if parts.scheme in ("", "file"):
        return root.removeprefix("file://")
    if "::" in root or parts.query or parts.fragment or not parts.netloc:
        raise ValueError(f"it names no folder of an object store: {_WRITE}")
    if parts.password is not None:
        raise ValueError("a URL is no place for a password: drivers read it from variables such as AWS_ACCESS_KEY_ID")
    if parts.scheme in _KEEPS_NOTHING:
        raise ValueError(f"nothing stays at {parts.scheme}://: {_WRITE}")
    from fsspec.registry import known_implementations

    if parts.scheme not in known_implementations:
        raise ValueError(f"there is no driver for {parts.scheme}://: {_WRITE}")
    driver = known_implementations[parts.scheme]["class"].split(".")[0]
    if find_spec(driver) is None:
        wanted = f"-e '.[{_EXTRA[driver]}]'" if driver in _EXTRA else driver
        command = f".venv/bin/python -m pip install -c constraints.txt {wanted}"
        raise ValueError(f"the driver {driver} is not installed: {command}")
    return root


def landing_options(given: str) -> str:
    """A JSON object for the driver. The message never holds what was given."""
    try:
        options = json.loads(given)
    except ValueError:
        options = None
    if not isinstance(options, dict):
        raise ValueError('write a JSON object, such as {"endpoint_url": "https://minio.example.com"}')
    return given


def postgres(given: str) -> str:
    """The URL of a PostgreSQL database. The message never holds what was given."""
    from iterable_pipelines.postgres import PostgresRefused, database_of, url_parts

    try:
        url_parts(given, f"{PREFIX}POSTGRES")
    except PostgresRefused:
        named = None
    else:
        named = database_of(given)
    if not named or not all(named):
        raise ValueError(
            "write postgresql://user:password@host:5432/database, and in the password %40 for @, %2F for /, %3A for :"
        )
    return given


def unusable(settings: "Settings") -> list[str]:
    """Paths that cannot be written, found before anything is downloaded."""
    problems = []
    folders = {
        "DATA_DIR": settings.data_dir,
        "LANDING": settings.landing_dir,
        "WAREHOUSE": settings.warehouse_path.parent,
    }
    for name, folder in folders.items():
        nearest = next(each for each in (folder, *folder.parents) if each.exists())
        if name == "LANDING" and folder.is_relative_to(settings.data_dir):
            continue
        if not nearest.is_dir():
            problems.append(f"{PREFIX}{name}: {folder} cannot be a folder, because {nearest} is a file")
        elif not os.access(nearest, os.W_OK | os.X_OK):
            problems.append(f"{PREFIX}{name}: {folder} cannot be written: no permission for {nearest}")
    if settings.warehouse_path.is_dir():
        problems.append(f"{PREFIX}WAREHOUSE: {settings.warehouse_path} is a folder; name a file in it")
    return list(dict.fromkeys(problems))


def absolute(root: str, project: Path) -> str:
    """A folder as every process sees it, whatever folder it was started in; a URL as it is."""
    return root if urlsplit(root).scheme else str((project / Path(root).expanduser()).resolve())
