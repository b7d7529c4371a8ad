"""Every type of DuckDB's, through the snapshot and the compiler, to the bytes that would be sent (V1–V4)."""

import json
from collections.abc import Callable
from typing import Any

from iterable_pipelines_tests.activation.plan.conftest import Planning

USER = "object: user\nsource: m.t\nprimary_key: id\nmatch: {column: email, field: email}\nfields: '*'\n"

SENT: dict[str, Any] = {
    "true": True,
    "(-5)::tinyint": -5,
    "65535::usmallint": 65535,
    "9223372036854775807": 9223372036854775807,
    "170::hugeint": 170,
    "9223372036854775807::hugeint": 9223372036854775807,
    "170::uhugeint": 170,
    "170::bignum": 170,
    "1.5::float": 1.5,
    "0.1::double": 0.1,
    "1.10::decimal(10, 2)": 1.1,
    "12345678901234567890.125::decimal(30, 3)": 12345678901234567890.125,
    "'Zoë'": "Zoë",
    "uuid '00000000-0000-0000-0000-00000000002a'": "00000000-0000-0000-0000-00000000002a",
    "'a'::enum('a', 'HUGEINT')": "a",
    "'101'::bit": "101",
    "date '1990-05-01'": "1990-05-01",
    "timestamp '2026-03-02 09:15:30.9'": "2026-03-02 09:15:30 +00:00",
    "timestamp_s '2026-03-02 09:15:30'": "2026-03-02 09:15:30 +00:00",
    "timestamp_ms '2026-03-02 09:15:30.9'": "2026-03-02 09:15:30 +00:00",
    "timestamp_ns '2026-03-02 09:15:30.123456789'": "2026-03-02 09:15:30 +00:00",
    "timestamptz '2026-03-02 09:15:30+02'": "2026-03-02 07:15:30 +00:00",
    """'{"a": [1, 2.50, null], "b": {}}'::json""": {"a": [1, 2.5, None], "b": {}},
    """'"2"'::json""": "2",
    "[1, null, 3]": [1, None, 3],
    "[1, 2]::integer[2]": [1, 2],
    "[[1], [2, 3]]": [[1], [2, 3]],
    "[170::hugeint]": [170],
    "{'city': 'Lyon', 'at': timestamptz '2026-03-02 00:00:00+00', 'n': 5::hugeint}": {
        "city": "Lyon",
        "at": "2026-03-02 00:00:00 +00:00",
        "n": 5,
    },
    """['{"a": 1}'::json]""": [{"a": 1}],
    "{'a b\"': map {'k': [1]}}": {'a b"': {"k": [1]}},
    "map {'k': 1, 'l': null}": {"k": 1, "l": None},
    "map {7: date '2026-01-01'}": {"7": "2026-01-01"},
    "map {'k': 5::hugeint}": {"k": 5},
    "row(1, 'x')": [1, "x"],
    "union_value(num := 2)": {"num": 2},
    "42::variant": 42,
    "null": None,
    "null::integer[]": None,
    "null::struct(a hugeint)": None,
}
REFUSED = [
    "170141183460469231731687303715884105727::hugeint",
    "123456789012345678901234567890123456789012345::bignum",
    "18446744073709551615::ubigint",
    "'nan'::double",
    "'-infinity'::float",
    "time '10:00'",
    "timetz '10:00:00+02'",
    "interval 3 days",
    "'ab'::blob",
    "date '20000-01-01'",
    "'infinity'::timestamp",
    "'infinity'::date",
    "[interval 1 day]",
    "{'t': time '10:00', 'x': 1}",
    "['infinity'::timestamp]",
]


def test_values_that_json_knows_arrive_as_they_are(planning: Callable[..., Planning]) -> None:
    here = planning()
    columns = ", ".join(f"{sql} as v{place}" for place, sql in enumerate(SENT))
    here.table("m.t", f"select 1 as id, 'a@ex.com' as email, {columns}")
    ran = here.run(here.sync("people", USER))
    assert ran.plan.invalid == {}
    found = json.loads(ran.changes[0]["payload"])["dataFields"]
    for place, (sql, expected) in enumerate(SENT.items()):
        value = found[f"v{place}"]
        assert value == expected and type(value) is type(expected), sql


def test_v3_v4_values_that_json_does_not_know_are_refused_by_row(planning: Callable[..., Planning]) -> None:
    here = planning()
    rows = [
        f"select '{place}' as id, 'a{place}@ex.com' as email, {sql} as v{place}" for place, sql in enumerate(REFUSED)
    ]
    here.table("m.t", " union all by name ".join([*rows, "select 'good' as id, 'good@ex.com' as email"]))
    sync = here.sync("people", USER)
    ran = here.run(sync)
    # the other row of the same columns is sent
    assert ran.ops == {"good": "add"}
    issues = {pk: (code, path) for pk, code, path in here.state(sync, "select pk, code, path from state.issues")}
    for place, sql in enumerate(REFUSED):
        code, path = issues[str(place)]
        assert code == "unserializable_value" and path.startswith(f"v{place}"), sql


def test_numbers_of_an_exact_type_are_sent_digit_by_digit(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", "select 1 as id, 'a@ex.com' as email, 1234567890123456789.000000001::decimal(38, 9) as v")
    (change,) = here.run(here.sync("people", USER)).changes
    assert '"v":1234567890123456789.000000001' in change["payload"]
