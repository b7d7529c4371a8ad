"""Killed at any point of a replication, the target is its old version or its new one; the next run makes it equal."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from iterable_pipelines.postgres import TRANSACTION, PostgresFailed, PostgresRefused
from iterable_pipelines_tests.postgres_server import Server
from iterable_pipelines_tests.replications.conftest import VARIABLE, Replica

KILLED = -9
ROWS = 20_000
# a program of its own, so that it can be killed
PROGRAM = (
    "from iterable_pipelines.replications import load_replications, replicate\n"
    "from iterable_pipelines.settings import load_settings\n"
    "settings = load_settings()\n"
    "print(replicate(settings, load_replications(settings)[0]))\n"
)


def process(replica: Replica, crash_at: str = "") -> subprocess.Popen[str]:
    environment = os.environ | {
        "ITERABLE_PROJECT_ROOT": str(replica.settings.project_root),
        "ITERABLE_DATA_DIR": str(replica.settings.data_dir),
        VARIABLE: replica.url,
        **({"ITERABLE_CRASH_AT": crash_at} if crash_at else {}),
    }
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def fill(replica: Replica) -> None:
    replica.here(
        "create or replace table marts.people as "
        f"select i as id, repeat('x', 100) || i as email from range({ROWS}) r(i)"
    )


def change(replica: Replica) -> None:
    """Rows of every kind: changed, new, gone, and a new column."""
    replica.here(
        "update marts.people set email = 'new' || id where id % 2 = 0",
        "delete from marts.people where id % 10 = 1",
        "insert into marts.people select i, 'added' from range(100000, 101000) r(i)",
        "alter table marts.people add column city varchar",
        "update marts.people set city = 'Ulm' where id % 3 = 0",
    )


def rows_there(replica: Replica) -> list[tuple]:
    return replica.there(
        "select to_jsonb(p) - '{_replicated_at,_replicated_xid}'::text[] from iterable.people p order by id"
    )


@pytest.mark.parametrize(
    ("point", "is_new_version"),
    [
        ("replica_compared", False),
        ("postgres_copying", False),
        ("replica_sent", False),
        ("replica_before_commit", False),
        ("replica_after_commit", True),
    ],
)
def test_killed_at_a_named_point(replica: Replica, point: str, is_new_version: bool) -> None:
    fill(replica)
    replica.run()
    old = rows_there(replica)
    change(replica)
    killed = process(replica, point)
    _, err = killed.communicate(timeout=120)
    assert killed.returncode == KILLED and f"crashpoint {point}" in err, err
    found = rows_there(replica)
    assert (found == old) is not is_new_version
    again = process(replica)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert ("0 inserted, 0 updated, 0 deleted" in out) is is_new_version
    new = replica.here("select id, email, city from marts.people order by id")
    assert replica.there("select id, email, city from iterable.people order by id") == new
    assert not is_new_version or rows_there(replica) == found
    assert list((replica.settings.landing_dir / "scratch").iterdir()) == []


def test_killed_in_the_first_load_nothing_is_there(replica: Replica) -> None:
    fill(replica)
    killed = process(replica, "postgres_copying")
    killed.communicate(timeout=120)
    assert killed.returncode == KILLED
    assert replica.there("select count(*) from pg_tables where schemaname = 'iterable'") == [(0,)]
    assert replica.run().inserted == ROWS


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.1, 0.2, 0.4])
def test_killed_at_any_moment(replica: Replica, seconds: float) -> None:
    """The moment is counted from the first lock that the process takes in PostgreSQL."""
    fill(replica)
    replica.run()
    old = rows_there(replica)
    change(replica)
    killed = process(replica)
    with psycopg.connect(replica.url, autocommit=True) as watcher:
        while (
            killed.poll() is None
            and not watcher.execute(
                "select 1 from pg_locks where locktype = 'advisory' and database = "
                "(select oid from pg_database where datname = current_database())"
            ).fetchone()
        ):
            time.sleep(0.005)
    time.sleep(seconds)
    killed.kill()
    killed.communicate(timeout=120)
    # its session may need a moment to notice; the next run waits for it
    done = replica.run()
    assert done.deleted in (0, ROWS // 10)
    new = replica.here("select id, email, city from marts.people order by id")
    assert replica.there("select id, email, city from iterable.people order by id") == new
    assert rows_there(replica) != old


def test_two_at_once_wait_for_each_other(replica: Replica) -> None:
    fill(replica)
    workers = [process(replica) for _ in range(3)]
    said = [worker.communicate(timeout=120) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0], said
    inserted = sorted(int(out.split(" inserted")[0].replace(",", "")) for out, _ in said)
    assert inserted == [0, 0, ROWS]


def test_a_locked_table_is_an_error_that_says_so(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(replica)
    replica.run()
    change(replica)
    monkeypatch.setattr("iterable_pipelines.postgres.TRANSACTION", TRANSACTION.replace("60s", "200ms"))
    with psycopg.connect(replica.url) as holder:
        holder.execute("lock table iterable.people")
        with pytest.raises(PostgresFailed, match="another session keeps the table locked") as caught:
            replica.run()
        assert not isinstance(caught.value, PostgresRefused)
    assert replica.run().inserted == 1000


def test_a_session_that_the_server_ends_is_worth_another_try(replica: Replica) -> None:
    fill(replica)
    with psycopg.connect(replica.url) as holder, ThreadPoolExecutor() as threads:
        holder.execute("select pg_advisory_xact_lock(hashtextextended('replication iterable.people', 0))")
        waiting = threads.submit(replica.run)
        waits = "select pid from pg_locks where locktype = 'advisory' and not granted"
        while not (found := replica.there(waits)):
            assert not waiting.done(), waiting.result()
        holder.execute("select pg_terminate_backend(%s)", [found[0][0]])
        with pytest.raises(PostgresFailed, match="as it was") as caught:
            waiting.result(timeout=60)
        assert not isinstance(caught.value, PostgresRefused)
    assert replica.run().inserted == ROWS


def test_a_login_without_the_right_to_write_is_refused(
    replica: Replica, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(replica)
    replica.run()
    old = rows_there(replica)
    change(replica)
    replica.there("create user reader password 'secret'")
    replica.there("grant usage on schema iterable to reader")
    replica.there("grant select on all tables in schema iterable to reader")
    database = replica.url.rpartition("/")[2]
    monkeypatch.setenv(VARIABLE, postgres.url_of(database, user="reader", password="secret"))
    with pytest.raises(PostgresRefused, match=r"must be owner of table people \(42501\)"):
        replica.run()
    replica.there("drop owned by reader")
    replica.there("drop user reader")
    assert rows_there(replica) == old
