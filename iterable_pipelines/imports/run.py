"""One run of an import: what to ask for, ask, type, store. A run that fails or is killed changes nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from iterable_pipelines.api import IterableError, Refused
from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.hours import Window
from iterable_pipelines.imports.fetch import client_of, fetch, fetch_sample, window_of
from iterable_pipelines.imports.file import Column, Import
from iterable_pipelines.imports.into_duckdb import DuckDBStore
from iterable_pipelines.imports.into_postgres import PostgresStore
from iterable_pipelines.imports.reading import database_file, shown_path
from iterable_pipelines.imports.staging import Staged, guess, stage
from iterable_pipelines.imports.store import Mark, Store, store_rows, watermark_of
from iterable_pipelines.landing.scratch import scratch_folder, sweep
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings

Said = Callable[[str], None]


@dataclass(frozen=True)
class Stored:
    """What a run did. `window` is None where no span was asked for; `untyped` and `left_out` are as in `Staged`,
    `refusals` as in `Fetched`.
    """

    rows: int
    window: Window | None
    database: str
    untyped: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    refusals: dict[int, str] = field(default_factory=dict)

    @property
    def notes(self) -> dict[str, str]:
        """What is not as one may expect, each in a few words; "none" where all is."""
        said = {
            "untyped_columns": [f"{name} ({count:,})" for name, count in self.untyped.items()],
            "fields_left_out": self.left_out,
            "campaigns_without_metrics": [
                f"{len(self.refusals):,}, the first {number} ({why})" for number, why in [*self.refusals.items()][:1]
            ],
        }
        return {name: ", ".join(each) or "none" for name, each in said.items()}


def store_of(made: Import, settings: Settings) -> Store:
    """The database of an import. Raises SettingsError where its URL is named and not set."""
    if made.target.is_postgres:
        return PostgresStore(str(made.target.database), settings.project_root, settings.memory_limit)
    path = database_file(made.target, settings)
    return DuckDBStore(path, settings.memory_limit, shown_path(path, settings))


def run_import(made: Import, settings: Settings, run_id: str, said: Said) -> Stored:
    """Fetch what is due and store it, rows and watermark in one transaction.

    Raises SettingsError, StaleWriter, IterableError, WarehouseFailed or PostgresFailed, with nothing changed.
    """
    store = store_of(made, settings)
    asked = f"{made.source.what} into {made.target.table}"
    before = watermark_of(store, made, asked)
    window = window_of(made.source, settings, before)
    if made.source.incremental and window is None:
        said(f"{made.name}: {asked}: nothing is due yet")
        return Stored(0, None, store.shown)
    said(f"{made.name}: {asked}{f' {window}' if window else ''}")
    with _scratch(settings) as scratch, _explained(made):
        fetched = fetch(client_of(made.source, settings, said), made.source, settings, window, scratch, said)
        staged = stage(made, fetched.parts, scratch / "staged.parquet", settings.memory_limit)
        crashpoint("import_staged")
        mark = Mark(made.name, asked, before, window.end if window and made.source.incremental else None, run_id)
        rows = store_rows(store, made, staged, mark)
    stored = Stored(rows, window, store.shown, staged.untyped, staged.left_out, fetched.refusals)
    notes = "".join(f"; {name}: {text}" for name, text in stored.notes.items() if text != "none")
    said(f"{made.name}: {rows:,} rows stored in {made.target.table} of {store.shown}{notes}")
    return stored


def sample_columns(made: Import, settings: Settings, said: Said) -> list[Column]:
    """The columns that a sample of real answers has; nothing is stored. Raises SettingsError or IterableError."""
    with _scratch(settings) as scratch, _explained(made):
        return guess(_sample(made, settings, scratch, said), scratch / "guess.parquet", settings.memory_limit)


def sample_rows(made: Import, settings: Settings, said: Said, rows: int) -> tuple[Staged, list[tuple[str | None, ...]]]:
    """What would be stored of a sample of real answers: its first rows, as texts; nothing is stored.

    Raises SettingsError or IterableError.
    """
    with _scratch(settings) as scratch, _explained(made):
        parts = _sample(made, settings, scratch, said)
        staged = stage(made, parts, scratch / "preview.parquet", settings.memory_limit)
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
def _explained(made: Import) -> Iterator[None]:
    """Let what Iterable says tell whose import it was, that nothing is lost, and what to do."""
    try:
        yield
    except IterableError as error:
        said = [f"{made.name}: {error}", *getattr(error, "__notes__", ())]
        # `check` asks with the project's key
        key = "the key of in.api_key" if made.source.api_key else "the key: iterable-pipelines check says which"
        then = f"correct the file, or {key}" if isinstance(error, Refused) else "run it again"
        error.args = ("\n".join([*said, f"Nothing of it was stored.\nNext: {then}"]),)
        raise
