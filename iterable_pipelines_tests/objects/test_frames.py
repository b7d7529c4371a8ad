"""DataFrames into the warehouse and back: by name, whole, or not at all."""

from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iterable_pipelines.api import Iterable
from iterable_pipelines.objects import OBJECT_TYPE
from iterable_pipelines.objects.frames import FrameRefused, read_frame, write_frame
from iterable_pipelines.objects.refresh import read_object
from iterable_pipelines.objects.store import store
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse

FRAME = pd.DataFrame(
    {
        "id": pd.array([9_007_199_254_740_993, None, -1], dtype="Int64"),
        "name": ["Größe ★", None, "a 'quoted' \"name\""],
        "share": [0.1, None, 2.5],
        "open": pd.array([True, None, False], dtype="boolean"),
        "at": [datetime(2026, 11, 1, 3, 4, 5, 678901), None, datetime(1970, 1, 1)],
        "nothing": [None, None, None],
        "odd name;": [1, 2, 3],
    }
)


def rows_of(frame: pd.DataFrame) -> list[tuple]:
    return [tuple(None if pd.isna(value) else value for value in row) for row in frame.itertuples(index=False)]


def test_a_frame_comes_back_as_it_went(warehouse: Warehouse) -> None:
    write_frame(warehouse, "own", "things", FRAME)
    found = read_frame(warehouse, "own", "things")
    assert list(found.columns) == list(FRAME.columns)
    assert rows_of(found) == rows_of(FRAME)


def test_columns_go_by_name_whatever_their_order(warehouse: Warehouse) -> None:
    write_frame(warehouse, "own", "pairs", pd.DataFrame({"a": [1], "b": [2]}))
    write_frame(warehouse, "own", "pairs", pd.DataFrame({"b": [20], "a": [10]}))
    assert warehouse.read("select a, b from own.pairs") == [(10, 20)]


_VALUES = {
    "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
    "share": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "text": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    "yes": st.none() | st.booleans(),
}
_DTYPES = {"whole": "Int64", "share": "Float64", "text": "string", "yes": "boolean"}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.fixed_dictionaries(_VALUES), max_size=5), order=st.permutations(list(_VALUES)))
def test_whatever_is_written_is_read_again(rows: list[dict], order: list[str], warehouse: Warehouse) -> None:
    frame = pd.DataFrame({name: pd.array([row[name] for row in rows], dtype=_DTYPES[name]) for name in order})
    write_frame(warehouse, "own", "drawn", frame)
    found = read_frame(warehouse, "own", "drawn")
    assert sorted(map(repr, rows_of(found[order]))) == sorted(map(repr, rows_of(frame)))
    with pytest.raises(FrameRefused):
        write_frame(warehouse, "own", "drawn", frame.drop(columns=order[0]))
    assert len(read_frame(warehouse, "own", "drawn")) == len(rows)


def test_an_empty_frame_empties_the_table(warehouse: Warehouse) -> None:
    write_frame(warehouse, "own", "pairs", pd.DataFrame({"a": [1], "b": ["x"]}))
    write_frame(warehouse, "own", "pairs", pd.DataFrame({"a": [], "b": []}))
    assert len(read_frame(warehouse, "own", "pairs")) == 0


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame({"a": [9]}), "lacks b"),
        (pd.DataFrame({"a": [9], "b": [9], "c": [9]}), "has c, which the table has not"),
        (pd.DataFrame({"a": [9], "B2": [9]}), "lacks b and has B2"),
        (pd.DataFrame([[9, 9, 9]], columns=["a", "b", "A"]), "two columns of one name"),
        (pd.DataFrame({"a": [9], "b": [9]}).set_index("a"), "reset_index"),
        (pd.DataFrame(), "no columns"),
        (pd.DataFrame({"a": [9, 9], "b": [9, "many"]}), "several types"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused_and_the_rows_stay(
    frame: pd.DataFrame, said: str, warehouse: Warehouse
) -> None:
    write_frame(warehouse, "own", "pairs", pd.DataFrame({"a": [1], "b": [2]}))
    with pytest.raises(FrameRefused, match=said):
        write_frame(warehouse, "own", "pairs", frame)
    assert warehouse.read("select a, b from own.pairs") == [(1, 2)]


def test_values_that_do_not_fit_leave_the_rows_of_before_and_are_not_shown(warehouse: Warehouse) -> None:
    write_frame(warehouse, "own", "pairs", pd.DataFrame({"a": [1], "b": [2]}))
    with pytest.raises(FrameRefused, match=r"1 of b \(BIGINT\)") as refused:
        write_frame(warehouse, "own", "pairs", pd.DataFrame({"a": [5, 6], "b": ["7", "somebody@example.com"]}))
    assert "somebody" not in str(refused.value)
    assert warehouse.read("select a, b from own.pairs") == [(1, 2)]
    write_frame(warehouse, "own", "pairs", pd.DataFrame({"a": [5, 6], "b": ["7", None]}))
    assert warehouse.read("select a, b from own.pairs order by a") == [(5, 7), (6, None)]


def test_a_table_that_is_not_there_is_told(warehouse: Warehouse) -> None:
    with pytest.raises(FrameRefused, match=r"own\.nothing is not there yet"):
        read_frame(warehouse, "own", "nothing")


def test_an_object_as_a_frame_is_stored_as_its_file_would_be(
    client: Iterable, warehouse: Warehouse, project: Settings
) -> None:
    kind = OBJECT_TYPE["message_types"]
    frame = read_object(client, warehouse, project, "message_types")
    stored = store(warehouse, kind, frame[frame.columns[::-1]], "run")
    assert stored.rows == stored.changed == len(frame) > 0
    assert store(warehouse, kind, frame, "run").changed == 0
    # what is not in the next frame is gone, but still there
    assert store(warehouse, kind, frame.iloc[1:], "run").gone == 1
    assert len(read_frame(warehouse, "objects", "message_types")) == len(frame)
    with pytest.raises(FrameRefused, match="lacks name"):
        store(warehouse, kind, frame.drop(columns="name"), "run")
    created = read_frame(warehouse, "objects", "message_types")["created_at"]
    assert created.min() > datetime(2020, 1, 1, tzinfo=UTC).replace(tzinfo=None)
