"""Records become files of three kinds without anything lost, or none at all (faults.md H22 to H25; checklist K2)."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from iterable_pipelines.landing.cut import Unreadable
from iterable_pipelines.record_files import ENDINGS, column_names, write_records
from iterable_pipelines_tests.cli.tables import by_cells, expected, rows_of

# whatever may stand in a key or a value
ODD = [
    {"email": "ann@example.com", "Email": "OTHER", "a.b": 1, 'q"u': "x", "sl/as~h": [1, {"b": None}], "": "empty"},
    {"email": "c", "0": "zero", "it's": "'", "*": True, "$": False, "ü": "é\u2028", "nl": 'a\r\n"b",;', "s": ""},
    {"email": None, "big": 9007199254740993, "huge": 12345678901234567890123, "price": 19.5, "o": {"NaN": "x:NaN"}},
    {},
    {"nul": "\u0000", "deep": [[[[[[]]]]]], "sp ace": " x ", "email_2": "taken", "EMAIL": 3},
]


def part(folder: Path, records: list[Any] | bytes, name: str = "part") -> Path:
    path = folder / name
    lines = [json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records]
    path.write_bytes(b"".join(lines) if isinstance(records, list) else records)
    return path


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_every_key_and_value_arrives(ending: str, tmp_path: Path) -> None:
    to = tmp_path / f"o{ending}"
    written = write_records([part(tmp_path, ODD)], to, "createdAt")
    keys = {key for record in ODD for key in record}
    assert list(written.columns) == sorted(keys)
    names = written.columns
    odd = {key: name for key, name in names.items() if key != name}
    assert odd == {"": "_", "EMAIL": "EMAIL_3", "Email": "Email_4"}
    # CSV as Python reads it does not tell an empty text from none
    wanted = expected(ODD, names, ("",) if ending == ".csv" else ())
    assert sorted(rows_of(to), key=by_cells) == sorted(wanted, key=by_cells)
    assert (written.records, written.bytes) == (len(ODD), to.stat().st_size)


def test_csv_tells_an_empty_text_from_nothing(tmp_path: Path) -> None:
    to = tmp_path / "o.csv"
    write_records([part(tmp_path, [{"a": "", "b": 1}])], to, "createdAt")
    assert to.read_bytes() == b'a,b\n"",1\n'
    write_records([part(tmp_path, [{"a": None, "b": 1}])], to, "createdAt")
    assert to.read_bytes() == b"a,b\n,1\n"


def test_ndjson_is_what_came(tmp_path: Path) -> None:
    lines = b'\xef\xbb\xbf{"b": 1.10,  "a":"\\u00e9"}\r\n\n  \n{"n":1e400}'
    to = tmp_path / "o.ndjson"
    written = write_records([part(tmp_path, lines), part(tmp_path, b'{"c":1}\n', "second")], to, "createdAt")
    assert to.read_bytes() == b'{"b": 1.10,  "a":"\\u00e9"}\n{"n":1e400}\n{"c":1}\n'
    assert (written.records, written.columns) == (3, {})


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "line",
    [
        b"[1]",
        b'{"a":NaN}',
        b'{"a":1,}',
        b'{"a":1} {"b":2}',
        b'{"a":1',
        b'{"a":"\\ud83d"}',
        b'{"a":"\xff"}',
        b'"text"',
        b"null",
    ],
    ids=repr,
)
def test_a_line_that_is_no_object_is_named_by_its_place(line: bytes, ending: str, tmp_path: Path) -> None:
    to = tmp_path / f"o{ending}"
    with pytest.raises(Unreadable) as caught:
        write_records([part(tmp_path, b'{"a":1}\n' + line + b'\n{"a":1}\n')], to, "createdAt")
    assert caught.value.fault[:2] == (2, 8)
    assert not to.exists()


@pytest.mark.parametrize("lines", [b"", b"\n\n", b"{}\n{}\n"], ids=repr)
def test_without_any_key_there_is_nothing_in_a_table(lines: bytes, tmp_path: Path) -> None:
    written = write_records([part(tmp_path, lines)], tmp_path / "o.csv", "createdAt")
    assert (tmp_path / "o.csv").read_bytes() == b""
    assert (written.records, written.columns) == (lines.count(b"{}"), {})
    write_records([part(tmp_path, lines)], tmp_path / "o.parquet", "createdAt")
    with duckdb.connect() as con:
        found = con.execute("from read_parquet(?)", [str(tmp_path / "o.parquet")])
        assert [column[0] for column in found.description or []] == ["createdAt"]
        assert found.fetchall() == []


def test_no_part_is_no_record(tmp_path: Path) -> None:
    for ending in ENDINGS:
        assert write_records([], tmp_path / f"o{ending}", "createdAt").records == 0


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_many_columns_and_long_records_take_little_memory(ending: str, tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [{f"field{n}": "v" * 10 for n in range(at % 7, 1000, 7)} for at in range(5000)]
    records.append({"field0": "x" * 17_000_000})
    to = tmp_path / f"o{ending}"
    written = write_records([part(tmp_path, records)], to, "createdAt", "500MB")
    assert (written.records, len(written.columns)) == (5001, 1000)
    table = f"'{to}'" if ending == ".parquet" else f"read_csv('{to}', all_varchar = true, max_line_size = 20000000)"
    with duckdb.connect() as con:
        count = con.execute(f"select count(*), count(field3), max(length(field0)) from {table}").fetchone()
    assert count == (5001, sum("field3" in record for record in records), 17_000_000)


def test_quotes_in_the_path(tmp_path: Path) -> None:
    folder = tmp_path / "it's"
    folder.mkdir()
    for ending in ENDINGS:
        assert write_records([part(folder, [{"a": 1}])], folder / f'o"{ending}', "createdAt").records == 1


def test_of_keys_that_differ_by_case_the_most_frequent_keeps_its_name() -> None:
    assert column_names({"email": 9, "Email": 1, "x": 1}) == {"Email": "Email_2", "email": "email", "x": "x"}
    assert column_names({"Plan": 9, "plan": 1}) == {"Plan": "Plan", "plan": "plan_2"}
    assert column_names({"a": 1, "A": 2, "a_2": 1}) == {"A": "A", "a": "a_3", "a_2": "a_2"}
    assert column_names({"": 1, "_": 1}) == {"": "_", "_": "__2"}
