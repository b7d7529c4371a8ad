"""With Dagster's history in PostgreSQL, whom it names is erased there, and Dagster goes on with its runs."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from iterable_pipelines.dagster_home import make_storage, prepare_home
from iterable_pipelines.erasure import dagster_history
from iterable_pipelines.erasure.dagster_history import DagsterHistory
from iterable_pipelines.erasure.errors import StoreBusy
from iterable_pipelines.erasure.run import erase, identifiers_left
from iterable_pipelines.erasure.store import Erased
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines_tests.erasure.everywhere import quiet
from iterable_pipelines_tests.erasure.planted import ADA, ADA_ID, BOB, bury, naming, persons
from iterable_pipelines_tests.erasure.test_dagster_home import greeted, greetings
from iterable_pipelines_tests.postgres_server import PASSWORD, Server


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    with postgres.database("erased_history") as made:
        yield made


@pytest.fixture
def shared(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A project whose `.env` names the database."""
    (tmp_path / ".env").write_text(f"ITERABLE_DAGSTER_POSTGRES={url}\nITERABLE_API_KEY=sandbox\n")
    monkeypatch.setenv("ITERABLE_PROJECT_ROOT", str(tmp_path))
    # set by the home, and gone with the test
    monkeypatch.setenv("ITERABLE_DAGSTER_POSTGRES", "")
    (tmp_path / "data" / "erasure").mkdir(parents=True)
    return load_settings()


def tables_naming(url: str, *words: str) -> set[str]:
    """The tables in whose rows one of the words stands."""
    with psycopg.connect(url) as con:
        every = [name for (name,) in con.execute("select tablename from pg_tables where schemaname = 'public'")]
        rows = {name: str(con.execute(f"select t::text from {name} t").fetchall()).lower() for name in every}
    return {name for name, text in rows.items() if any(word.lower() in text for word in words or (ADA, ADA_ID))}


def test_x16_runs_tags_and_events(shared: Settings, url: str) -> None:
    home = prepare_home(shared)
    make_storage(home)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        hers, his = greeted(instance, ADA), greeted(instance, BOB)
        instance.add_dynamic_partitions("people", [ADA, ADA_ID, BOB])
        before = [str(each) for each in instance.all_logs(his)]
    with psycopg.connect(url) as con:
        con.execute("create table asked (user_id text, at int, note bytea, more json)")
        con.execute(
            "insert into asked values (%s, 1, null, null), (%s, 2, %s, %s)",
            [ADA_ID, BOB, f"\udcff like {ADA}".encode("utf-8", "surrogateescape"), f'{{"by": "{ADA}", "at": [1]}}'],
        )
    # that both names are one person's stands elsewhere
    (shared.data_dir / "people.ndjson").write_text(f'{{"email": "{ADA}", "userId": "{ADA_ID}"}}\n')
    everywhere = {"runs", "run_tags", "event_logs", "dynamic_partitions", "asked"}
    assert tables_naming(url) == everywhere
    bury(shared)
    certificate = erase(shared, quiet)
    assert certificate.complete
    places = {each.place: (each.rows, each.mentions) for each in certificate.erased}
    assert {place.rpartition("/")[2] for place in places if place.startswith("dagster history/")} == everywhere
    # of two keys that named her, one can say `erased`
    assert places["dagster history/dynamic_partitions"] == places["dagster history/asked"] == (1, 1)
    assert tables_naming(url) == naming(shared.data_dir) == set()
    assert identifiers_left(shared) == 0
    with psycopg.connect(url) as con:
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
        assert [each for each in map(str, instance.all_logs(his)) if ADA not in each] == [
            each for each in before if ADA not in each
        ]
        assert sorted(instance.get_dynamic_partitions("people")) == [BOB, "erased"]
        assert greetings.execute_in_process(other.run_config, instance=instance).success
