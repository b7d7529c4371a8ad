"""What a person told Dagster of somebody stays in its home: it is erased there, and Dagster goes on with its runs."""

import sqlite3
import zlib
from pathlib import Path

import dagster as dg
import pytest

from iterable_pipelines.dagster_home import prepare_home
from iterable_pipelines.erasure.run import erase
from iterable_pipelines.erasure.scan import scan
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.erasure.everywhere import quiet
from iterable_pipelines_tests.erasure.planted import ADA, ADA_ID, BOB, bury, naming


@dg.op(config_schema={"who": str})
def greet(context: dg.OpExecutionContext) -> None:
    """Tells of whom it is asked to: in a log, on its output, and of an asset."""
    who = context.op_config["who"]
    context.log.info(f"greeting {who}")
    print(f"hello {who}", flush=True)
    context.log_event(dg.AssetMaterialization("greetings", metadata={"of": who, "all": {"who": [who, BOB]}}))
    if who != BOB:
        raise ValueError(f"{who} is not there")


@dg.job
def greetings() -> None:
    """Greets one person."""
    greet()


def greeted(instance: dg.DagsterInstance, who: str) -> str:
    """A run for somebody, who stands in its config and in a tag; returns its id."""
    config = {"ops": {"greet": {"config": {"who": who}}}}
    return greetings.execute_in_process(config, instance=instance, tags={"asked_by": who}, raise_on_error=False).run_id


def packed(home: Path) -> bytes:
    """What Dagster keeps compressed: what jobs and their plans look like."""
    with sqlite3.connect(home / "history" / "runs.db") as con:
        bodies = con.execute("select snapshot_body from snapshots").fetchall()
    return b"".join(zlib.decompress(body) for (body,) in bodies)


def test_x16_dagsters_runs_events_and_logs(project: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    home = prepare_home(project)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        hers, his = greeted(instance, ADA), greeted(instance, BOB)
        instance.add_dynamic_partitions("people", [ADA_ID, BOB])
    # that both names are one person's stands elsewhere
    (project.data_dir / "people.ndjson").write_text(f'{{"email": "{ADA}", "userId": "{ADA_ID}"}}\n')
    capfd.readouterr()
    there = naming(project.data_dir)
    assert {name.rpartition(".")[2].partition("-")[0] for name in there} >= {"db", "out", "err"}
    assert {path.relative_to(project.data_dir).parts[:3] for path in scan(project, [ADA]).found} == {
        ("dagster", "history", "runs.db"),
        ("dagster", "history", "runs"),
        ("dagster", "storage", hers),
        ("people.ndjson",),
    }
    # a byte scan does not unpack these: nobody's name gets there, because they are made of the code alone
    assert b"greet" in packed(home) and ADA.encode() not in packed(home)
    bury(project)
    certificate = erase(project, quiet)
    assert certificate.complete and certificate.mentions
    assert naming(project.data_dir) == set()
    assert scan(project, [ADA, ADA_ID]).found == []
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run, other = instance.get_run_by_id(hers), instance.get_run_by_id(his)
        assert run and other
        assert (run.status, run.tags["asked_by"]) == (dg.DagsterRunStatus.FAILURE, "erased")
        assert run.run_config == {"ops": {"greet": {"config": {"who": "erased"}}}}
        assert any("greeting erased" in str(each) for each in instance.all_logs(hers))
        assert (other.status, other.tags["asked_by"]) == (dg.DagsterRunStatus.SUCCESS, BOB)
        assert instance.get_dynamic_partitions("people") == ["erased", BOB]
        assert greetings.execute_in_process(other.run_config, instance=instance).success
