"""Files of any kind: a person's rows go, others' that name her say `erased`, all else stays byte for byte (X16)."""

import gzip
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from iterable_pipelines.erasure import run
from iterable_pipelines.erasure.files import erase_from_file
from iterable_pipelines.erasure.named import Named
from iterable_pipelines.erasure.scan import scan
from iterable_pipelines.erasure.store import Erased
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.erasure.planted import ADA, ADA_ID, BOB, bury, naming, persons

HERS = {"email": ADA.upper(), "userId": ADA_ID, "v": 1}
HIS = {"email": BOB, "v": 2, "note": f"a friend of {ADA}."}
OTHER = {"email": "cy@example.com", "v": 3, "text": 'x\ny, "z"'}
LINES = [json.dumps(each) + "\n" for each in (HERS, HIS, OTHER)]
KEPT = [LINES[1].replace(ADA, "erased"), LINES[2]]
CSV = f'email,v,note\n{ADA},1,hers\n{BOB},2,"a friend\nof {ADA}"\ncy@example.com,3,"x, ""y"""\n'
CSV_KEPT = f'email,v,note\n{BOB},2,"a friend\nof erased"\ncy@example.com,3,"x, ""y"""\n'


def erase(path: Path, **identifiers: str) -> Erased | None:
    who = persons(path.parent / "who", **identifiers)
    return erase_from_file(path, who, Named.of(who), path.name, "512MB")


def zstd(text: str, path: Path) -> None:
    with pa.output_stream(str(path), compression="zstd") as to:
        to.write(text.encode())


def plain(text: str, path: Path) -> None:
    path.write_bytes(text.encode())


def gzipped(text: str, path: Path) -> None:
    path.write_bytes(gzip.compress(text.encode()))


def read_zstd(path: Path) -> bytes:
    return bytes(pa.input_stream(str(path), compression="zstd").read())


@pytest.mark.parametrize(
    ("name", "write", "read"),
    [
        ("a.ndjson", plain, Path.read_bytes),
        ("a.ndjson.gz", gzipped, lambda path: gzip.decompress(path.read_bytes())),
        ("a.ndjson.zst", zstd, read_zstd),
    ],
)
def test_x16_lines(
    tmp_path: Path, name: str, write: Callable[[str, Path], None], read: Callable[[Path], bytes]
) -> None:
    path = tmp_path / name
    write("".join(LINES), path)
    assert name in naming(tmp_path)
    done = erase(path)
    assert done and (done.rows, done.mentions) == (1, 1)
    assert read(path).decode() == "".join(KEPT)
    assert erase(path) is None
    assert naming(tmp_path) == {"who/persons.parquet"}


def test_x16_rows_of_a_csv_whose_cells_have_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(CSV)
    done = erase(path)
    assert done and (done.rows, done.mentions) == (1, 1)
    assert path.read_text() == CSV_KEPT


def test_a_short_user_id_counts_only_where_it_says_that_it_is_one(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    rows = [{"userId": "17", "v": 1}, {"userId": "18", "v": 17, "price": "17"}, {"friendUserId": 17, "v": "17"}]
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    erase(path, user_id="17")
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        rows[1],
        {"friendUserId": "erased", "v": "17"},
    ]


def test_an_address_that_only_ends_like_hers_is_somebody_elses(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text(f'{{"email": "not.{ADA}"}}\n{{"email": "{ADA}.br"}}\n')
    assert erase(path) is None


def test_x16_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    values = f"('{ADA}', 1, null, [1]), ('{BOB}', 2, 'of {ADA}', [2]), ('cy@example.com', 3, 'x', [3])"
    duckdb.execute(f"copy (select * from (values {values}) t (email, v, note, l)) to '{path}' (format parquet)")
    done = erase(path)
    assert done and (done.rows, done.mentions) == (1, 1)
    assert duckdb.execute(f"from '{path}' order by v").fetchall() == [
        (BOB, 2, "of erased", [2]),
        ("cy@example.com", 3, "x", [3]),
    ]


def test_x16_sqlite_keeps_nothing_in_free_pages_or_its_log(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("pragma journal_mode = wal")
        other.execute("create table t (email text, note text unique, raw blob)")
        other.executemany(
            "insert into t values (?, ?, ?)",
            [(ADA, "n1", b"x"), (BOB, f"of {ADA}", b"x"), ("cy@example.com", "n2", f"{ADA} ".encode() * 3000)],
        )
        # what was deleted long ago
        other.execute("insert into t select email, 'old' || rowid, raw from t")
        other.execute("delete from t where note like 'old%'")
        assert naming(tmp_path)
        done = erase(path)
        assert done and (done.rows, done.mentions) == (1, 2)
        # it is the same file to whoever has it open
        assert other.execute("select email, note from t order by note").fetchall() == [
            ("cy@example.com", "n2"),
            (BOB, "of erased"),
        ]
        assert naming(tmp_path) == {"who/persons.parquet"}


def test_x16_duckdb_keeps_nothing_in_its_blocks(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    with duckdb.connect(path) as con:
        con.execute("create schema s")
        con.execute("create table s.t (id bigint primary key, email text, note json, l text[])")
        con.execute("create view s.v as select id from s.t")
        con.execute("comment on table s.t is 'told'")
        con.execute(
            "insert into s.t select i, 'u' || i || '@example.com', '{\"a\": 1}', [] from range(5000) r (i) union all "
            f"values (-1, '{ADA}', null, []), (-2, '{BOB}', '{{\"of\": \"{ADA}\"}}', []), (-3, null, null, ['{ADA}'])"
        )
        before = con.execute("from s.t where id >= 0 order by id").fetchall()
    done = erase(path)
    assert done and (done.rows, done.mentions) == (2, 1)
    assert naming(tmp_path) == {"who/persons.parquet"}
    with duckdb.connect(path) as con:
        assert con.execute("from s.t where id >= 0 order by id").fetchall() == before
        assert con.execute("select id, note from s.t where id < 0").fetchall() == [(-2, '{"of": "erased"}')]
        assert con.execute("select count(*) from s.v").fetchone() == (5001,)
        assert con.execute("select comment from duckdb_tables()").fetchall() == [("told",)]
        with pytest.raises(duckdb.ConstraintException):
            con.execute("insert into s.t values (-2, null, null, null)")


def test_a_file_named_after_her_is_named_otherwise(project: Settings) -> None:
    folder = project.data_dir / "exports"
    folder.mkdir(parents=True)
    for name, text in ((f"{ADA}.csv", f"email,v\n{ADA},1\n"), ("erased.csv", f"email,v\n{BOB},2\n")):
        (folder / name).write_text(text)
    assert scan(project, [ADA]).found == [folder / f"{ADA}.csv"]
    bury(project)
    certificate = run.erase(project, print)
    assert certificate.complete and ADA not in str(certificate)
    assert {each.name: each.read_text() for each in folder.iterdir()} == {
        "1-erased.csv": "email,v\n",
        "erased.csv": f"email,v\n{BOB},2\n",
    }
    assert not scan(project, [ADA]).found
    # nothing but its name tells of her
    (folder / f"{ADA}.txt").write_text("a note")
    assert run.erase(project, print).complete
    assert sorted(each.name for each in folder.iterdir()) == ["1-erased.csv", "erased.csv", "erased.txt"]
