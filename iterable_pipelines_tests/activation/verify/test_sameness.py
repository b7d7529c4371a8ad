"""What is the same value, written in two ways; and what is not."""

from typing import Any

import pytest

from iterable_pipelines.activation.verify.sameness import differing, same_value


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (1, 1.0),
        (-0.0, 0),
        (0.1, 0.1),
        (9007199254740993, 9007199254740993),
        (None, None),
        ("2026-03-02 09:15:30 +00:00", "2026-03-02T09:15:30.000Z"),
        ("2026-03-02 09:15:30 +00:00", "2026-03-02 09:15:30 +0000"),
        ("2026-03-02 09:15:30 +00:00", "2026-03-02T10:15:30+01:00"),
        ("2026-03-02 09:15:30 +00:00", "2026-03-02T09:15:30.412105.000Z"),
        ("2026-03-02 09:15:30 +00:00", 1772442930),
        ("2026-03-02 09:15:30 +00:00", 1772442930000),
        ("2026-03-02", "2026-03-02 00:00:00 +00:00"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1, "b": None}, {"a": 1}),
        ({"a": {"b": [1, {"c": 2.0}]}}, {"a": {"b": [1.0, {"c": 2}]}}),
        (["x", "y"], ["x", "y"]),
    ],
)
def test_the_same(sent: Any, found: Any) -> None:
    assert same_value(sent, found)


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (1, True),
        (0, False),
        (1, "1"),
        (1, 2),
        (0, None),
        ("", None),
        (None, 0),
        (9007199254740993, 9007199254740992),
        ("Ana", "ana"),
        ("2026-03-02 09:15:30 +00:00", "2026-03-02 09:15:31 +00:00"),
        ("2026-03-02 09:15:30 +00:00", "2026-03-02 09:15:30 +01:00"),
        ("1234-12-00", "1234-12-01"),
        ("1772442930", 1772442930),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, [1]),
        ([1, 2], [2, 1]),
        ([1], [1, 1]),
    ],
)
def test_not_the_same(sent: Any, found: Any) -> None:
    assert not same_value(sent, found)


def test_v6_what_was_merged_into_an_object_leaves_the_rest_of_it_alone() -> None:
    sent, found = {"address": {"city": "Lyon"}}, {"address": {"city": "Lyon", "zip": "69001"}}
    assert differing(sent, found) == []
    assert differing(sent, found, whole=True) == ["address.zip"]


def test_names_of_what_differs_are_dotted() -> None:
    sent = {"name": "Ana", "address": {"city": "Lyon", "at": {"lat": 1}}, "gone": 3}
    found = {"name": "Ana", "address": {"city": "Paris", "at": {"lat": 2}}, "other": 1}
    assert differing(sent, found) == ["address.city", "address.at.lat", "gone"]
