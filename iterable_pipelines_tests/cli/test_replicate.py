"""`replicate`: what it says of replications that run, that cannot run, and that are not there."""

from pathlib import Path

import duckdb
import pytest

from iterable_pipelines_tests.cli.command import CommandHere
from iterable_pipelines_tests.postgres_server import Server


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandHere:
    """A project with a copy for readers and two replications; Iterable is not asked."""
    settings = {"api_key": "sandbox", "base_url": "http://127.0.0.1:9", "data_dir": str(tmp_path / "data")}
    command = CommandHere(tmp_path, monkeypatch, capfd, **settings)
    (tmp_path / "data").mkdir()
    with duckdb.connect(tmp_path / "data" / "iterable.read.duckdb") as con:
        con.execute("create schema marts")
        con.execute("create table marts.people as select i as id, 'p' || i as name from range(100) r(i)")
    (tmp_path / "replications").mkdir()
    (tmp_path / "replications" / "people.yml").write_text("table: marts.people\npostgres: REPORTING_URL\nkeys: [id]\n")
    (tmp_path / "replications" / "names.yml").write_text("query: select name from marts.people\nfile: out/names.csv\n")
    return command


def test_all_of_them_as_a_run_of_dagster(declared: CommandHere, postgres: Server) -> None:
    with postgres.database("cli") as url:
        (declared.root / ".env").write_text(f"REPORTING_URL={url}\n")
        said = declared("replicate", "--all", "--dry-run")
        assert said.code == 0, said.err
        assert "people: 100 inserted" in said.out and not (declared.root / "out").exists()
        said = declared("replicate", "--all")
        assert said.code == 0, said.err
        assert "people: 100 inserted, 0 updated, 0 deleted, 0 unchanged" in said.out
        assert len((declared.root / "out" / "names.csv").read_text().splitlines()) == 101
        with duckdb.connect(declared.root / "data" / "iterable.read.duckdb") as con:
            con.execute("delete from marts.people where id > 9")
        said = declared("replicate", "people")
        assert said.code == 1 and "90 of 100 rows would be deleted" in said.err
        assert "Next: if that is meant, iterable-pipelines replicate people --allow-deletes" in said.err
        said = declared("replicate", "people", "--allow-deletes")
        assert said.code == 0 and "90 deleted, 10 unchanged" in said.out
        for each in (declared.root / "data" / "dagster").rglob("*"):
            assert not each.is_file() or b"p%40ss" not in each.read_bytes(), f"the password is in {each}"


def test_what_cannot_be_done_is_said(declared: CommandHere) -> None:
    said = declared("replicate")
    assert said.code == 2 and "name replications, or --all; there are names, people" in said.err
    said = declared("replicate", "peple")
    assert said.code == 2 and "did you mean people?" in said.err
    said = declared("replicate", "people", "--dry-run")
    assert said.code == 1 and "REPORTING_URL is not set" in said.err and "Next: write REPORTING_URL=" in said.err
    (declared.root / ".env").write_text("REPORTING_URL=postgresql://u:secret@127.0.0.1:1/d\n")
    said = declared("replicate", "people", "--dry-run")
    assert said.code == 1 and "cannot be reached" in said.err and "secret" not in said.err
    (declared.root / "replications" / "people.yml").write_text("tabel: marts.people\n")
    said = declared("replicate", "--all")
    assert said.code == 1 and "replications/people.yml, line 1, tabel: no such field, did you mean table?" in said.err
    for each in (declared.root / "replications").iterdir():
        each.unlink()
    said = declared("replicate", "--all")
    assert said.code == 0 and "There is no replication yet" in said.out
