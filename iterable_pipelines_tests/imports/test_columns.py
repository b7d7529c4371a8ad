"""Names of columns, guesses of types, and what becomes of records that no guess foresaw."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from iterable_pipelines.api import Broken
from iterable_pipelines.hours import now
from iterable_pipelines.imports.columns import column_name
from iterable_pipelines.imports.staging import Staged, guess, stage
from iterable_pipelines.imports.values import strptime_format
from iterable_pipelines_tests.imports.conftest import Place

USERS = "data_type: export_data; export_data_type: user"


def part(folder: Path, *records: Any) -> Path:
    path = folder / "part.ndjson"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def content(staged: Staged) -> list[dict[str, Any]]:
    """The staged rows, without `time`."""
    with duckdb.connect() as con:
        rows = con.execute("select * exclude (time) from read_parquet(?)", [str(staged.path)])
        names = [column[0] for column in rows.description or []]
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("email", "email"),
        ("signupDate", "signup_date"),
        ("itblInternal.emailDomain", "itbl_internal.email_domain"),
        ("itblDS.brandAffinityLabel", "itbl_ds.brand_affinity_label"),
        ("unsubscribedMessageTypeIds", "unsubscribed_message_type_ids"),
        ("Total Email Opens (filtered)", "total_email_opens_filtered"),
        ("Purchases / M (Email)", "purchases_m_email"),
        ("URLPath2Page", "url_path2_page"),
        ("_id", "_id"),
        ("größeCm", "größe_cm"),
        ("", "_"),
        ("time", "time_"),
        ("_untyped", "_untyped_"),
    ],
)
def test_names_are_in_snake_case(field: str, name: str) -> None:
    assert column_name(field) == name


@pytest.mark.parametrize(
    ("values", "kind", "form"),
    [
        ([1, 2**53 + 1, None], "long", None),
        ([1, 2.5], "double", None),
        ([10**25], "double", None),
        ([True, False], "boolean", None),
        ([{"a": 1}], "json", None),
        ([[1], "x"], "json", None),
        (["1", "2"], "string", None),
        ([1, "x"], "string", None),
        ([True, 1], "string", None),
        ([None, None], "string", None),
        (["2026-11-01 00:00:00 +00:00", None], "timestamp", "yyyy-MM-dd HH:mm:ss xxx"),
        (["2026-11-01T00:00:00.000Z"], "timestamp", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"),
        (["2026-11-01"], "timestamp", "yyyy-MM-dd"),
        (["2026-11-01 00:00:00 +00:00", "2026-11-01T00:00:00Z"], "timestamp", None),
        (["2026-11-01", "2026-02-30 12:00:00"], "string", None),
        (["1793491200"], "string", None),
    ],
    ids=str,
)
def test_a_guess_by_the_values(tmp_path: Path, values: list[Any], kind: str, form: str | None) -> None:
    (column,) = guess([part(tmp_path, *({"v": value} for value in values))], tmp_path / "g.parquet", "500MB")
    assert (column.type, column.format) == (kind, form)


def test_fields_that_differ_by_case_are_columns_of_their_own(tmp_path: Path, place: Place) -> None:
    record = {"Plan": "a", "plan": "b", "PLAN": 7, "userId": 1}
    columns = guess([part(tmp_path, record)], tmp_path / "g.parquet", "500MB")
    assert [(each.name, each.field, each.type) for each in columns] == [
        ("plan", None, "string"),
        ("plan_2", "PLAN", "long"),
        ("plan_3", "Plan", "string"),
        ("user_id", None, "long"),
    ]
    made = place("it", USERS)
    made = made.model_copy(update={"source": made.source.model_copy(update={"columns": tuple(columns)})})
    staged = stage(made, [part(tmp_path, record)], tmp_path / "s.parquet", "500MB")
    assert content(staged) == [{"plan": "b", "plan_2": 7, "plan_3": "a", "user_id": 1, "_untyped": None}]


def test_a_second_field_of_one_name_is_kept(tmp_path: Path, place: Place) -> None:
    records = ({"Plan": "a", "plan": "b"}, {"Plan": "c"}, {"plan": "d"})
    staged = stage(place("it", USERS), [part(tmp_path, *records)], tmp_path / "s.parquet", "500MB")
    assert content(staged) == [
        {"plan": "b", "_untyped": '{"plan (Plan)":"a"}'},
        {"plan": "c", "_untyped": None},
        {"plan": "d", "_untyped": None},
    ]
    assert staged.untyped == {"plan (Plan)": 1}


def test_fields_with_every_kind_of_sign(tmp_path: Path, place: Place) -> None:
    record = {"a.b": 1, "a": {"b": 2}, 'quo"te': 3, "sla/sh~": 4, "it's": 5, "": 6, "time": 7, "$x": 8, "new\nline": 9}
    staged = stage(place("it", USERS), [part(tmp_path, record, {})], tmp_path / "s.parquet", "500MB")
    assert {name for name in staged.columns if name not in ("time", "_untyped")} == {
        *("a.b", "a", "quo_te", "sla_sh", "it_s", "_", "time_", "_x", "new_line")
    }
    found = content(staged)
    assert {name: value for name, value in found[0].items() if name != "_untyped"} == {
        "a.b": "1",
        "a": '{"b":2}',
        "quo_te": "3",
        "sla_sh": "4",
        "it_s": "5",
        "_": "6",
        "time_": "7",
        "_x": "8",
        "new_line": "9",
    }
    assert set(found[1].values()) == {None}


def test_a_second_json_of_one_name_is_kept_unless_it_is_null(tmp_path: Path, place: Place) -> None:
    made = place("it", f"{USERS}; columns:;- {{name: tags, type: json}}")
    records = ({"tags": [1], "Tags": None}, {"tags": None, "Tags": [2]}, {"tags": [3], "Tags": {"a": 4}})
    staged = stage(made, [part(tmp_path, *records)], tmp_path / "s.parquet", "500MB")
    assert content(staged) == [
        {"tags": "[1]", "_untyped": None},
        {"tags": "[2]", "_untyped": None},
        {"tags": "[3]", "_untyped": '{"tags (Tags)":"{\\"a\\":4}"}'},
    ]


def test_columns_may_be_called_like_anything(tmp_path: Path, place: Place) -> None:
    """Also like what stands in the statements that write them."""
    names = ["texts", "jsons", "each", "json", "lines", "c0", "c1", "t", "u", "k", "v", "now", "lambda"]
    record = {"email": "a@b", **{name: at for at, name in enumerate(names)}}
    staged = stage(place("it", USERS), [part(tmp_path, record)], tmp_path / "s.parquet", "500MB")
    texts = {name: str(at) for at, name in enumerate(names)}
    assert content(staged) == [{**{name: texts.get(name, "a@b") for name in sorted(record)}, "_untyped": None}]
    declared = "".join(f";- {{name: {name}, type: {'json' if name == 'u' else 'long'}}}" for name in names)
    made = place("it", f"{USERS}; columns:{declared}", "table: l; time_column: t")
    records = (record, dict.fromkeys(names, "x"))
    staged = stage(made, [part(tmp_path, *records)], tmp_path / "s.parquet", "500MB")
    assert list(staged.columns) == [*names, "time", "_untyped"]
    first, second = content(staged)
    wanted = {name: at for at, name in enumerate(names)}
    assert first == {**wanted, "u": str(wanted["u"]), "_untyped": None}
    assert json.loads(second.pop("_untyped")) == {name: "x" for name in names if name != "u"}
    assert second == {**dict.fromkeys(names), "u": '"x"'}


def test_a_number_that_is_no_time_is_stored_all_the_same(tmp_path: Path, place: Place) -> None:
    made = place("it", f"{USERS}; columns:;- {{name: n, type: long}}", "table: l; time_column: n")
    day = datetime(2026, 11, 1)
    known = {1_793_491_200: day, 1_793_491_200_000: day, -86_400: datetime(1969, 12, 31)}
    unknown = [2**63 - 1, -(2**63), 253_402_300_800_000, None]
    begun = now().replace(tzinfo=None, microsecond=0)
    staged = stage(made, [part(tmp_path, *({"n": n} for n in [*known, *unknown]))], tmp_path / "s.parquet", "500MB")
    with duckdb.connect() as con:
        times = dict(con.execute("select n, time from read_parquet(?)", [str(staged.path)]).fetchall())
    assert {n: times.pop(n) for n in known} == known
    # the others have the time of loading
    assert set(times) == set(unknown)
    assert begun <= min(times.values()) == max(times.values())


def test_half_a_surrogate_pair_holds_nothing_up(tmp_path: Path, place: Place) -> None:
    path = tmp_path / "part.ndjson"
    path.write_bytes(
        rb'{"a": "x\ud83dy", "b": "\uD83D\uDE00", "c": "\\ud83d"}' + b"\n" + b'{"a": "\xed\xa0\xbd", "b": "\\udE00"}\n'
    )
    staged = stage(place("it", USERS), [path], tmp_path / "s.parquet", "500MB")
    assert content(staged) == [
        {"a": "x\ufffdy", "b": "\U0001f600", "c": "\\ud83d", "_untyped": None},
        {"a": "\ufffd", "b": "\ufffd", "c": None, "_untyped": None},
    ]


def test_names_of_any_length(tmp_path: Path, place: Place) -> None:
    record = {"x" * 300: 1}
    (column,) = guess([part(tmp_path, record)], tmp_path / "g.parquet", "500MB")
    assert column.name == "x" * 300
    assert stage(place("it", USERS), [part(tmp_path, record)], tmp_path / "s.parquet", "500MB").columns["x" * 300]


def test_no_record_and_no_field(tmp_path: Path, place: Place) -> None:
    for records, count in (((), 0), (({}, {}), 2)):
        staged = stage(place("it", USERS), [part(tmp_path, *records)], tmp_path / "s.parquet", "500MB")
        assert (staged.rows, len(content(staged)), list(staged.columns)) == (count, count, ["time", "_untyped"])
    assert stage(place("it", USERS), [], tmp_path / "s.parquet", "500MB").rows == 0
    assert guess([part(tmp_path)], tmp_path / "g.parquet", "500MB") == []


def test_a_line_that_is_no_object_is_named_by_its_place(tmp_path: Path, place: Place) -> None:
    path = tmp_path / "part.ndjson"
    path.write_text('{"a": 1}\n{"a": NaN}\n')
    with pytest.raises(Broken, match="what Iterable sent cannot be read: line 2"):
        stage(place("it", USERS), [path], tmp_path / "s.parquet", "500MB")


def test_more_columns_than_the_memory_likes(tmp_path: Path, place: Place) -> None:
    records = [{f"field{n}": "v" * 20 for n in range(at % 3, 1500, 3)} for at in range(3000)]
    staged = stage(place("it", USERS), [part(tmp_path, *records)], tmp_path / "s.parquet", "500MB")
    assert (staged.rows, len(staged.columns)) == (3000, 1502)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("yyyy-MM-dd HH:mm:ss xxx", "%Y-%m-%d %H:%M:%S %z"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "%Y-%m-%dT%H:%M:%S.%gZ"),
        ("dd/MM/yyyy", "%d/%m/%Y"),
        ("%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M:%S %z"),
    ],
)
def test_formats_in_both_spellings(written: str, meant: str) -> None:
    assert strptime_format(written) == meant


@pytest.mark.parametrize("written", ["", "soon", "yyyy-MM-dd EEE", "%Y-%q", "%", "yyyy'"])
def test_formats_that_nothing_can_be_read_by(written: str) -> None:
    with pytest.raises(ValueError):
        strptime_format(written)
