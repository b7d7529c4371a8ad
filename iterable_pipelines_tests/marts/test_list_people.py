"""Somebody of whom nothing but a list is known is a person, as long as they are on it."""

from iterable_pipelines.profiles import run_models
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.marts.conftest import rows


def test_people_known_from_a_list_alone_are_users_without_events(project: Settings, warehouse: Warehouse) -> None:
    with warehouse.transaction() as con:
        con.execute(
            "insert into objects.list_members values (3, 'on@x.example', '2026-11-01', null, 'getUsers', 1), "
            "(4, 'on@x.example', '2026-11-01', null, 'getUsers', 1), (3, 'u1', '2026-11-01', null, 'getUsers', 1), "
            "(3, 'off@x.example', '2026-11-01', '2026-11-02', 'getUsers', 1)"
        )
    run_models(project, warehouse)
    found = {row["unique_user_key"]: row for row in rows(warehouse, "iterable__users")}
    assert {key: (row["email"], row["email_list_ids"], row["count_lists"]) for key, row in found.items()} == {
        "on@x.example": ("on@x.example", "[3,4]", 2),
        "u1": (None, "[3]", 1),
    }
    for row in found.values():
        assert row["has_user_record"] is False
        assert {value for name, value in row.items() if name.startswith(("total_", "count_e", "purchase_"))} == {0}
