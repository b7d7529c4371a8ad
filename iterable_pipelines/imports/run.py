"""One run of an import: what to ask for, ask, type, store. A run that fails or is killed changes nothing."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import duckdb

from iterable_pipelines.api import IterableError, Refused
from iterable_pipelines.api.user_reads import MOST_EVENTS
from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.hours import Window
from iterable_pipelines.imports.fetch import address_of, client_of, fetch, fetch_sample, window_of
from iterable_pipelines.imports.file import Column, Import
from iterable_pipelines.imports.into_duckdb import DuckDBStore
from iterable_pipelines.imports.into_postgres import PostgresStore
from iterable_pipelines.imports.reading import database_file, shown_path
from iterable_pipelines.imports.staging import Staged, guess, stage
from iterable_pipelines.imports.store import Mark, Store, store_rows, watermark_of
from iterable_pipelines.imports.values import REFERENCE
from iterable_pipelines.landing.scratch import scratch_folder, sweep
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import WarehouseFailed

Said = Callable[[str], None]


@dataclass(frozen=True)
class Stored:
    """What a run did. `window` is None where no span was asked for; `untyped`, `left_out` and `erased` are as in
    `Staged`, `refusals` and `cut_off` as in `Fetched`.
    """

    rows: int
    window: Window | None
    database: str
    untyped: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    refusals: dict[int, str] = field(default_factory=dict)
    erased: int = 0
    cut_off: int = 0

    @property
    def notes(self) -> dict[str, str]:
        """What is not as one may expect, each in a few words; "none" where all is."""
        said = {
            "untyped_columns": [f"{name} ({count:,})" for name, count in self.untyped.items()],
            "fields_left_out": self.left_out,
            "campaigns_without_metrics": [
                f"{len(self.refusals):,}, the first {number} ({why})" for number, why in [*self.refusals.items()][:1]
            ],
            "people_with_more": [f"{self.cut_off:,}, of whom Iterable shows the newest {MOST_EVENTS} only"]
            if self.cut_off
            else [],
            "records_of_the_forgotten": [f"{self.erased:,} left out"] if self.erased else [],
        }
        return {name: ", ".join(each) or "none" for name, each in said.items()}


def store_of(made: Import, settings: Settings) -> Store:
    """The database of an import. Raises SettingsError where its URL is named and not set."""
    if made.target.is_postgres:
        return PostgresStore(str(made.target.database), settings.project_root, settings.memory_limit)
    path = database_file(made.target, settings)
    return DuckDBStore(path, settings.memory_limit, shown_path(path, settings))


def run_import(made: Import, settings: Settings, run_id: str, said: Said) -> Stored:
    """Fetch what is due and store it, rows and watermark in one transaction. `run_id` is that of a retry's first try.

    Raises SettingsError, StaleWriter, IterableError, WarehouseFailed or PostgresFailed, with nothing changed.
    """
    store = store_of(made, settings)
    asked, what = asked_of(made, settings), f"{made.source.what} into {made.target.table}"
    before = watermark_of(store, made, asked)
    window = window_of(made.source, settings, before)
    if window is None and made.source.has_span:
        said(f"{made.name}: {what}: no moment of its span is there yet; nothing was asked or changed")
        return Stored(0, None, store.shown)
    said(f"{made.name}: {what}{f' {window}' if window else ''}")
    with _explained(made, settings), _scratch(settings) as scratch:
        fetched = fetch(client_of(made.source, settings, said), made.source, settings, window, scratch, said)
        tombstones = Tombstones(settings)
        staged = stage(made, fetched.parts, scratch / "staged.parquet", settings.memory_limit, tombstones)
        crashpoint("import_staged")
        mark = Mark(made.name, asked, before, window.end if window and made.source.incremental else None, run_id)
        rows = store_rows(store, made, staged, mark)
    told = (staged.untyped, staged.left_out, fetched.refusals, staged.erased, fetched.cut_off)
    stored = Stored(rows, window, store.shown, *told)
    notes = "".join(f"; {name}: {text}" for name, text in stored.notes.items() if text != "none")
    said(f"{made.name}: {rows:,} rows stored in {made.target.table} of {store.shown}{notes}")
    return stored


def asked_of(made: Import, settings: Settings) -> str:
    """What an import asks, of whom, and which table that fills: who asks the same goes on where the last run ended.

    A key that is named counts by its name, so that it can be replaced by a newer one of the same project.
    """
    source = made.source
    written = source.api_key.get_secret_value().strip() if source.api_key else "${ITERABLE_API_KEY}"
    named = REFERENCE.fullmatch(written)
    key = named[1] if named else sha256(written.encode()).hexdigest()[:8]
    return f"{source.what} into {made.target.table}, of {address_of(source, settings)} with {key}"


def sample_columns(made: Import, settings: Settings, said: Said) -> list[Column]:
    """The columns that a sample of real answers has; nothing is stored. Raises SettingsError or IterableError."""
    with _explained(made, settings), _scratch(settings) as scratch:
        return guess(_sample(made, settings, scratch, said), scratch / "guess.parquet", settings.memory_limit)


def sample_rows(made: Import, settings: Settings, said: Said, rows: int) -> tuple[Staged, list[tuple[str | None, ...]]]:
    """What would be stored of a sample of real answers: its first rows, as texts; nothing is stored.

    Raises SettingsError or IterableError.
    """
    with _explained(made, settings), _scratch(settings) as scratch:
        parts = _sample(made, settings, scratch, said)
        staged = stage(made, parts, scratch / "preview.parquet", settings.memory_limit, Tombstones(settings))
        with duckdb.connect() as con:
            query = f"select columns(*)::varchar from read_parquet({literal(str(staged.path))}) limit {rows}"
            return staged, con.execute(query).fetchall()


def _sample(made: Import, settings: Settings, scratch: Path, said: Said) -> list[Path]:
    client = client_of(made.source, settings, said)
    return fetch_sample(client, made.source, settings, window_of(made.source, settings, None), scratch, said)


@contextmanager
def _scratch(settings: Settings) -> Iterator[Path]:
    sweep(settings.landing_dir)
    with scratch_folder(settings.landing_dir, "import-") as scratch:
        yield scratch


@contextmanager
def _explained(made: Import, settings: Settings) -> Iterator[None]:
    """Let what Iterable, DuckDB or the disk says tell whose import it was, that nothing is lost, and what to do."""
    try:
        yield
    except IterableError as error:
        said = [f"{made.name}: {error}", *getattr(error, "__notes__", ())]
        # `check` asks with the project's key
        key = "the key of in.api_key" if made.source.api_key else "the key: iterable-pipelines check says which"
        then = f"correct the file, or {key}" if isinstance(error, Refused) else "run it again"
        error.args = ("\n".join([*said, f"Nothing of it was stored.\nNext: {then}"]),)
        raise
    except (duckdb.Error, OSError) as error:
        # quotes may hold a value of somebody's
        text = re.sub(r"'[^']*'|\"[^\"]*\"", "…", str(error).strip().partition("\n")[0])
        then = "run it again; should it come again, leave the field out by in.omit_fields"
        if isinstance(error, duckdb.OutOfMemoryException):
            then = f"{settings.memory_limit} of memory are not enough: raise ITERABLE_MEMORY_LIMIT"
        elif isinstance(error, OSError | duckdb.IOException):
            then = f"see whether the disk of {settings.landing_dir} is full, free space, and run it again"
        raise WarehouseFailed(f"{made.name}: {text}. Nothing of it was stored.\nNext: {then}") from None
