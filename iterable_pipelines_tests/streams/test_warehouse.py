"""The warehouse's door: one transaction or none, a bounded wait for whoever is inside, and a copy for readers."""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from iterable_pipelines.streams import Warehouse, WarehouseFailed, WarehouseLocked

_HOLD = (
    "import duckdb, sys; con = duckdb.connect(sys.argv[1], read_only={}); print('held', flush=True); sys.stdin.read()"
)


@contextmanager
def held_open(path: Path, read_only: bool) -> Iterator[int]:
    """Another process that keeps the file open, as a BI tool does. Gives its process id."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD.format(read_only), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout and holder.stdout.readline() == "held\n"
    try:
        yield holder.pid
    finally:
        holder.communicate()


def test_an_error_rolls_everything_back_and_frees_the_file(warehouse: Warehouse) -> None:
    with pytest.raises(ZeroDivisionError), warehouse.transaction() as con:
        con.execute("create table streams.half as select 1 as one")
        raise ZeroDivisionError
    assert warehouse.read("select count(*) from duckdb_tables() where table_name = 'half'") == [(0,)]
    with held_open(warehouse.path, read_only=False):
        pass


@pytest.mark.parametrize("read_only", [True, False])
def test_whoever_holds_the_file_is_named_and_so_is_the_way_out(warehouse: Warehouse, read_only: bool) -> None:
    with held_open(warehouse.path, read_only) as pid, pytest.raises(WarehouseLocked) as refused:
        warehouse.read("select 1")
    for part in (f"PID {pid}", str(warehouse.published), "safe"):
        assert part in str(refused.value)
    assert warehouse.read("select 1") == [(1,)]


def test_waiting_ends_when_the_holder_leaves(warehouse: Warehouse) -> None:
    patient = Warehouse(warehouse.path, warehouse.published, wait_seconds=30)
    hold = _HOLD.format(False).replace("sys.stdin.read()", "import time; time.sleep(1)")
    holder = subprocess.Popen([sys.executable, "-c", hold, str(warehouse.path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout and holder.stdout.readline() == "held\n"
    assert patient.read("select 1") == [(1,)]
    holder.communicate()


def test_the_published_copy_is_complete_and_leaves_open_readers_alone(warehouse: Warehouse) -> None:
    warehouse.read("create table streams.seen as select 1 as version")
    warehouse.publish()
    with duckdb.connect(warehouse.published, read_only=True) as reader:
        warehouse.read("update streams.seen set version = 2")
        warehouse.publish()
        assert reader.execute("select version from streams.seen").fetchone() == (1,)
    with duckdb.connect(warehouse.published, read_only=True) as reader:
        assert reader.execute("select version from streams.seen").fetchone() == (2,)


def test_a_large_file_is_not_copied_for_every_webhook(warehouse: Warehouse) -> None:
    assert warehouse.copy_is_due()
    warehouse.publish()
    # as large as it says, without the blocks
    os.truncate(warehouse.path, 20_000_000_000)
    assert not warehouse.copy_is_due()
    then = time.time() - 1_000
    os.utime(warehouse.published, (then, then))
    assert warehouse.copy_is_due()


def test_nobody_else_on_the_machine_can_read_the_files(warehouse: Warehouse) -> None:
    warehouse.publish()
    for path in (warehouse.path, warehouse.published):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_no_warehouse_is_one_clear_message(tmp_path: Path) -> None:
    path = tmp_path / "iterable.duckdb"
    path.write_bytes(b"this is not a database" * 1000)
    with pytest.raises(WarehouseFailed, match="Stored data is safe"):
        Warehouse(path, tmp_path / "read.duckdb").read("select 1")


def test_too_little_memory_names_the_setting(warehouse: Warehouse) -> None:
    small = Warehouse(warehouse.path, warehouse.published, memory_limit="20MB")
    with pytest.raises(WarehouseFailed, match="ITERABLE_MEMORY_LIMIT"):
        small.read("select length(string_agg(range::varchar, repeat(chr(97), 50))) from range(5000000)")


def test_preparing_twice_keeps_what_is_there(warehouse: Warehouse) -> None:
    warehouse.read("insert into streams.loads (load_id) values (1)")
    warehouse.prepare()
    assert warehouse.read("select load_id from streams.loads") == [(1,)]
