"""With Dagster's history in PostgreSQL, whom it names is erased there, and Dagster goes on with its runs."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from pydantic import SecretStr

from iterable_pipelines.dagster_home import make_storage, prepare_home
from iterable_pipelines.erasure import dagster_history
from iterable_pipelines.erasure.dagster_history import DagsterHistory
from iterable_pipelines.erasure.errors import StoreBusy
from iterable_pipelines.erasure.run import erase, identifiers_left
from iterable_pipelines.erasure.store import Erased
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.erasure.everywhere import quiet
from iterable_pipelines_tests.erasure.planted import ADA, ADA_ID, BOB, bury, naming, persons
from iterable_pipelines_tests.erasure.test_dagster_home import greeted, greetings
from iterable_pipelines_tests.postgres_server import PASSWORD

ERASE = """
import sys
from pathlib import Path
from iterable_pipelines.erasure.dagster_history import DagsterHistory
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.settings import load_settings
DagsterHistory().erase(load_settings(), Persons(Path(sys.argv[1]), 1), print)
"""


def tables_naming(url: str, *words: str) -> set[str]:
    """The tables in whose rows one of the words stands."""
    with psycopg.connect(url) as con:
        every = [name for (name,) in con.execute("select tablename from pg_tables where schemaname = 'public'")]
        rows = {name: str(con.execute(f"select t::text from {name} t").fetchall()).lower() for name in every}
    return {name for name, text in rows.items() if any(word.lower() in text for word in words or (ADA, ADA_ID))}


def test_x16_runs_tags_and_events(on_postgres: Settings, dagster_postgres: str) -> None:
    home = prepare_home(on_postgres)
    make_storage(home)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        hers, his = greeted(instance, ADA), greeted(instance, BOB)
        instance.add_dynamic_partitions("people", [ADA, ADA_ID, BOB])
        before = [str(each) for each in instance.all_logs(his)]
    with psycopg.connect(dagster_postgres) as con:
        con.execute("create table asked (user_id text, at int, note bytea, more json)")
        con.execute(
            "insert into asked values (%s, 1, null, null), (%s, 2, %s, %s)",
            [ADA_ID, BOB, f"\udcff like {ADA}".encode("utf-8", "surrogateescape"), f'{{"by": "{ADA}", "at": [1]}}'],
        )
    # that both names are one person's stands elsewhere
    (on_postgres.data_dir / "people.ndjson").write_text(f'{{"email": "{ADA}", "userId": "{ADA_ID}"}}\n')
    everywhere = {"runs", "run_tags", "event_logs", "dynamic_partitions", "asked"}
    assert tables_naming(dagster_postgres) == everywhere
    bury(on_postgres)
    certificate = erase(on_postgres, quiet)
    assert certificate.complete
    assert any("ITERABLE_DAGSTER_POSTGRES" in place for place in certificate.elsewhere)
    places = {each.place: (each.rows, each.mentions) for each in certificate.erased}
    assert {place.rpartition("/")[2] for place in places if place.startswith("dagster history/")} == everywhere
    # of two keys that named her, one can say `erased`
    assert places["dagster history/dynamic_partitions"] == places["dagster history/asked"] == (1, 1)
    assert tables_naming(dagster_postgres) == naming(on_postgres.data_dir) == set()
    assert identifiers_left(on_postgres) == 0
    with psycopg.connect(dagster_postgres) as con:
        assert con.execute("select user_id, at, note, more from asked").fetchall() == [
            (BOB, 2, b"\xff like erased", {"by": "erased", "at": [1]})
        ]
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert {run.run_id for run in instance.get_runs()} == {hers, his}
        run, other = instance.get_run_by_id(hers), instance.get_run_by_id(his)
        assert run and other
        assert (run.status, run.tags["asked_by"]) == (dg.DagsterRunStatus.FAILURE, "erased")
        assert run.run_config == {"ops": {"greet": {"config": {"who": "erased"}}}}
        assert [each.run_id for each in instance.get_runs(dg.RunsFilter(tags={"asked_by": "erased"}))] == [hers]
        assert any("greeting erased" in str(each) for each in instance.all_logs(hers))
        assert (other.status, other.tags["asked_by"]) == (dg.DagsterRunStatus.SUCCESS, BOB)
        assert [str(each) for each in instance.all_logs(his)] == before
        assert sorted(instance.get_dynamic_partitions("people")) == [BOB, "erased"]
        assert greetings.execute_in_process(other.run_config, instance=instance).success


@pytest.fixture
def noted(on_postgres: Settings, dagster_postgres: str) -> Settings:
    """A table as Dagster might have it, with a note of Ada."""
    with psycopg.connect(dagster_postgres) as con:
        con.execute("create table notes (id int primary key, status text, note text)")
        con.execute("create index by_note on notes (note)")
        con.execute("insert into notes values (1, 'STARTED', %s), (2, 'STARTED', %s)", [f"asked by {ADA}", BOB])
    # as an erasure of all stores makes it
    (on_postgres.data_dir / "erasure").mkdir(parents=True)
    return on_postgres


def notes(url: str) -> list[tuple[str, str]]:
    with psycopg.connect(url) as con:
        return con.execute("select status, note from notes order by id").fetchall()


def test_what_dagster_writes_meanwhile_is_kept(noted: Settings, dagster_postgres: str, tmp_path: Path) -> None:
    """The erasure has read the row, and waits for a run that ends just then and says once more who asked."""
    done: list[Erased] = []
    forgotten = persons(tmp_path / "persons")
    eraser = threading.Thread(target=lambda: done.extend(DagsterHistory().erase(noted, forgotten, quiet)))
    with psycopg.connect(dagster_postgres) as dagster, psycopg.connect(dagster_postgres, autocommit=True) as watcher:
        dagster.execute("update notes set status = 'SUCCESS', note = note || ' twice' where id = 1")
        eraser.start()
        waiting = "select count(*) from pg_locks where not granted and locktype = 'transactionid'"
        deadline = time.monotonic() + 60
        while watcher.execute(waiting).fetchone() == (0,):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    eraser.join(60)
    assert done == [Erased("dagster history/notes", 0, mentions=1)]
    assert notes(dagster_postgres) == [("SUCCESS", "asked by erased twice"), ("STARTED", BOB)]


def test_a_row_that_cannot_be_replaced_leaves_all_as_it_was(
    noted: Settings, dagster_postgres: str, tmp_path: Path
) -> None:
    with psycopg.connect(dagster_postgres) as con:
        con.execute("create table asked as select * from notes")
        con.execute("create function keep() returns trigger language plpgsql as 'begin return null; end'")
        con.execute("create trigger keep before update on notes for each row execute function keep()")
    with pytest.raises(StoreBusy, match=r"dagster history/notes: .* 1 of its rows .* Nothing was changed"):
        DagsterHistory().erase(noted, persons(tmp_path / "persons"), quiet)
    assert tables_naming(dagster_postgres) == {"asked", "notes"}


def test_a_vacuum_that_cannot_be_done_is_made_up_for(
    noted: Settings, dagster_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dagster_history, "_PATIENCE", "50ms")
    # that the address is hers stands in the row itself
    bury(noted, ADA)
    with psycopg.connect(dagster_postgres) as other:
        # lets others read and write, but not vacuum
        other.execute("lock table notes in share update exclusive mode")
        certificate = erase(noted, quiet)
        assert "not vacuumed yet" in certificate.open["dagster history"]
        assert (certificate.persons, certificate.mentions) == (1, 1)
        assert notes(dagster_postgres)[0] == ("STARTED", "asked by erased")
        assert dead(dagster_postgres) == 1
    # nobody is found any more
    assert erase(noted, quiet).complete
    assert dead(dagster_postgres) == 0


def dead(url: str) -> int:
    """How many places of the first page of notes hold a row that nobody can see any more."""
    with psycopg.connect(url) as con:
        con.execute("create extension if not exists pageinspect")
        (count,) = con.execute("select count(*) from heap_page_items(get_raw_page('notes', 0)) where t_xmax <> '0'")
    return int(count[0])


def test_a_killed_erasure_is_vacuumed_by_the_next(noted: Settings, dagster_postgres: str, tmp_path: Path) -> None:
    persons(tmp_path / "persons")
    environment = {
        **os.environ,
        "ITERABLE_PROJECT_ROOT": str(tmp_path),
        "ITERABLE_DAGSTER_POSTGRES": dagster_postgres,
        "ITERABLE_CRASH_AT": "erasure_history_deleted",
    }
    killed = subprocess.run(
        [sys.executable, "-c", ERASE, tmp_path / "persons" / "persons.parquet"],
        capture_output=True,
        env=environment,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert notes(dagster_postgres)[0] == ("STARTED", "asked by erased")
    assert dead(dagster_postgres) == 1
    assert erase(noted, quiet).complete
    assert dead(dagster_postgres) == 0


def test_a_server_that_is_away_keeps_nobody_from_the_rest(noted: Settings, dagster_postgres: str) -> None:
    away = noted.model_copy(update={"dagster_postgres": SecretStr(dagster_postgres.replace("/dagster", "/gone"))})
    (noted.data_dir / "people.ndjson").write_text(f'{{"email": "{ADA}"}}\n')
    bury(noted)
    certificate = erase(away, quiet)
    said = certificate.open["dagster history"]
    assert "gone_history" in said and "ITERABLE_DAGSTER_POSTGRES" in said
    assert PASSWORD not in said and "p%40ss" not in said
    assert certificate.rows == 1 and naming(noted.data_dir) == set()


CHART = """
run_storage:
  module: dagster_postgres.run_storage
  class: PostgresRunStorage
  config:
    postgres_db: {username: dagster, password: {env: DAGSTER_PG_PASSWORD}, hostname: db, db_name: dagster, port: 5432}
