"""Whatever a row holds, it becomes records that are JSON, or is refused: it never stops the others."""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iterable_pipelines.activation.compile.compiler import Compiler
from iterable_pipelines.activation.endpoints import ENDPOINTS
from iterable_pipelines.activation.project import ProjectType
from iterable_pipelines.activation.records import payload_hash, wire
from iterable_pipelines_tests.activation.compile.made import BY_USER_ID, compiler

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.decimals(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=3)
    | st.datetimes(timezones=st.none() | st.just(UTC))
    | st.dates()
    | st.sampled_from(["a@ex.com", "u1", "track", "Order Completed", "Cart Updated", "[{}]", '{"a": 1}', "ios", "1e3"])
    | st.just(timedelta(1))
    | st.just(time(1))
)
_NAMES = st.sampled_from(
    ["email", "userId", "id", "name", "price", "quantity", "products", "product_id", "total", "phone", "x_geo_location"]
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_NAMES | st.integers() | st.dates(), inner, max_size=4)
        | st.lists(st.tuples(_NAMES, inner), min_size=1, max_size=2)
    ),
    max_leaves=8,
)
# likely enough to be right that what is odd about a member is seen
_NUMBERS = st.integers(-(2**70), 2**70) | st.floats() | st.decimals() | st.sampled_from(["1.50", "9" * 30, ".5", "-1"])
_ITEM = st.fixed_dictionaries(
    {"id": st.just("1"), "name": st.just("A"), "price": _NUMBERS, "quantity": _NUMBERS}, optional={"x": _VALUES}
)
_ITEMS = st.lists(_ITEM, max_size=2)
_OBJECT = st.dictionaries(_NAMES, _VALUES, max_size=4)
_LIKELY = {
    "items": _ITEMS | _VALUES,
    "properties": st.fixed_dictionaries({"products": _ITEMS, "total": _NUMBERS}) | _OBJECT,
    "traits": _OBJECT,
    "context": st.fixed_dictionaries({"device": _OBJECT, "traits": _OBJECT, "os": st.just({"token": 1})}),
    "timestamp": st.datetimes(min_value=datetime(1990, 1, 1)) | _VALUES,
    "type": st.sampled_from(["identify", "track", "page", "screen", "alias", "group"]),
    "user_id": st.just("u1") | _SCALARS,
}


def every(project: ProjectType) -> list[Compiler]:
    """A compiler of each object, with as much said as there is to say."""
    history: dict[str, Any] = {**BY_USER_ID, "created_at": "a", "id": "b", "campaign_id": "c", "fields": "*"}
    return [
        compiler("user", "user_id a b c d", project, **BY_USER_ID, fields="*", new_email="d", on_long_value="truncate"),
        compiler("user", "user_id a b c", project, **BY_USER_ID, fields={"a": "phoneNumber", "b": "x.y_geo_location"}),
        compiler("trait", "user_id value", project, **BY_USER_ID, trait_name="T"),
        compiler("event", "user_id a b c d", project, **history, event_name="d"),
        compiler(
            "purchase", "user_id a b c d items revenue", project, **history, items="items", total_fallback="revenue"
        ),
        compiler(
            "cart", "user_id items a", project, **BY_USER_ID, items="items", created_at="a", split_categories_on=","
        ),
        compiler(
            "device",
            "user_id a b c d",
            project,
            **BY_USER_ID,
            token="a",
            platform="b",
            application_name="c",
            fields="*",
        ),
        compiler("subscription", "user_id a b", project, **BY_USER_ID, email_list_ids="a", campaign_id="b"),
        compiler("user_action", "user_id", project, **BY_USER_ID, action="forget", mode="insert"),
        compiler(
            "calls",
            "type user_id previous_id group_id event name traits properties context timestamp message_id",
            project,
            context_fields=["ip", "device"],
            purchase_updates_profile=True,
            segment_classic_compat=True,
            devices={"application_name": "a"},
            group={"field": "company"},
        ),
    ]


PROJECTS: tuple[ProjectType, ...] = ("email", "userid", "hybrid")
COMPILERS = [made for project in PROJECTS for made in every(project)]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(COMPILERS), st.data())
def test_any_row_is_sent_or_refused(made: Compiler, data: st.DataObject) -> None:
    assert made.columns is not None
    row = {column: data.draw(_LIKELY.get(column, _VALUES), column) for column in sorted(made.columns)}
    compiled = made.compile("1", row)
    errors = [each for each in compiled.issues if each.severity == "error"]
    assert bool(compiled.records) + bool(errors) + bool(compiled.skipped) == 1
    for record in compiled.records:
        assert json.loads(wire(record.payload), parse_constant=pytest.fail, parse_float=Decimal)
        assert len(payload_hash(record)) == 32 and record.endpoint in ENDPOINTS and record.identity is not None
    assert made.compile("1", row) == compiled


def test_deep_values_are_refused() -> None:
    made = compiler("user", "user_id a", **BY_USER_ID, fields="*")
    deep: Any = date(2026, 1, 1)
    for _ in range(3000):
        deep = [deep]
    (issue,) = made.compile("1", {"user_id": "u1", "a": deep}).issues
    assert issue.code == "unserializable_value"
