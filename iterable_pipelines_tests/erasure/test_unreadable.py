"""Files that cannot be read, are on their way, or are of too many people: everything else is erased all the same."""

import gzip
import zlib
from pathlib import Path

import duckdb
import pytest

from iterable_pipelines.erasure import persons
from iterable_pipelines.erasure.run import erase
from iterable_pipelines.settings import Settings
from iterable_pipelines.sqlite_file import sqlite_file
from iterable_pipelines_tests.erasure.planted import ADA, BOB, bury, naming


@pytest.mark.parametrize("name", ["cut.csv.gz", "cut.parquet", "cut.sqlite", "cut.duckdb"])
def test_a_file_that_is_cut_stays_open_and_the_others_are_erased(project: Settings, name: str) -> None:
    folder = project.data_dir / "exports"
    folder.mkdir(parents=True)
    (folder / "b.csv").write_text(f"email,v\n{ADA},1\n{BOB},2\n")
    whole = {
        "cut.csv.gz": gzip.compress(b"email,v\nbob@example.com,1\n" * 100),
        "cut.parquet": b"PAR1" + b"\x15" * 100,
        "cut.sqlite": b"SQLite format 3\x00" + b"\x10" * 200,
        "cut.duckdb": b"\x00" * 8 + b"DUCK" + b"\x40" * 300,
    }[name]
    (folder / name).write_bytes(whole[: len(whole) * 2 // 3])
    bury(project, ADA)
    certificate = erase(project, print)
    assert (folder / "b.csv").read_text() == f"email,v\n{BOB},2\n"
    assert set(certificate.open) == {"other files"}
    assert name in certificate.open["other files"]
    assert "Next" in certificate.open["other files"]


def test_many_people_are_erased_in_portions(project: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persons, "_AT_ONCE", 3)
    them = [f"somebody.{number}@example.com" for number in range(10)]
    file = project.data_dir / "exports" / "all.csv"
    file.parent.mkdir(parents=True)
    file.write_text("email,v\n" + "".join(f"{each},1\n" for each in [*them, BOB]))
    bury(project, *them)
    certificate = erase(project, print)
    assert (certificate.complete, certificate.persons, certificate.rows) == (True, len(them), len(them))
    assert file.read_text() == f"email,v\n{BOB},1\n"


def test_a_portion_is_no_more_than_the_engine_takes(tmp_path: Path) -> None:
    them = [f"somebody.with.quite.a.long.name+{number}@a-rather-long-name.example.com" for number in range(30_000)]
    file = tmp_path / "persons.parquet"
    select = "select 'email' as kind, unnest($1::varchar[]) as identifier, 'h' as hash"
    duckdb.execute(f"copy ({select}) to '{file}' (format parquet)", [them])
    portions = list(persons.Persons(file, len(them)).portions(tmp_path))
    assert sorted(each for some in portions for each in some.plain()) == sorted(them)
    with duckdb.connect() as con:
        portions[-1].into(con)
        last = portions[-1].plain()[0]
        assert con.execute("select without_persons($1)", [f"to {last}, you"]).fetchall() == [("to erased, you",)]


def test_bytes_that_are_no_text_are_nobodys_name(project: Settings) -> None:
    # as Dagster packs its snapshots
    file = project.data_dir / "dagster" / "runs.db"
    file.parent.mkdir(parents=True)
    packed = b"\x78\x9c\xff\xfe a\xbc\xee@\xdc.example " + zlib.compress(b"snapshot" * 100)
    with sqlite_file(file) as con:
        con.execute("create table snapshots (id text, body blob)")
        con.executemany("insert into snapshots values (?, ?)", [("a", packed), ("b", ADA.encode())])
    bury(project, ADA)
    assert erase(project, print).complete
    assert naming(project.data_dir) == set()
    with sqlite_file(file) as con:
        assert con.execute("select body from snapshots order by id").fetchall() == [(packed,), (b"erased",)]