"""


@pytest.mark.parametrize("told_by", ["own", "chart", "password"])
def test_a_history_that_nobody_says_where_to_find_stays_open(
    on_postgres: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told_by: str
) -> None:
    """Dagster writes to PostgreSQL, and the setting is absent: as in a command without the service's variables."""
    home = prepare_home(on_postgres) if told_by == "own" else tmp_path / "elsewhere"
    monkeypatch.setenv("DAGSTER_HOME", "" if told_by == "own" else str(home))
    if told_by == "chart":
        home.mkdir()
        (home / "dagster.yaml").write_text(CHART)
    elif told_by == "password":
        monkeypatch.setenv("DAGSTER_PG_PASSWORD", PASSWORD)
    without = on_postgres.model_copy(update={"dagster_postgres": None})
    without.data_dir.mkdir(exist_ok=True)
    (without.data_dir / "people.ndjson").write_text(f'{{"email": "{ADA}"}}\n')
    bury(without)
    certificate = erase(without, quiet)
    said = certificate.open["dagster history"]
    assert "ITERABLE_DAGSTER_POSTGRES is not set" in said and "Next: set ITERABLE_DAGSTER_POSTGRES" in said
    # the other stores are done
    assert certificate.rows == 1 and naming(without.data_dir) == set()


def test_without_the_setting_there_is_no_such_store(project: Settings, tmp_path: Path) -> None:
    assert DagsterHistory().identifiers(project, tmp_path) == []
    assert DagsterHistory().erase(project, persons(tmp_path / "persons"), quiet) == []
    assert not project.data_dir.exists()
