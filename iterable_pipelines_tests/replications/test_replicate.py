"""A table in PostgreSQL becomes what the table here is, and only what has changed is sent."""

import resource
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from iterable_pipelines.failures import NOW, when_to_retry
from iterable_pipelines.replications import Replicated, load_replications, replicate
from iterable_pipelines.replications.errors import ReplicationRefused
from iterable_pipelines.streams import Warehouse, WarehouseFailed
from iterable_pipelines_tests.replications.conftest import PEOPLE, Replica

MANY = 100_000


def people(rows: int) -> str:
    return (
        "create or replace table marts.people as select i as id, 'p' || i || '@example.com' as email, "
        "{'tier': i % 5, 'tags': ['a', 'b']} as traits, timestamp '2026-11-01' + to_seconds(i) as seen_at, "
        f"(i % 100)::integer as points from range({rows}) r(i)"
    )


def equal(replica: Replica, columns: str = "id, email, points, seen_at") -> bool:
    there = replica.there(f"select {columns} from iterable.people order by id")
    return there == replica.here(f"select {columns} from marts.people order by id")


def written(replica: Replica) -> int:
    """Rows that PostgreSQL itself says were written by the newest replication."""
    newest = "(select max(_replicated_at) from iterable.people)"
    return replica.there(f"select count(*) from iterable.people where _replicated_at = {newest}")[0][0]


