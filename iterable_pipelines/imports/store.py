"""Where an import's rows go: what is done there is the same for DuckDB and PostgreSQL, in one transaction each time.

The rows and the watermark (table `_imports`) are stored together, or not at all.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.imports.file import KEY, Import
from iterable_pipelines.imports.staging import Staged
from iterable_pipelines.settings import SettingsError
from iterable_pipelines.streams.load import StaleWriter


class Mismatch(SettingsError):
    """The table, or the database, is not as the import's file says. Nothing was changed."""


@dataclass(frozen=True)
class Mark:
    """How far an import has come: `asked` says what is asked of whom and which table that fills, `before` and `up_to`
    where this run began and ends; a retry has the `run_id` of what it retries. `name` is for people.
    """

    name: str
    asked: str
    before: datetime | None
    up_to: datetime | None
    run_id: str


@dataclass(frozen=True)
class Noted:
    """What the last run has noted: how far it came (UTC), how many rows it stored, and its id."""

    up_to: datetime | None
    rows: int
    run_id: str


class Transaction(Protocol):
    """One transaction on the database of an import."""

    def lock(self, name: str) -> None:
        """Wait for every other transaction that has locked this name to end."""

    def types(self, staged: Staged) -> dict[str, str]:
        """Names and types of the staged columns, as the database calls them. Asked for before anything is locked."""

    def columns(self, table: str) -> dict[str, str]:
        """Names and types of the table's columns, likewise; empty where there is no table."""

    def noted(self, asked: str) -> Noted | None:
        """What is noted in the table `_imports`; None where nothing is."""

    def create(self, table: str, staged: Staged) -> None:
        """Make the table, empty, and its schema if need be."""

    def add_columns(self, table: str, columns: Mapping[str, str]) -> None:
        """Add columns, NULL for the rows there are."""

    def empty(self, table: str) -> None:
        """Delete every row."""

    def drop(self, table: str) -> None:
        """Take the table away."""

    def delete(self, table: str, staged: Staged) -> None:
        """Delete the rows whose KEY one of the staged rows has."""

    def insert(self, table: str, staged: Staged) -> None:
        """Add the staged rows, by name."""

    def note(self, mark: Mark, rows: int) -> None:
        """Store the mark in the table `_imports`, made if need be."""


class Store(Protocol):
    """The database of an import. `shown` names it without a password."""

    shown: str

    def exists(self) -> bool:
        """Whether there is a database at all."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """One transaction: committed at the end, rolled back on any error, closed either way."""


def watermark_of(store: Store, made: Import, asked: str) -> datetime | None:
    """How far an incremental import has come. None at the first run, and after its table was dropped.

    Raises Mismatch where the database or the table is missing and auto_create_table is off: before anything is asked.
    """
    target = made.target
    if target.table is None:
        raise Mismatch(f"{made.name}: no table is named. Nothing was asked.\nNext: write out.table, or give --table")
    found: Noted | None = None
    there = False
    if store.exists():
        with store.transaction() as transaction:
            there = bool(transaction.columns(target.table))
            found = transaction.noted(asked) if there else None
    if not there and not target.auto_create_table:
        what = f"table {target.table} in {store.shown}" if store.exists() else f"database {store.shown}"
        raise Mismatch(
            f"{made.name}: there is no {what}, and auto_create_table is off. Nothing was asked or changed.\n"
            "Next: write auto_create_table: true below out:, or give --auto-create-table; else correct the name"
        )
    return found.up_to if found and made.source.incremental else None


def store_rows(store: Store, made: Import, staged: Staged, mark: Mark) -> int:
    """Store the staged rows as the import's mode says, and its mark. Returns how many rows were stored.

    A run that was killed after its commit and is retried has stored its rows already: they are not stored again.
    Raises StaleWriter where another run has stored the same span meanwhile, Mismatch where the table's types are not
    the file's; nothing is changed then.
    """
    table, mode = str(made.target.table), made.target.mode
    with store.transaction() as transaction:
        wanted = transaction.types(staged)
        transaction.lock(f"import into {table}")
        there = transaction.columns(table)
        noted = transaction.noted(mark.asked) if there else None
        if noted and noted.run_id == mark.run_id and not made.source.incremental:
            return noted.rows
        if made.source.incremental and there and (noted.up_to if noted else None) != mark.before:
            raise StaleWriter(
                f"{made.name}: another run of this import has stored rows meanwhile; nothing of this one was stored.\n"
                "Next: run it again; it goes on from there"
            )
        kept = mode == "replace_on_new_data" and not staged.rows
        if not kept:
            _put(transaction, made, staged, wanted, there)
        # made by the first import into a database
        transaction.lock("_imports")
        if noted and (kept or mode == "append"):
            # what somebody adds besides, such as an old month, does not send the incremental import back
            mark = replace(mark, up_to=mark.up_to or noted.up_to)
        transaction.note(mark, 0 if kept else staged.rows)
        crashpoint("import_written")
    crashpoint("import_stored")
    return 0 if kept else staged.rows


def _put(
    transaction: Transaction, made: Import, staged: Staged, wanted: Mapping[str, str], there: Mapping[str, str]
) -> None:
    table = str(made.target.table)
    if made.target.mode == "append":
        _check_types(made, table, wanted, there)
    elif there and (there == wanted or not staged.rows):
        # the table stays, and with it what others have built on it; and no rows say nothing about columns
        transaction.empty(table)
    elif there:
        transaction.drop(table)
        there = {}
    if not there:
        transaction.create(table, staged)
    elif missing := {name: kind for name, kind in wanted.items() if name not in there}:
        transaction.add_columns(table, missing)
    if made.source.of_people and made.target.mode == "append" and {KEY} <= there.keys() & wanted.keys():
        # what Iterable shows again takes the place of what it showed before
        transaction.delete(table, staged)
    transaction.insert(table, staged)


def _check_types(made: Import, table: str, wanted: Mapping[str, str], there: Mapping[str, str]) -> None:
    differing = [
        f"{name} is {there[name]} in the table and {kind} by the file"
        for name, kind in wanted.items()
        if name in there and there[name] != kind
    ]
    if differing:
        raise Mismatch(
            f"{made.name}: the table {table} contradicts the file: {'; '.join(differing)}. Nothing was changed.\n"
            "Next: give the columns the table's types in in.columns, or take another out.table, or mode: replace"
        )
