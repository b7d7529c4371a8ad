"""Shared tables and landed files belong to each other: a mark in both says so, and whoever mixes two projects is told.

The mark is a file `project` in landing and a row in PostgreSQL, made together on first use; a moved landing keeps it.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from iterable_pipelines.file_store import FileStore
from iterable_pipelines.hours import iso, now
from iterable_pipelines.settings_errors import SettingsError
from iterable_pipelines.settings_sources import PREFIX

if TYPE_CHECKING:
    from iterable_pipelines.database import Connection
    from iterable_pipelines.settings import Settings
    from iterable_pipelines.shared_database import SharedDatabase

MARK = "project"
_SCHEMA = (
    "create table if not exists project (id text primary key, landing text not null, iterable text not null, "
    "noted_at text not null)"
)
# what this process has found to be right: nobody swaps a landing while it runs
_right = set[tuple[str, str, str]]()


def refuse_others(settings: "Settings", database: "SharedDatabase") -> None:
    """Raise SettingsError unless the database is of this landing and of this address of Iterable."""
    asked = (database.url, settings.landing_root, settings.url)
    if asked in _right:
        return
    database.make([_SCHEMA])
    database.run(lambda con: _refuse_others(con, settings))
    _right.add(asked)


def _refuse_others(con: "Connection", settings: "Settings") -> None:
    store = FileStore.of(settings)
    mark, found = mark_of(store), con.execute("select id, landing, iterable from project").fetchone()
    if found is None:
        if mark is None:
            mark = uuid4().hex
            _write(store, mark)
        con.execute("insert into project values (?, ?, ?, ?)", (mark, store.url(), settings.url, iso(now())))
    elif mark != found[0] or settings.url != found[2]:
        raise SettingsError(
            f"The database of {PREFIX}POSTGRES is that of another project: its landing is, or was, {found[1]} with "
            f"{found[2]}, and the settings say {store.url()} with {settings.url}. Nothing was changed.\n"
            f"Next: give each project a database of its own; or set {PREFIX}LANDING back, and move it with: "
            "iterable-pipelines move-landing"
        )


def mark_of(store: FileStore) -> str | None:
    """The mark in landing; None before its tables were shared."""
    if not store.exists(MARK):
        return None
    with tempfile.TemporaryDirectory() as folder:
        store.get(MARK, Path(folder) / MARK)
        return (Path(folder) / MARK).read_text().strip()


def _write(store: FileStore, mark: str) -> None:
    if store.folder:
        # beside its place: a rename does not cross file systems
        store.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.folder) as folder:
        file = Path(folder) / MARK
        file.write_text(f"{mark}\n")
        store.put(file, MARK)
