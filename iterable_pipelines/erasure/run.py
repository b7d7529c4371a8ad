"""One erasure: who is forgotten is found in every store, then taken out of each, and a certificate says so."""

import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.erasure.certificate import Certificate, keep, publish
from iterable_pipelines.erasure.elsewhere import elsewhere
from iterable_pipelines.erasure.errors import AlreadyErasing, ErasureFailed
from iterable_pipelines.erasure.links import find_persons
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.store import Erased, Log, Store
from iterable_pipelines.erasure.stores import STORES
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.hours import iso, now
from iterable_pipelines.profiles.build import run_models
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.warehouse import Warehouse

# every machine's schedule says the same minute, so one waits for the other
_OTHERS_TAKE_SECONDS = 1800.0


def erase(
    settings: Settings, log: Log = print, stores: Sequence[Store] = STORES, run_id: str | None = None
) -> Certificate:
    """Erase everybody who has a tombstone from every store, and write the certificate.

    A store that somebody holds, or that fails, stays open, and the next run comes back to it. A run that was killed is
    finished by the next: whatever still holds a person is found again. Raises AlreadyErasing, WarehouseFailed, OSError.
    """
    begun, started = time.monotonic(), iso(now())
    with erasing(settings), _scratch(settings) as scratch:
        tombstones = Tombstones(settings)
        still_open: dict[str, str] = {}
        files = _identifiers(settings, stores, scratch, still_open)
        found = find_persons(settings, tombstones, files, scratch, settings.memory_limit)
        persons = found.persons
        log(f"erasure: {persons.count:,} of {len(tombstones.hashes()):,} forgotten are found here")
        for text, count in (("have too many names", found.too_many), ("are somebody else's, too", found.shared)):
            if count:
                log(f"erasure: {count:,} identifiers that {text} were not followed: those rows stay")
        crashpoint("erasure_persons_found")
        erased: list[Erased] = []
        if persons.hashes():
            for some in persons.portions(scratch):
                erased += _erase(settings, stores, some, still_open, log)
        done = [store for store in stores if store.name not in still_open]
        left = _left(settings, done, scratch) if erased else 0
        certificate = Certificate(
            run_id=run_id or uuid.uuid4().hex,
            started_at=started,
            finished_at=iso(now()),
            tombstones=len(tombstones.hashes()),
            persons=persons.count,
            hashes=persons.hashes(),
            erased=erased,
            open=still_open,
            too_many=found.too_many,
            shared=found.shared,
            left=left,
            seconds=round(time.monotonic() - begun, 3),
            elsewhere=elsewhere(settings) if erased else [],
        )
        keep(settings, certificate)
    return certificate


def identifiers_left(settings: Settings, stores: Sequence[Store] = STORES) -> int:
    """How many identifiers with a tombstone the stores hold now: none, unless something came by since the last run.

    Raises AlreadyErasing, ErasureFailed.
    """
    with erasing(settings), _scratch(settings) as scratch:
        return _left(settings, stores, scratch)


def follow_up(settings: Settings, certificate: Certificate, log: Log = print) -> None:
    """Let the models count anew what the erased were counted in, and publish that together with the certificates.

    Raises ModelsFailed, WarehouseFailed: what was erased stays erased, and the next run, or build, makes up for it.
    """
    if not settings.warehouse_path.exists() or "warehouse" in certificate.open:
        return
    warehouse = Warehouse.of(settings, log)
    publish(settings, warehouse)
    built = warehouse.read(
        "select 1 from information_schema.tables where table_schema = 'marts' and table_name = 'builds'"
    )
    if built and (certificate.rows or certificate.mentions):
        run_models(settings, warehouse, log=log)
    if settings.published_path.exists():
        warehouse.publish()


@contextmanager
def erasing(settings: Settings) -> Iterator[None]:
    """Keep every other erasure of this project out, on other machines too if they share tables.

    Raises AlreadyErasing, PostgresFailed.
    """
    folder = settings.data_dir / "erasure"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(folder / "erasure.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AlreadyErasing(
            "Another erasure of this project is at work. Nothing was changed. "
            "Next: wait for it, then: iterable-pipelines erase show"
        ) from None
    try:
        with _alone_among_machines(settings):
            yield
    finally:
        lock.release()


@contextmanager
def _alone_among_machines(settings: Settings) -> Iterator[None]:
    if settings.postgres is None:
        yield
        return
    from iterable_pipelines.shared_database import SharedDatabase

    with SharedDatabase(settings.postgres.get_secret_value(), "erasure").alone(_OTHERS_TAKE_SECONDS) as alone:
        if not alone:
            raise AlreadyErasing(
                "Another machine is at an erasure, or at retention, of the landed files. Nothing was changed. "
                "Next: wait for it, then: iterable-pipelines erase run"
            )
        yield


@contextmanager
def _scratch(settings: Settings) -> Iterator[Path]:
    # plain identifiers lie here: a killed run leaves them, so the next one, which holds the lock, begins by sweeping
    folder = settings.data_dir / "erasure" / "scratch"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _identifiers(settings: Settings, stores: Sequence[Store], scratch: Path, still_open: dict[str, str]) -> list[Path]:
    files = []
    for store in stores:
        try:
            files += store.identifiers(settings, scratch)
        except ErasureFailed as failed:
            still_open[store.name] = str(failed)
            files += failed.found
    return files


def _erase(
    settings: Settings, stores: Sequence[Store], persons: Persons, still_open: dict[str, str], log: Log
) -> list[Erased]:
    erased: list[Erased] = []
    for store in stores:
        try:
            erased += store.erase(settings, persons, log)
        except ErasureFailed as failed:
            still_open[store.name] = str(failed)
            erased += failed.erased
            log(f"erasure: {store.name} stays open: {failed}")
        crashpoint(f"erased_{store.name}")
    return erased


def _left(settings: Settings, stores: Sequence[Store], scratch: Path) -> int:
    again = scratch / "again"
    again.mkdir()
    files = _identifiers(settings, stores, again, {})
    return len(find_persons(settings, Tombstones(settings), files, again, settings.memory_limit).persons.hashes())
