"""What readers find of a verification in the warehouse."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from iterable_pipelines.activation.row_log import create_tables
from iterable_pipelines.activation.verify import verify
from iterable_pipelines.activation.verify.publish import publish_findings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.activation.verify.conftest import Proof, Prove

USERS = [{"email": f"user{nth}@example.com", "dataFields": {"tier": "gold"}} for nth in range(4)]


def published(proof: Proof, sql: str) -> list[tuple[Any, ...]]:
    return Warehouse.of(proof.settings).read(sql)


def rows_of_a_run(proof: Proof) -> None:
    """The row log of the run that sent the users, as the run publishes it."""
    with Warehouse.of(proof.settings).transaction() as con:
        create_tables(con)
        for key, digest in proof.state("select key, payload_hash from state.acked"):
            con.execute(
                "insert into activation.sync_rows by name select 'run of users' as run_id, 'people' as sync, "
                "? as pk, 'users' as output, ? as payload_hash",
                [key, digest],
            )


def test_the_figures_the_rows_and_what_is_wrong(prove: Prove) -> None:
    proof = prove()
    proof.send("users", USERS, lost={2})
    rows_of_a_run(proof)

    proof.verify()

    figures = "verified, missing, mismatch, drifted, checked, is_full"
    assert published(proof, f"select {figures} from activation.sync_verifications where sync = 'people'") == [
        (3, 1, 0, 0, 4, True)
    ]
    assert published(proof, "select pk, output, verdict, found from activation.sync_mismatches") == [
        ("0002", "users", "missing", None)
    ]
    assert published(proof, "select pk from activation.sync_rows where verified_at is null") == [("0002",)]


def test_what_is_right_again_is_published_as_right(prove: Prove) -> None:
    proof = prove()
    proof.send("users", USERS, lost={2})
    rows_of_a_run(proof)
    proof.verify()
    proof.write("users", USERS)

    proof.verify()

    assert published(proof, "select count(*) from activation.sync_mismatches") == [(0,)]
    assert published(proof, "select count(*) from activation.sync_rows where verified_at is null") == [(0,)]
    assert published(proof, "select count(*) from activation.sync_verifications") == [(2,)]


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another program has the warehouse open."""
    program = f"import duckdb, sys; con = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin and other.stdout and other.stdout.readline() == b"open\n"
        yield
        other.stdin.close()


def test_a_warehouse_that_is_held_gets_it_with_the_next_verification(
    prove: Prove, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = prove()
    proof.send("users", USERS)
    proof.settings.warehouse_path.parent.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(verify, "publish_findings", partial(publish_findings, wait_seconds=0.0))

    with held(proof.settings.warehouse_path):
        assert proof.verify().verified == 4
    assert proof.state("select published from state.verifications") == [(False,)]
    proof.verify()

    assert published(proof, "select verified from activation.sync_verifications") == [(4,), (4,)]
