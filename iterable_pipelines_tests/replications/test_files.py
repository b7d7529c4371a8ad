"""A table or query as a file: equal to the table, whole or not there, and no cell a spreadsheet would compute."""

import csv
import io
import tempfile
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iterable_pipelines.replications import load_replications, replicate
from iterable_pipelines.replications.errors import ReplicationRefused
from iterable_pipelines.settings import Settings
from iterable_pipelines.table_files import guard, write_file, write_rows

TYPES = (
    "create table marts.people as select i as id, 'p' || i as name, "
    "case when i % 3 = 0 then null else '' end as empty, i * 100000000000000000000::hugeint as huge, "
    "i / 3.0 as ratio, (i / 7)::decimal(18, 6) as money, timestamp '2026-11-01' + to_seconds(i) as at, "
    "date '2026-11-01' + i::integer as day, i % 2 = 0 as flag, [i, null] as list, {'a': i, 'b': 'x'} as pair, "
    "map {'k' || i: i} as counts, json_object('n', i) as record, uuid() as u, "
    "'a\"b,c' || chr(10) || 'd' as odd from range(5000) r(i)"
)


@pytest.fixture
def project(tmp_path: Path) -> Settings:
    made = Settings(api_key="sandbox", project_root=tmp_path, data_dir=tmp_path / "data")
    made.data_dir.mkdir()
    with duckdb.connect(made.published_path) as con:
        con.execute("create schema marts")
        con.execute(TYPES)
    return made


def rows(settings: Settings, sql: str) -> list[tuple]:
    with duckdb.connect(settings.published_path, read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        return con.execute(sql).fetchall()


def test_parquet_equals_the_table(project: Settings, tmp_path: Path) -> None:
    file = tmp_path / "people.parquet"
    written = write_file(project, "from marts.people", file)
    assert (written.rows, written.bytes) == (5000, file.stat().st_size)
    found = rows(project, f"select * replace (huge::hugeint as huge) from '{file}' order by id")
    assert found == rows(project, "from marts.people order by id")
    kinds = dict(rows(project, f"select column_name, column_type from (describe from '{file}')"))
    assert kinds["huge"] == "DECIMAL(38,0)" and kinds["at"] == "TIMESTAMP" and kinds["list"] == "BIGINT[]"


def test_csv_equals_the_table(project: Settings, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    assert write_file(project, "from marts.people order by id desc", file).guarded == 0
    text = rows(
        project,
        "select columns(* exclude (list, pair, counts))::varchar, to_json(list)::varchar, "
        "to_json(pair)::varchar, to_json(counts)::varchar from (from marts.people order by id desc)",
    )
    with file.open(newline="") as lines:
        found = list(csv.reader(lines))
    assert found[0][:3] == ["id", "name", "empty"] and len(found) == 5001
    order = [at for at, name in enumerate(found[0]) if name not in ("list", "pair", "counts")]
    order += [found[0].index(name) for name in ("list", "pair", "counts")]
    assert [[line[at] for at in order] for line in found[1:]] == [["" if v is None else v for v in row] for row in text]
    # NULL and an empty text are told apart by quotes
    assert file.read_text().splitlines()[1].startswith('4999,p4999,"",')


def test_ndjson_equals_the_table(project: Settings, tmp_path: Path) -> None:
    file = tmp_path / "people.ndjson"
    assert write_file(project, "select id, name, list, flag from marts.people", file).rows == 5000
    found = rows(project, f"select id, name, list, flag from read_ndjson('{file}') order by id")
    assert found == rows(project, "select id, name, list, flag from marts.people order by id")


SIGNS = st.sampled_from("=+-@\t\r\n'＝＋－＠")  # noqa: RUF001
CELLS = st.one_of(
    st.text(max_size=6), st.builds(str.__add__, SIGNS, st.text("=+-@'1.eE 2", max_size=5)), st.floats().map(str)
)
DANGEROUS = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and all(sign in "0123456789+-.eE" for sign in text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(CELLS, min_size=1, max_size=20))
def test_no_cell_of_a_csv_is_a_formula_and_none_is_lost(duck: duckdb.DuckDBPyConnection, cells: list[str]) -> None:
    cells = [cell.replace("\0", "").encode("utf-8", "ignore").decode() for cell in cells]
    duck.execute("create or replace table t (n integer, cell varchar)")
    duck.execute("insert into t select unnest(?), unnest(?)", [[-at for at in range(len(cells))], cells])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cells.csv"
        written = write_rows(duck, "from t order by n desc", file)
        found = list(csv.reader(io.StringIO(file.read_bytes().decode(), newline="")))[1:]
    assert [number for number, _ in found] == [str(-at) for at in range(len(cells))], "a number has changed"
    for (_, cell), original in zip(found, cells, strict=True):
        assert not cell.startswith(DANGEROUS) or is_number(cell)
        assert cell in (original, f"'{original}")
        # what is read back without one apostrophe is the text as it was
        bare = cell.lstrip("'")
        guarded = cell.startswith("'") and bare.startswith(DANGEROUS) and not is_number(cell)
        assert (cell[1:] if guarded else cell) == original
        assert guard(original) == cell
    assert written.guarded == sum(cell != original for (_, cell), original in zip(found, cells, strict=True))


def test_a_columns_name_is_guarded_too(project: Settings, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    assert write_file(project, 'select 1 as "=1+1", -5 as b', file).guarded == 1
    assert file.read_text() == "'=1+1,b\n1,-5\n"


def test_a_query_that_fails_leaves_the_file_as_it_was(project: Settings, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("as it was")
    for query in (
        "select nope from marts.people",
        "select error('x') from marts.people",
        "select name::integer from marts.people",
    ):
        with pytest.raises(duckdb.Error):
            write_file(project, query, file)
    assert file.read_text() == "as it was"
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_a_replication_into_a_file(project: Settings, tmp_path: Path) -> None:
    (tmp_path / "replications").mkdir()
    (tmp_path / "replications" / "people.yml").write_text("table: marts.people\nfile: out/deep/people.parquet\n")
    (declared,) = load_replications(project)
    assert replicate(project, declared, dry_run=True).inserted == 5000
    assert not (tmp_path / "out").exists()
    done = replicate(project, declared)
    assert (done.inserted, done.bytes) == (5000, (tmp_path / "out/deep/people.parquet").stat().st_size)

    (tmp_path / "replications" / "people.yml").write_text("query: select nope from marts.people\nfile: a.csv\n")
    (declared,) = load_replications(project)
    with pytest.raises(ReplicationRefused, match=r"people: its query cannot be run: Binder Error.*\nNext: correct"):
        replicate(project, declared)

    (tmp_path / "replications" / "people.yml").write_text(
        "table: marts.people\nfile: data/iterable.read.duckdb/a.csv\n"
    )
    (declared,) = load_replications(project)
    with pytest.raises(ReplicationRefused, match="cannot be written"):
        replicate(project, declared)