def test_of_many_rows_only_those_that_changed_are_sent(replica: Replica) -> None:
    replica.here(people(MANY))
    first = replica.run()
    assert (first.inserted, first.updated, first.deleted, first.unchanged) == (MANY, 0, 0, 0)
    assert equal(replica)

    replica.here("update marts.people set email = 'new' || id where id % 100 = 7")
    planned = replica.run(dry_run=True)
    assert not equal(replica), "a dry run has sent something"
    second = replica.run()
    assert second == planned == Replicated(0, MANY // 100, 0, MANY - MANY // 100, bytes=second.bytes)
    assert written(replica) == MANY // 100
    assert second.bytes < first.bytes / 50
    assert equal(replica)

    assert replica.run().unchanged == MANY
    assert written(replica) == MANY // 100


def test_rows_come_and_go(replica: Replica) -> None:
    replica.here(people(1000))
    replica.run()
    replica.here(
        "delete from marts.people where id % 10 = 3", "insert into marts.people select 5000, 'e', null, null, 1"
    )
    done = replica.run()
    assert (done.inserted, done.updated, done.deleted, done.unchanged) == (1, 0, 100, 900)
    assert equal(replica, "id, email, points")


def test_what_somebody_does_there_is_set_right(replica: Replica) -> None:
    replica.here(people(1000))
    replica.run()
    replica.there("update iterable.people set points = -1 where id in (1, 2)")
    replica.there("update iterable.people set id = -3 where id = 3")
    replica.there("delete from iterable.people where id = 4")
    replica.there("insert into iterable.people (id, email) values (7777, 'by hand')")
    replica.there(
        "insert into iterable.people select 8888, email, traits, seen_at, points, _replicated_key, "
        "_replicated_hash, _replicated_xid from iterable.people where id = 5"
    )
    done = replica.run()
    assert equal(replica)
    assert done.unchanged == 996 and done.inserted + done.updated == 4 and done.deleted == 3
    assert replica.run().unchanged == 1000

    replica.there("drop table iterable.people")
    assert replica.run().inserted == 1000
    assert equal(replica)

    replica.there("truncate iterable.people")
    assert replica.run().inserted == 1000
    assert equal(replica)


def test_what_postgresql_does_by_itself_is_no_change(replica: Replica) -> None:
    replica.here(people(1000))
    replica.run()
    with psycopg.connect(replica.url, autocommit=True) as con:
        for statement in ("vacuum (freeze) iterable.people", "vacuum (full, freeze) iterable.people", "checkpoint"):
            con.execute(statement)
            assert replica.run().unchanged == 1000


def test_a_new_column_is_added_and_only_rows_with_something_in_it_are_sent(replica: Replica) -> None:
    replica.here(people(1000))
    replica.run()
    replica.here(
        "alter table marts.people add column city varchar", "update marts.people set city = 'Ulm' where id < 10"
    )
    done = replica.run()
    assert done.updated == 10 and "new column city (text)" in done.notes
    assert equal(replica, "id, city")
    assert replica.run().notes == ()


@pytest.mark.parametrize(
    ("before", "after", "there"),
    [
        ("integer", "bigint", "bigint"),
        ("integer", "double", "double precision"),
        ("bigint", "double", "numeric"),
        ("bigint", "hugeint", "numeric"),
        ("integer", "varchar", "text"),
        ("date", "timestamp", "timestamp with time zone"),
        ("boolean", "integer", "text"),
        ("varchar", "integer", "text"),
        ("bigint", "integer", "bigint"),
        ("decimal(10, 2)", "decimal(20, 4)", "numeric"),
        ("integer[]", "varchar", "text"),
    ],
)
def test_a_type_that_widens_is_altered(replica: Replica, before: str, after: str, there: str) -> None:
    value = {"boolean": "true", "date": "'2026-11-01'", "integer[]": "[1]", "timestamp": "'2026-11-01 12:00:00'"}
    replica.here(f"create table marts.people as select 1 as id, ({value.get(before, '12')})::{before} as a")
    replica.run()
    replica.here(
        f"create or replace table marts.people as select i as id, ({value.get(after, '13')})::{after} as a "
        "from range(1, 3) r(i)"
    )
    replica.run()
    found = "select data_type from information_schema.columns where table_name = 'people' and column_name = 'a'"
    assert replica.there(found) == [(there,)]
    assert replica.there("select count(*) from iterable.people where a is not null") == [(2,)]
    assert replica.run().unchanged == 2


def test_a_column_that_vanished_stays_and_is_null(replica: Replica) -> None:
    replica.here(people(100))
    replica.run()
    replica.here("alter table marts.people drop column email")
    done = replica.run()
    assert done.notes == ("column email is not here any more: it stays, NULL",)
    assert replica.there("select count(*), count(email) from iterable.people") == [(100, 0)]
    replica.here("alter table marts.people add column email varchar", "update marts.people set email = 'back'")
    replica.run()
    assert replica.there("select distinct email from iterable.people") == [("back",)]


def test_many_deletes_are_stopped_unless_they_are_meant(replica: Replica) -> None:
    replica.here(people(1000))
    replica.run()
    replica.here("delete from marts.people where id >= 800")
    assert replica.run().deleted == 200, "as many as the guard allows"
    replica.here("delete from marts.people where id >= 600")
    with pytest.raises(ReplicationRefused, match=r"200 of 800 rows would be deleted.* 20%.*\n.*--allow-deletes"):
        replica.run()
    assert replica.there("select count(*) from iterable.people") == [(800,)]
    planned = replica.run(dry_run=True)
    assert planned.deleted == 200
    assert planned.notes == (
        "a run would stop: 200 of 800 rows would be deleted, and `delete_guard` allows 20%; --allow-deletes lets it",
    )
    assert replica.run(dry_run=True, allow_deletes=True).notes == ()
    assert replica.run(allow_deletes=True).deleted == 200

    replica.here("delete from marts.people")
    with pytest.raises(ReplicationRefused, match="600 of 600"):
        replica.run()
    replica.declare(PEOPLE + "delete_guard: 1\n")
    assert replica.run().deleted == 600


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("insert into marts.people select * from marts.people limit 3", "3 rows have the same id as another one"),
        ("insert into marts.people (email) values ('nobody')", "1 rows have no id"),
        ("alter table marts.people rename id to ident", "`keys` names 'id', which is no column"),
        ("alter table marts.people rename email to _replicated_key", "_replicated_key is a name for our own use"),
        ("drop table marts.people", "its query cannot be run: Catalog Error: .*people"),
    ],
)
def test_rows_that_cannot_be_told_apart_are_refused(replica: Replica, change: str, message: str) -> None:
    replica.here(people(10))
    replica.run()
    before = replica.there("select * from iterable.people order by id")
    replica.here(change)
    with pytest.raises(ReplicationRefused, match=message):
        replica.run()
    assert replica.there("select * from iterable.people order by id") == before


def test_a_dry_run_counts_what_others_have_inserted(replica: Replica) -> None:
    replica.here(people(100))
    replica.run()
    replica.there("insert into iterable.people (id, email) select i, 'by hand' from generate_series(1000, 1049) i")
    replica.there(
        "insert into iterable.people select 2000, email, traits, seen_at, points, _replicated_key, "
        "_replicated_hash, _replicated_xid from iterable.people where id = 5"
    )
    planned = replica.run(dry_run=True)
    assert planned.deleted == 51
    assert "51 of 151 rows would be deleted" in planned.notes[0]
    assert replica.run(allow_deletes=True).deleted == 51


