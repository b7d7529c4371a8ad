"""`query`: what it prints and writes, and what no query can do."""

import json
from pathlib import Path

import duckdb
import pytest

from iterable_pipelines_tests.cli.command import Command, CommandHere


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return CommandHere(tmp_path, monkeypatch, capfd)


@pytest.fixture
def published(command: Command) -> Command:
    """A project with a copy for readers, and files that no query may read."""
    data = command.root / "data"
    data.mkdir()
    command.environment["ITERABLE_DATA_DIR"] = str(data)
    with duckdb.connect(data / "iterable.read.duckdb") as con:
        con.execute("create schema marts")
        con.execute("create table marts.people as select i as id, '=x' || i as name, -i as n from range(100) r(i)")
    (command.root / "other.csv").write_text("a\nhidden\n")
    with duckdb.connect(command.root / "other.duckdb") as con:
        con.execute("create table t as select 'hidden' as a")
    return command


def test_without_a_copy_it_says_what_to_do(command: Command) -> None:
    said = command("query", "select 1", data_dir=str(command.root / "data"))
    assert said.code == 1
    assert "no copy for readers" in said.err and "Next: iterable-pipelines backfill" in said.err


def test_a_table_lines_and_json(published: Command) -> None:
    said = published("query", "from marts.people order by id", "--limit", "6")
    assert said.code == 0
    assert "=x0" in said.out and "100 rows" in said.out and "=x50" not in said.out
    said = published(
        "query", "select id, name, n from marts.people order by id desc; -- newest first", "--format", "csv"
    )
    assert said.out.splitlines()[:2] == ["id,name,n", "99,'=x99,-99"] and len(said.out.splitlines()) == 101
    assert "In 100 cells an apostrophe stands first" in said.err
    said = published("query", "from marts.people order by id", "--format", "json", "--limit", "2")
    assert [json.loads(line) for line in said.out.splitlines()] == [
        {"id": 0, "name": "=x0", "n": 0},
        {"id": 1, "name": "=x1", "n": -1},
    ]


def test_into_a_file(published: Command) -> None:
    file = published.root / "people.parquet"
    said = published("query", "from marts.people", "--out", str(file))
    assert said.code == 0 and said.out.startswith(f"100 rows in {file}")
    assert duckdb.connect().execute(f"select count(*) from '{file}'").fetchone() == (100,)
    said = published("query", "select 1", "--out", str(file))
    assert said.code == 1 and "is there already" in said.err
    assert published("query", "select 1", "--out", str(file), "--overwrite").code == 0
    said = published("query", "select 1", "--out", str(published.root / "a.xls"))
    assert said.code == 2 and "must end with .csv, .parquet or .ndjson" in said.err
    said = published("query", "select 1", "--out", str(published.root / "none" / "a.csv"))
    assert said.code == 1 and "There is no folder" in said.err


@pytest.mark.parametrize(
    ("sql", "marked", "following"),
    [
        ("select nope from marts.people", "nope", "show all tables"),
        ("select id\nfrom marts.nowhere", "marts.nowhere", "show all tables"),
        ("select id frm marts.people where", "marts", "correct the query"),
    ],
)
def test_a_mistake_is_shown_in_its_place(published: Command, sql: str, marked: str, following: str) -> None:
    said = published("query", sql)
    assert said.code == 1 and said.out == ""
    lines = said.err.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("LINE "))
    assert lines[at][lines[at + 1].index("^") :].startswith(marked)
    assert "Nothing was changed" in said.err and "Next: " in said.err and following in said.err


WRITES = [
    "delete from marts.people",
    "insert into marts.people values (1, 'a', 1)",
    "drop table marts.people",
    "create table x (a int)",
    "create temp table x as select 1",
    "update marts.people set n = 1",
    "checkpoint",
    "vacuum",
    "copy marts.people to '{root}/evil.csv'",
    "export database '{root}/evil'",
    "attach '{root}/other.duckdb' as o",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "pragma enable_profiling",
    "call pragma_version()",
    "select 1; drop table marts.people",
    "",
]
READS = [
    "from '{root}/other.csv'",
    "from read_csv('{root}/other.csv')",
    "select content from read_text('{root}/other.csv')",
    "from read_blob('{root}/*')",
    "from glob('{root}/*')",
    "from sniff_csv('{root}/other.csv')",
    "from parquet_scan('{root}/other.parquet')",
    "from read_csv('{data}/../other.csv')",
    "from 'https://example.com/a.csv'",
    "from query('from read_text(''{root}/other.csv'')')",
    "from settings",
    "with d as (delete from marts.people returning *) select * from d",
    "select 1) to '{root}/evil.csv' --",
]


@pytest.mark.parametrize("sql", [*WRITES, *READS])
def test_a_query_reads_tables_and_does_nothing_else(published: Command, sql: str) -> None:
    copy = Path(published.environment["ITERABLE_DATA_DIR"]) / "iterable.read.duckdb"
    before = copy.read_bytes(), sorted(each.name for each in published.root.iterdir())
    asked = sql.format(root=published.root, data=copy.parent)
    said = published("query", asked)
    assert said.code == (2 if sql in WRITES else 1), said.out + said.err
    assert "hidden" not in said.out + said.err
    assert (copy.read_bytes(), sorted(each.name for each in published.root.iterdir())) == before


def test_a_query_into_a_file_reads_no_file_either(published: Command) -> None:
    out = published.root / "a.csv"
    for sql in (f"from read_csv('{published.root}/other.csv')", f"from glob('{published.root}/*')"):
        said = published("query", sql, "--out", str(out))
        assert said.code == 1 and "out of reach of a query" in said.err and not out.exists()
