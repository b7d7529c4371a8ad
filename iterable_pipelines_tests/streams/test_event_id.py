"""The id of an event: the same for the same event however it is written, another for another event."""

import json
import random

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from iterable_pipelines.streams.event_id import ways_to_tell_ids


def ids(records: list[str]) -> list[str]:
    with duckdb.connect() as con:
        con.execute("create temp table source (place int, data_type varchar, record varchar)")
        con.executemany("insert into source values (?, 'emailOpen', ?)", list(enumerate(records)))
        found: list[tuple[int, str]] = []
        for way in ways_to_tell_ids(con, "source"):
            paths = ", ".join("'" + path.replace("'", "''") + "'" for path in way.paths)
            texts = f"json_extract_string(record, [{paths}])" if paths else "null"
            digest = way.digest(lambda n: f"texts[{n + 1}]")
            found += con.execute(
                f"select place, {digest} from (select *, {texts} as texts from source where {way.condition})"
            ).fetchall()
    return [digest for _, digest in sorted(found)]


def one_id(record: dict, beside: dict | None = None) -> str:
    return ids([json.dumps(record, ensure_ascii=False), *([json.dumps(beside)] if beside else [])])[0]


def test_key_order_nulls_and_iterables_own_stamps_do_not_matter() -> None:
    first = {"a": 1, "email": "x@y.z", "itblInternal": {"documentUpdatedAt": "1"}, "ip": None}
    second = {"email": "x@y.z", "a": 1, "itblInternal": {"documentUpdatedAt": "2"}}
    assert len(set(ids([json.dumps(first), json.dumps(second), json.dumps(second, separators=(",", ":"))]))) == 1


def test_nested_objects_are_canonical_too() -> None:
    first = {"device": {"id": 1, "os": {"name": "x", "v": None}}, "items": [{"b": 1, "a": 2}, 3]}
    second = {"items": [{"a": 2, "b": 1}, 3], "device": {"os": {"name": "x"}, "id": 1}}
    assert one_id(first) == one_id(second)


def test_a_record_has_the_same_id_in_whatever_company() -> None:
    flat = {"a": 1, "b": "two"}
    many = {f"key {n}": n for n in range(1000)}
    assert len({one_id(flat), one_id(flat, {"x": {"y": 1}}), one_id(flat, {"z": 1}), one_id(flat, many)}) == 1


def test_different_events_have_different_ids() -> None:
    records = [{"a": 1}, {"a": 2}, {"b": 1}, {"a": 1, "b": 1}, {"a": "x"}, {"a": [1]}, {"a": {"b": 1}}, {"a": {"c": 1}}]
    found = ids([json.dumps(record) for record in records])
    assert len(set(found)) == len(records)


def test_awkward_keys_are_no_obstacle() -> None:
    awkward = {
        "": 1,
        "a.b": 2,
        'q"uote': 3,
        "sl/ash": 4,
        "til~de": 5,
        "it's": 6,
        "Plan": 7,
        "plan": 8,
        "{": 9,
        "é😀": 10,
    }
    changed = [dict(awkward, **{key: "other"}) for key in awkward]
    found = ids([json.dumps(record, ensure_ascii=False) for record in [awkward, *changed]])
    assert len(set(found)) == len(awkward) + 1


def test_a_key_that_stands_twice_is_no_error() -> None:
    assert len(ids(['{"a":1,"a":2}', '{"a":1,"a":2,"n":{"x":1}}'])) == 2


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=4), v, max_size=3),
    max_leaves=5,
)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text(max_size=6), values, min_size=1, max_size=6), st.randoms())
def test_any_record_keeps_its_id_when_its_keys_are_shuffled(record: dict, chance: random.Random) -> None:
    keys = list(record)
    chance.shuffle(keys)
    # a lone surrogate is not JSON to DuckDB, and never gets past the cut
    texts = [json.dumps(each) for each in (record, {key: record[key] for key in keys})]
    assert len(set(ids(texts))) == 1
