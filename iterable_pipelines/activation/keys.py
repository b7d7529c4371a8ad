"""Keys of audiences and traits: made of the name, kept from the first sync on, and never given to another (P1, P9).

They stand in one SQLite file for all syncs: what a key was used for outlasts the sync's own file and state, because
the field of the profiles does. Each stands with its sync as it last ran, so that members can still be told to leave.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.memberships import AudienceSync
from iterable_pipelines.activation.objects import OBJECTS, TraitSync
from iterable_pipelines.activation.project import Project
from iterable_pipelines.activation.state import FOLDER
from iterable_pipelines.hours import now
from iterable_pipelines.settings import Settings
from iterable_pipelines.sqlite_file import sqlite_file

_SCHEMA = (
    "create table if not exists keys (project text not null, key text not null, sync text not null, "
    "declaration text not null, status text not null, noted_at text not null, primary key (project, key)) without rowid"
)
_USED, _GONE = "used", "gone"


@dataclass(frozen=True)
class Orphan:
    """A key whose sync has no file any more. In Iterable its field, events and list stay as they are (P9)."""

    key: str
    sync: Sync


def with_kept_key(project: Project, sync: Sync) -> Sync:
    """The sync with the key that it had when it first ran, whatever it is called now (P1). Nothing is noted.

    Raises ActivationRefused if the file names another one, or if the key is, or was, another sync's.
    """
    if not isinstance(sync, AudienceSync | TraitSync):
        return sync
    if not _path(project.settings).exists():
        return sync.model_copy(update={"key": sync.field})
    with _keys(project.settings) as con:
        return _kept(con, project, sync)


def claim_key(project: Project, sync: Sync) -> None:
    """Note the key as this sync's, and the sync as it is, before anything of it is sent. Raises as `with_kept_key`."""
    if not isinstance(sync, AudienceSync | TraitSync):
        return
    with _keys(project.settings) as con:
        con.execute("begin immediate")
        kept = _kept(con, project, sync)
        con.execute(
            "insert or replace into keys values (?, ?, ?, ?, ?, ?)",
            [project.fingerprint, kept.field, sync.name, _written(kept), _USED, now().isoformat()],
        )
        con.execute("commit")


def orphans(settings: Settings, declared: Collection[str]) -> list[Orphan]:
    """The keys in use of syncs that are not among the `declared` names any more."""
    if not _path(settings).exists():
        return []
    with _keys(settings) as con:
        found = con.execute(f"select key, sync, declaration from keys where status = '{_USED}' order by key").fetchall()
    return [Orphan(key, _read(declaration)) for key, name, declaration in found if name not in declared]


def bury_key(project: Project, name: str) -> None:
    """The key of a deleted sync is a tombstone from now on: nobody is told of it, and nobody gets it (P9)."""
    with _keys(project.settings) as con:
        con.execute(
            f"update keys set status = '{_GONE}', noted_at = ? where project = ? and sync = ?",
            [now().isoformat(), project.fingerprint, name],
        )


def move_keys(project: Project, former: str) -> None:
    """All keys of a project whose API key is a new one: `former` is what it was told by before (S10)."""
    if former != project.fingerprint and _path(project.settings).exists():
        with _keys(project.settings) as con:
            con.execute("update or ignore keys set project = ? where project = ?", [project.fingerprint, former])


def _kept(con: sqlite3.Connection, project: Project, sync: AudienceSync | TraitSync) -> AudienceSync | TraitSync:
    found = con.execute("select key, sync from keys where project = ?", [project.fingerprint]).fetchall()
    holders = dict(found)
    own = next((key for key, name in found if name in (sync.name, sync.renamed_from)), None)
    if own and sync.key not in (None, own):
        raise ActivationRefused(
            f"syncs/{sync.name}.yml, key: {sync.key} is another key than {own}, under which its users are in Iterable "
            f"already. Nothing was sent.\nNext: write key: {own}, or leave the line out; or make a new file for the "
            "new key"
        )
    key = own or sync.field
    holder = holders.get(key)
    if holder and not own and not sync.allow_reuse:
        raise ActivationRefused(
            f"audience_key_reused: syncs/{sync.name}.yml has the key {key}, which {holder} has or had: users would mix "
            f"in Iterable, where fields are never deleted. Nothing was sent.\nNext: write another name or key; or "
            "allow_reuse: true, if that is what you want"
        )
    return sync.model_copy(update={"key": key})


def _written(sync: Sync) -> str:
    return json.dumps(sync.model_dump(mode="json", by_alias=True))


def _read(declaration: str) -> Sync:
    given = json.loads(declaration)
    return OBJECTS[given["object"]].model_validate(given)


def _path(settings: Settings) -> Path:
    return settings.data_dir / FOLDER / "keys.sqlite"


@contextmanager
def _keys(settings: Settings) -> Iterator[sqlite3.Connection]:
    path = _path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite_file(path) as con:
        con.execute(_SCHEMA)
        path.chmod(0o600)
        yield con