@pytest.mark.parametrize(
    ("memory", "largest_file", "said"),
    [("40MB", 10**12, "40MB of memory are not enough"), ("500MB", 10**6, "the disk is full")],
)
def test_what_may_pass_is_worth_a_retry_and_not_blamed_on_the_file(
    replica: Replica, memory: str, largest_file: int, said: str
) -> None:
    settings = replica.settings.model_copy(update={"memory_limit": memory})
    replica.here("create table marts.people as select i as id, repeat('x', 100) || i as a from range(20000) r(i)")
    replica.declare(
        "query: select i as id, list(repeat(a, 9) order by a) as a from marts.people, range(30) r(i) group by i\n"
        "postgres: REPORTING_URL\nkeys: [id]\n"
    )
    (declared,) = load_replications(settings)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, limits[1]))
    try:
        with pytest.raises(WarehouseFailed, match=f"people: {said}") as failed:
            replicate(settings, declared)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert when_to_retry(failed.value) == NOW
    assert "run it again" in str(failed.value) and "replications/people.yml" not in str(failed.value)


def test_a_value_that_cannot_be_cast_is_the_querys(replica: Replica) -> None:
    replica.here("create table marts.people as select 1 as id, 'ann@example.com' as email")
    replica.declare(PEOPLE.replace("table: marts.people", "query: select id, email::integer as e from marts.people"))
    with pytest.raises(ReplicationRefused, match="its query cannot be run: ConversionException") as refused:
        replica.run()
    assert "ann@" not in str(refused.value)


def test_a_table_of_somebody_else_is_left_alone(replica: Replica) -> None:
    replica.here(people(10))
    replica.there("create schema iterable create table people (id bigint primary key, mine text)")
    with pytest.raises(ReplicationRefused, match="no replication has made it"):
        replica.run()
    assert replica.there("select * from iterable.people") == []


def test_other_keys_are_refused(replica: Replica) -> None:
    replica.here(people(10))
    replica.run()
    replica.declare(PEOPLE.replace("[id]", "[email]"))
    with pytest.raises(ReplicationRefused, match="is keyed by id, not by email"):
        replica.run()


def test_a_query_with_two_keys_into_a_table_of_another_name(replica: Replica) -> None:
    replica.here(people(100))
    replica.declare(
        "query: |\n  -- who has how many\n"
        "  select points, id % 7 as day, count(*) as people from marts.people group by all;\n"
        "postgres: REPORTING_URL\ninto: Reports.Points per Day\nkeys: [day, points]\n"
    )
    done = replica.run()
    assert replica.there('select count(*), sum(people) from "Reports"."Points per Day"') == [(done.inserted, 100)]
    assert replica.run().unchanged == done.inserted


def test_columns_of_any_name(replica: Replica) -> None:
    odd = ("row_key", "_here", "here", "is_new", "is_empty", "incoming", 'we"ird', "per%cent %s", "UPPER", "x" * 80)
    columns = ", ".join('i as "' + name.replace('"', '""') + '"' for name in odd)
    replica.here(f"create table marts.people as select i as id, {columns} from range(10) r(i)")
    assert replica.run().inserted == 10
    replica.here("update marts.people set is_new = -1 where id = 3")
    assert replica.run().updated == 1
    assert replica.run().unchanged == 10
    assert replica.there('select sum(is_new), sum(row_key), max("we""ird") from iterable.people') == [(41, 45, 9)]


def test_nobody_waits_for_the_network(replica: Replica) -> None:
    """While a replication waits for PostgreSQL, the warehouse is written and published."""
    warehouse = Warehouse.of(replica.settings)
    with warehouse.transaction() as con:
        con.execute("create schema marts")
        con.execute("create table marts.people as select 1 as id")
    warehouse.publish()
    with psycopg.connect(replica.url) as holder, ThreadPoolExecutor() as threads:
        holder.execute("select pg_advisory_xact_lock(hashtextextended('replication iterable.people', 0))")
        waiting = threads.submit(replica.run)
        waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        while not replica.there(waits)[0][0]:
            assert not waiting.done(), waiting.result()
        with warehouse.transaction() as con:
            con.execute("insert into marts.people values (2)")
        warehouse.publish()
        holder.rollback()
        assert waiting.result(timeout=60).inserted in (1, 2)
    replica.run()
    assert replica.there("select id from iterable.people order by id") == [(1,), (2,)]


def test_a_column_that_comes_meanwhile_is_the_next_runs(replica: Replica) -> None:
    replica.here(people(10))
    replica.run()
    with psycopg.connect(replica.url) as holder, ThreadPoolExecutor() as threads:
        holder.execute("select pg_advisory_xact_lock(hashtextextended('replication iterable.people', 0))")
        waiting = threads.submit(replica.run)
        waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        while not replica.there(waits)[0][0]:
            assert not waiting.done(), waiting.result()
        replica.here("alter table marts.people add column city varchar", "update marts.people set city = 'Ulm'")
        holder.rollback()
        with pytest.raises(WarehouseFailed, match=r"other columns was published meanwhile.*\n.*run it again"):
            waiting.result(timeout=60)
    assert replica.run().updated == 10
    assert equal(replica, "id, city")
