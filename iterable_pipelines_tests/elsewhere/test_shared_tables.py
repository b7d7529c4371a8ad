"""PostgreSQL as the place of shared tables: its clock counts, a lost connection is made anew, no secret is told."""

import time
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from pydantic import SecretStr

from iterable_pipelines import shared_database
from iterable_pipelines.api import LIMITS, Ledger
from iterable_pipelines.erasure.rewritten import RewrittenFiles
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.file_store import FileStore
from iterable_pipelines.landing import Manifest
from iterable_pipelines.landing.expired import ExpiredHours
from iterable_pipelines.landing.exports import Exports
from iterable_pipelines.postgres import PostgresFailed, PostgresRefused
from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines.shared_database import SharedDatabase
from iterable_pipelines.webhooks.parts import WebhookParts
from iterable_pipelines_tests.either_database import database_at
from iterable_pipelines_tests.postgres_server import PASSWORD, Server

SCOPE = "a project"


@pytest.fixture
def url(elsewhere: Settings) -> str:
    assert elsewhere.postgres is not None
    return elsewhere.postgres.get_secret_value()


def test_the_clock_of_a_machine_does_not_matter(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(SharedDatabase(url, "ledger"))
    for _ in range(LIMITS["export"].calls):
        ledger.book("export", SCOPE)
    true = time.time
    for wrong in (-3600, 3600):
        monkeypatch.setattr(time, "time", lambda wrong=wrong: true() + wrong)
        assert 30 < ledger.delay("export", SCOPE) <= 60.25


def test_a_lost_connection_is_made_anew(url: str) -> None:
    database, tries = SharedDatabase(url, "ledger"), []

    def lose_it_once(con: psycopg.Connection) -> int:
        tries.append(con.execute("select pg_backend_pid()").fetchone()[0])
        if len(tries) == 1:
            con.execute("select pg_terminate_backend(pg_backend_pid())")
        return len(tries)

    assert database.run(lose_it_once) == 2
    assert tries[0] != tries[1]


def test_a_server_that_is_away_is_named_without_the_password(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_database, "PATIENCE", 0.5)
    with pytest.raises(PostgresFailed) as told:
        SharedDatabase("postgresql://me:hunter22@127.0.0.1:9/tables", "manifest").make(["create table t (n integer)"])
    assert "127.0.0.1" in str(told.value) and "hunter22" not in str(told.value)
    with pytest.raises(PostgresRefused) as told:
        Manifest(Path("landing"), SharedDatabase(postgres.url_of("postgres", password="wrong-one"), "manifest"))
    assert "ITERABLE_POSTGRES" in str(told.value)
    assert "wrong-one" not in str(told.value) and PASSWORD not in str(told.value)


def test_who_may_only_write_to_the_tables_can_work(postgres: Server, project: Settings) -> None:
    name = f"limited-{uuid4().hex}"
    limited = postgres.url_of(name, user=name, password="limited")
    try:
        with postgres.database(name) as url:
            assert _write_to_all(project, url) == {"ada"}
            with psycopg.connect(url, autocommit=True) as owner:
                owner.execute(f"""create role "{name}" login password 'limited'""")
                owner.execute(f'grant usage on schema iterable_pipelines to "{name}"')
                owner.execute(f'grant usage on all sequences in schema iterable_pipelines to "{name}"')
                rights = "select, insert, update, delete on all tables in schema iterable_pipelines"
                owner.execute(f'grant {rights} to "{name}"')
            assert _write_to_all(project, limited) == {"ada"}
            # what is not there it cannot make
            with pytest.raises(PostgresRefused):
                SharedDatabase(limited, "other").make(["create table if not exists other (n integer)"])
    finally:
        with psycopg.connect(postgres.url, autocommit=True) as owner:
            owner.execute(f'drop role if exists "{name}"')


def _write_to_all(project: Settings, url: str) -> frozenset[str]:
    settings = project.model_copy(update={"postgres": SecretStr(url)})
    manifest = Manifest.of(settings)
    for table in (Exports, ExpiredHours, WebhookParts):
        table(manifest)
    RewrittenFiles(manifest, FileStore.of(settings)).followed("a machine", [1])
    assert manifest.next_token()
    Ledger.of(settings).book("export", SCOPE)
    Tombstones(settings).add("email", ["ada"], "request")
    return Tombstones(settings).hashes()


def test_tombstones_stand_and_are_lifted(place: str, project: Settings) -> None:
    stones = Tombstones(project.model_copy(update={"postgres": SecretStr(place)}) if "://" in place else project)
    assert stones.add("email", ["ada", "bob"], "request") == 2
    assert stones.add("email", ["ada", "cat"], "iterable email") == 1
    assert stones.link([("user_id", "ada's id", "ada")]) == 1
    assert stones.hashes() == {"ada", "bob", "cat", "ada's id"} and stones.hashes("user_id") == {"ada's id"}
    assert stones.origins("request") == {"ada", "bob"}
    assert stones.lift(["ada", "nobody"]) == 1
    assert stones.hashes() == {"bob", "cat"}
    assert stones.pending_since("2000") and stones.pending_since("9000") is None


def test_two_purposes_do_not_wait_for_each_other(place: str) -> None:
    if "://" in place:
        with database_at(place, "manifest").transaction():
            Ledger(database_at(place, "ledger")).book("export", SCOPE)
    one, other = database_at(place, "manifest"), database_at(place, "manifest")
    with one.transaction() as con:
        con.execute("create table if not exists t (n integer)")
        con.execute("insert into t values (?)", (1,))
    with pytest.raises(ZeroDivisionError), other.transaction() as con:
        con.execute("insert into t values (?)", (2,))
        raise ZeroDivisionError
    with one.connection() as con:
        assert con.execute("select n from t").fetchall() == [(1,)]


def test_a_database_is_of_one_landing_and_one_address(elsewhere: Settings, tmp_path: Path) -> None:
    Manifest.of(elsewhere)
    # another machine, with a data folder of its own
    Manifest.of(elsewhere.model_copy(update={"data_dir": tmp_path / "second"}))
    for other in ({"landing": str(tmp_path / "landing")}, {"base_url": "http://127.0.0.1:10"}):
        with pytest.raises(SettingsError, match="that of another project"):
            Manifest.of(elsewhere.model_copy(update=other))
