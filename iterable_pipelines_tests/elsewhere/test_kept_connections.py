"""Connections to PostgreSQL are kept, and nobody notices: not after a crash, in a fork, in threads or at the end."""

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from iterable_pipelines import kept_connections, shared_database
from iterable_pipelines.database import Connection
from iterable_pipelines.postgres import PostgresFailed
from iterable_pipelines.shared_database import SharedDatabase
from iterable_pipelines_tests.postgres_server import PASSWORD, Server

_OTHERS = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    with postgres.database(f"kept-{uuid4().hex}") as url:
        yield url


@pytest.fixture
def database(url: str) -> SharedDatabase:
    made = SharedDatabase(url, "numbers")
    made.make(["create table if not exists numbers (n integer primary key)"])
    return made


@pytest.fixture
def one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked a second time."""
    monkeypatch.setattr(shared_database, "PATIENCE", 0)


def session(con: Connection) -> int:
    """Which process of the server this is."""
    return int(con.execute("select pg_backend_pid()").fetchone()[0])


def add(n: int) -> Callable[[Connection], int]:
    def insert(con: Connection) -> int:
        con.execute("insert into numbers values (?)", (n,))
        return session(con)

    return insert


def numbers(database: SharedDatabase) -> list[int]:
    with database.connection() as con:
        return [n for (n,) in con.execute("select n from numbers order by n").fetchall()]


def seen_from_outside(url: str, asked: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as con:
        return con.execute(asked.encode()).fetchall()


def sessions(url: str, expected: int) -> bool:
    """Whether so many are open, once those that were closed have ended."""
    deadline = time.monotonic() + 10
    while len(seen_from_outside(url, f"select pid {_OTHERS}")) != expected:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def kept(url: str) -> int:
    """How many this process keeps."""
    return sum(each.url == url for each in kept_connections._kept[os.getpid()])


def fork(do: Callable[[], object]) -> None:
    """Run something in a child of this process, which ends without a word to whoever forked it."""
    pid = os.fork()
    if pid == 0:
        try:
            do()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def test_one_after_the_other_uses_the_same_connection(database: SharedDatabase, url: str) -> None:
    used = {database.run(add(n)) for n in range(10)}
    with database.connection() as con:
        used.add(session(con))
    with SharedDatabase(url, "another purpose").transaction() as con:
        used.add(session(con))
        # a pooler hands the session to somebody else after this
        assert con.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)
    assert len(used) == 1 and numbers(database) == list(range(10))


def test_nothing_stays_in_a_session(database: SharedDatabase, url: str) -> None:
    database.run(add(1))
    con = kept_connections._taken(url)
    assert con is not None
    left = [con.execute(f"show {name}".encode()).fetchone() for name in ("search_path", "lock_timeout")]
    assert left == [('"$user", public',), ("0",)]
    assert con.execute("select count(*) from pg_locks where locktype = 'advisory'").fetchone() == (0,)
    con.close()


def test_within_another_it_is_another_connection(database: SharedDatabase, url: str) -> None:
    other = SharedDatabase(url, "other")
    with database.connection() as one, other.transaction() as two, other.connection() as three:
        used = {session(each) for each in (one, two, three)}
        one.execute("insert into numbers values (1)")
        assert two.execute("select count(*) from numbers").fetchone() == (0,)
    assert len(used) == 3 and numbers(database) == [1] and sessions(url, 2)


def test_an_error_undoes_and_the_connection_goes_on(database: SharedDatabase, one_try: None) -> None:
    before = database.run(add(1))
    with pytest.raises(ZeroDivisionError), database.transaction() as con:
        con.execute("insert into numbers values (2)")
        raise ZeroDivisionError
    with pytest.raises(PostgresFailed), database.transaction() as con:
        con.execute("insert into numbers values (3)")
        con.execute("insert into numbers values (1)")
    assert database.run(add(4)) == before
    assert numbers(database) == [1, 4]


def test_a_connection_that_was_cut_within_is_not_kept(database: SharedDatabase, url: str, one_try: None) -> None:
    with pytest.raises(PostgresFailed) as told, database.transaction() as con:
        con.execute("insert into numbers values (1)")
        seen_from_outside(url, f"select pg_terminate_backend(pid) {_OTHERS}")
        con.execute("select 1")
    assert PASSWORD not in str(told.value)
    assert numbers(database) == []


def test_those_that_the_server_ended_are_replaced_at_once(database: SharedDatabase, url: str, one_try: None) -> None:
    with database.connection() as one, database.connection() as two:
        before = {session(one), session(two)}
    assert len(seen_from_outside(url, f"select pg_terminate_backend(pid) {_OTHERS}")) == 2
    assert database.run(add(1)) not in before
    assert numbers(database) == [1]


def test_a_server_that_starts_anew_is_waited_for(database: SharedDatabase) -> None:
    before = database.run(add(1))
    # the server ends all of its sessions then, recovers, and refuses whoever comes meanwhile
    os.kill(before, signal.SIGKILL)
    assert database.run(add(2)) != before
    assert numbers(database) == [1, 2]


def test_what_was_idle_for_long_is_closed(
    database: SharedDatabase, url: str, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = database.run(add(1))
    monkeypatch.setattr(kept_connections, "_IDLE_SECONDS", 0.0)
    assert database.run(add(2)) != before
    assert sessions(url, 1)
    # the next use closes them, of whatever database it is
    with SharedDatabase(postgres.url, "other").connection() as con:
        session(con)
    assert sessions(url, 0)


def test_the_second_of_two_is_closed_when_only_one_is_used(
    database: SharedDatabase, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.connection(), database.connection():
        pass
    assert sessions(url, 2)
    monkeypatch.setattr(kept_connections, "_IDLE_SECONDS", 1.0)
    deadline = time.monotonic() + 10
    while kept(url) == 2:
        assert time.monotonic() < deadline
        numbers(database)
        time.sleep(0.05)
    assert sessions(url, 1)


def test_a_fork_has_connections_of_its_own(database: SharedDatabase, url: str) -> None:
    before = database.run(add(1))

    def work() -> None:
        assert database.run(add(2)) != before
        kept_connections._close_all()

    fork(work)
    assert database.run(add(3)) == before
    assert numbers(database) == [1, 2, 3] and sessions(url, 1)


def test_a_fork_within_a_transaction_leaves_it_to_the_parent(database: SharedDatabase) -> None:
    transaction = database.transaction()
    with transaction as con:
        con.execute("insert into numbers values (1)")
        fork(lambda: transaction.__exit__(None, None, None))
        con.execute("insert into numbers values (2)")
        with SharedDatabase(database.url, "other").connection() as other:
            assert other.execute("select count(*) from numbers").fetchone() == (0,)
    assert numbers(database) == [1, 2]


def test_threads_do_not_share_one(database: SharedDatabase, url: str) -> None:
    def work(thread: int) -> None:
        for n in range(25):
            database.run(add(thread * 25 + n))
            with database.connection() as con:
                assert con.execute("select n from numbers where n = ?", (thread * 25 + n,)).fetchone()

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(work, range(6))) == [None] * 6
    assert numbers(database) == list(range(150)) and sessions(url, kept(url))
    assert kept(url) <= 2


def test_a_process_that_ends_closes_them(database: SharedDatabase, url: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\n"
        "from iterable_pipelines.shared_database import SharedDatabase\n"
        "database = SharedDatabase(sys.argv[1], 'numbers')\n"
        "database.run(lambda con: con.execute('insert into numbers values (1)'))\n"
        "if os.fork():\n"
        "    os.wait()\n"
        "    database.run(lambda con: con.execute('insert into numbers values (2)'))\n"
    )
    command = [sys.executable, str(program), url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env=dict(os.environ))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert numbers(database) == [1, 2] and sessions(url, 1)
    assert seen_from_outside(url, f"select count(*) {_OTHERS} and state <> 'idle'") == [(0,)]
