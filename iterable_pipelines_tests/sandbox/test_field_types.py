"""The first value fixes a field's type, for users and per event name; there may not be too many (api.md 1.9)."""

import pytest

from iterable_pipelines_tests.sandbox.project import project

ANN, BO = {"email": "ann@example.com"}, {"email": "bo@example.com"}


@pytest.fixture
def running():
    with project() as found:
        found.bulk(ANN | {"dataFields": {"n": 1, "name": "Ann", "since": "2026-01-14 06:20:22 +00:00", "tags": ["a"]}})
        yield found


def wrong(answer):
    assert (answer.status_code, answer.json()["code"]) == (400, "RequestFieldsTypesMismatched")
    return answer.json()["params"]["validationErrors"]


def test_r8_all_mismatches_of_a_request_are_told_and_nothing_is_applied(running):
    users = [
        BO | {"dataFields": {"fresh": 1}},
        ANN | {"dataFields": {"n": "n/a", "since": "yesterday", "name": 7, "tags": [3], "home": {"zip": 1}}},
        BO | {"dataFields": {"fresh": "text", "home": {"zip": "1"}}},
    ]
    errors = wrong(running.post("users/bulkUpdate", users=users))
    paths = ("n", "since", "name", "tags", "fresh", "home.zip")
    assert set(errors) == {f"sandbox:::{path}" for path in paths}
    assert errors["sandbox:::n"] == {
        "incomingTypes": ["string", "keyword"],
        "expectedType": "long",
        "category": "user",
        "offendingValue": "n/a",
        "_type": "UnexpectedType",
    }
    assert running.user("bo@example.com") is None and "fresh" not in running.get("users/getFields").json()["fields"]


@pytest.mark.parametrize(
    ("name", "value"), [("n", 1.5), ("name", "2026-01-14"), ("since", 1793491200), ("since", "2026-01-14"), ("n", [2])]
)
def test_values_that_go_where_another_kind_is_stored(running, name, value):
    assert running.bulk(ANN | {"dataFields": {name: value}})["successCount"] == 1


def test_fields_of_events_are_typed_per_name(running):
    def track(name, **fields):
        return running.post("events/trackBulk", events=[ANN | {"eventName": name, "dataFields": fields}])

    assert track("one", n=1).status_code == track("two", n="text").status_code == 200
    errors = wrong(track("one", n="text"))
    assert errors["sandbox:::n"]["category"] == "customEvent"
    assert len(running.world.written_events("customEvent")) == 2


def test_r14_more_fields_than_the_budget_are_refused_whole():
    with project(most_fields=3) as running:
        assert running.bulk(ANN | {"dataFields": {"a": 1, "b": {"c": 1}}})["successCount"] == 1
        answer = running.post("users/bulkUpdate", users=[BO | {"dataFields": {"d": 1}}])
        assert (answer.status_code, answer.json()["code"]) == (400, "UniqueFieldsLimitExceeded")
        assert running.user("bo@example.com") is None
        assert running.bulk(BO | {"dataFields": {"a": 2, "d": 1}}, createNewFields=False)["successCount"] == 1
