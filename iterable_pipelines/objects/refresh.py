"""Refresh one kind of object: over the network first, into files, then short transactions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api import Refused
from iterable_pipelines.landing.scratch import scratch_folder
from iterable_pipelines.objects.declarations import OBJECT_TYPE
from iterable_pipelines.objects.fetch import fetch
from iterable_pipelines.objects.frames import query_frame
from iterable_pipelines.objects.lines import Fetched
from iterable_pipelines.objects.object_type import Listing, ObjectType
from iterable_pipelines.objects.questions import questions_of
from iterable_pipelines.objects.store import Stored, store
from iterable_pipelines.objects.tables import fresh_sql
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.warehouse import Warehouse

if TYPE_CHECKING:
    import pandas as pd

_STORED_AT_ONCE = 1000


class NotOffered(Exception):
    """The project does not have this, or the key may not read it, and it was never read before."""


@dataclass(frozen=True)
class Refreshed:
    """What became of a refresh: the rows stored, how many answers it took, and what was refused or is missing."""

    stored: Stored
    requests: int
    notes: tuple[str, ...]


def refresh_object(
    client: Client,
    warehouse: Warehouse,
    settings: Settings,
    name: str,
    run_id: str,
    log: Callable[[str], None] = print,
) -> Refreshed:
    """Bring `objects.<name>` to what Iterable has now.

    Raises IterableError unless every page came, or WarehouseFailed, with the table unchanged; of what is asked for
    piece by piece, the pieces that came are stored all the same. Raises NotOffered; KeyError: no such name; OSError
    where the disk is nearly full, before anything is asked.
    """
    kind = OBJECT_TYPE[name]
    done, requests, notes = Stored(), 0, list[str]()
    for listing, fetched in _fetched(client, warehouse, settings, kind):
        done += store(warehouse, kind, listing, run_id, fetched)
        requests += fetched.requests
        notes += fetched.notes
        if fetched.error:
            log(f"objects/{name}: what came is stored, {done.changed:,} changed; the rest is asked for again next time")
            raise fetched.error
    log(f"objects/{name}: {done.rows:,} there, {done.changed:,} changed, {done.gone:,} gone")
    for note in notes:
        log(f"objects/{name}: {note}")
    return Refreshed(done, requests, tuple(notes))


def read_object(client: Client, warehouse: Warehouse, settings: Settings, name: str) -> "pd.DataFrame":
    """What `refresh_object` would store of an object that comes in one answer, as a frame of its columns.

    Raises IterableError, NotOffered; KeyError: no such name.
    """
    kind = OBJECT_TYPE[name]
    frames = [
        query_frame(fresh_sql(kind), [str(listing)]) for listing, _ in _fetched(client, warehouse, settings, kind)
    ]
    return frames[0]


def _fetched(
    client: Client, warehouse: Warehouse, settings: Settings, kind: ObjectType
) -> Iterator[tuple[Path, Fetched]]:
    """The files to store, one after the other: a listing as a whole, pieces by the thousand."""
    with warehouse.transaction() as con:
        questions = questions_of(con, kind)
        known = con.execute("select count(*) from objects.refreshes where name = ?", [kind.name]).fetchone() != (0,)
    at_once = len(questions) if isinstance(kind.read, Listing) else _STORED_AT_ONCE
    with scratch_folder(settings.landing_dir) as folder:
        for at in range(0, max(1, len(questions)), max(1, at_once)):
            listing = folder / f"{kind.name}.ndjson"
            try:
                fetched = fetch(client, kind, questions[at : at + at_once], listing)
            except Refused as refused:
                # what could be read before must not grow old in silence
                if known or at or not _says_absent(kind, refused):
                    raise
                raise NotOffered(f"this project or key does not offer {kind.title.lower()}: {refused}") from None
            yield listing, fetched


def _says_absent(kind: ObjectType, refused: Refused) -> bool:
    wrong_key = refused.code == "BadApiKey" or "invalid api key" in str(refused).lower()
    return refused.status in kind.absent and not wrong_key
