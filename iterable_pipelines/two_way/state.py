"""What a two-way synchronization knows: a sync's outbox, and what both sides were at the last agreement."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from iterable_pipelines.activation.state import Workspace, open_workspace
from iterable_pipelines.published import passing_cause
from iterable_pipelines.settings import Settings
from iterable_pipelines.two_way.declaration import TwoWay
from iterable_pipelines.two_way.errors import TwoWayFailed, TwoWayRefused

SCHEMA_VERSION = "1"
_SCHEMA = (
    # key: an item's id; a template's id, or new:CLIENT_TEMPLATE_ID until Iterable shows its id. The hashes are of the
    # content at the last agreement, '' for none; the raw ones of the text it was read as, so that what is as it was is
    # not read. awaits: our write was not seen yet, and until then Iterable may show what is in `earlier` (Y5)
    "create table if not exists state.pairs (key text, alias text, local_hash text, remote_hash text, local_raw text, "
    "remote_raw text, awaits boolean not null default false, earlier text[], sent_at timestamp, "
    "attempts bigint not null default 0, in_doubt boolean not null default false, agreed_at timestamp)",
    # what each change of a run was made from, until it is merged
    "create table if not exists state.sent (run_id text, number bigint, key text, alias text, hash text, raw text, "
    "earlier text[], attempts bigint)",
    # content that Iterable does not take; it is sent again when it changes
    "create table if not exists state.refused (key text, hash text, code text, message text, noted_at timestamp)",
    # who wins a conflict, as somebody said
    "create table if not exists state.resolutions (key text, winner text, noted_at timestamp)",
    # what the last run could not make alike, and why
    "create table if not exists state.problems (key text, code text, message text, local json, remote json, "
    "first_seen timestamp)",
    "create table if not exists state.finished (run_id text, status text, started_at timestamp, finished_at timestamp, "
    "counts json, requests bigint, note text, published boolean not null default false)",
    # what a run did with each record, until that is in the warehouse
    "create table if not exists state.done (run_id text, key text, action text, outcome text, code text, message text, "
    "noted_at timestamp)",
)


def state_path(settings: Settings, name: str) -> Path:
    """The file of a two-way synchronization."""
    return settings.data_dir / "two_way" / f"{name}.duckdb"


@contextmanager
def open_state(
    settings: Settings, name: str, *, write: bool, log: Callable[[str], None] = print
) -> Iterator[Workspace]:
    """Its state beside an empty scratch file; without `write` nothing of the state changes, or is made.

    Raises AlreadyRunning while another run has it.
    """
    path = state_path(settings, name)
    then = f"iterable-pipelines two-way run {name}"
    try:
        with open_workspace(settings, name, write=write, log=log, path=path, then=then) as workspace:
            if write or not path.exists():
                for statement in _SCHEMA:
                    workspace.con.execute(statement)
            yield workspace
    except duckdb.Error as error:
        cause, first = passing_cause(error, settings)
        raise TwoWayFailed(f"{name}: {cause}. What was done is noted and safe.\nNext: {first}{then}") from error


def check_project(workspace: Workspace, two_way: TwoWay, fingerprint: str, path: Path, write: bool) -> None:
    """Note which project of Iterable's the state is about; refuse any other from then on (S10)."""
    found = dict(workspace.con.execute("select name, value from state.meta").fetchall())
    if not found:
        if write:
            with workspace.transaction() as con:
                noted = [("schema_version", SCHEMA_VERSION), ("project", fingerprint)]
                con.executemany("insert into state.meta values (?, ?)", noted)
        return
    if found != {"schema_version": SCHEMA_VERSION, "project": fingerprint}:
        raise TwoWayRefused(
            f"{two_way.name}: state_project_mismatch: {path} is about another project of Iterable's, or another key, "
            "than is set now. Nothing was changed.\nNext: set the key back; or, for a new project or key, move that "
            f"file away, and see what iterable-pipelines two-way plan {two_way.name} says"
        )
