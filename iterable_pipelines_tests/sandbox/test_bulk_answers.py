"""Failures and other news in every field of a bulk answer (api.md 6.1, 6.2; outbound 1.11)."""

import pytest

from iterable_pipelines_tests.sandbox.project import failures, project

ANN, BO = {"email": "ann@example.com"}, {"email": "bo@example.com"}


@pytest.fixture
def running():
    with project() as found:
        yield found


def test_r5_the_same_values_again_are_no_operation_and_move_nothing(running):
    rows = [ANN | {"dataFields": {"n": 1, "home": {"city": "Lyon"}}}, BO | {"dataFields": {"n": 2}}]
    assert running.bulk(*rows)["noOpEmails"] == []
    answer = running.bulk(rows[0], BO | {"dataFields": {"n": 3}})
    assert (answer["noOpEmails"], answer["successCount"]) == (["ann@example.com"], 2)
    assert running.bulk(ANN | {"dataFields": {"home": {"city": "Lyon"}}, "mergeNestedObjects": True})["noOpEmails"]


def test_r5_fields_are_created_or_filtered_out(running):
    answer = running.bulk(ANN | {"dataFields": {"n": 1, "home": {"city": "Lyon"}}})
    assert answer["createdFields"] == ["home", "home.city", "n"] and answer["filteredOutFields"] == []
    row = ANN | {"dataFields": {"n": 2, "m": 1, "home": {"city": "Rome", "zip": "1"}}}
    answer = running.bulk(row, createNewFields=False)
    assert answer["filteredOutFields"] == ["home.zip", "m"] and answer["createdFields"] == []
    after = running.user("ann@example.com")
    assert after["n"] == 2 and after["home"] == {"city": "Rome"} and "m" not in after
    assert {"home.city": "string", "n": "long"}.items() <= running.get("users/getFields").json()["fields"].items()


def test_a_project_may_be_set_not_to_create_fields():
    with project(create_new_fields=False) as running:
        assert running.bulk(ANN | {"dataFields": {"n": 1}})["filteredOutFields"] == ["n"]
        assert running.bulk(ANN | {"dataFields": {"n": 1}}, createNewFields=True)["createdFields"] == ["n"]


def test_values_that_nothing_can_store_are_invalid_data(running):
    geo = {"work_geo_location": {"lat": 1.5, "lon": 2}}
    rows = [
        ANN | {"dataFields": {"note": "x" * 32_001}},
        BO | {"dataFields": {"note": "x" * 32_000, **geo}},
        {"email": "c@example.com", "dataFields": {"tags": ["x" * 32_001]}},
        {"email": "d@example.com", "dataFields": {"home_geo_location": {"lat": 1, "lng": 2}}},
        {"email": "e@example.com", "dataFields": {"home_geo_location": "1,2"}},
    ]
    answer = running.bulk(*rows)
    assert failures(answer) == {
        "invalidDataEmails": ["ann@example.com", "c@example.com", "d@example.com", "e@example.com"]
    }
    assert running.user("bo@example.com")["work_geo_location"] == {"lat": 1.5, "lon": 2}
    assert running.post("users/update", **rows[0]).json()["code"] == "BadParams"


def test_null_clears_a_field(running):
    running.bulk(ANN | {"dataFields": {"n": 1, "m": 2}})
    assert running.bulk(ANN | {"dataFields": {"n": None}})["noOpEmails"] == []
    assert "n" not in running.user("ann@example.com") and "n" not in running.export("user")[0]
    assert running.bulk(ANN | {"dataFields": {"n": None}})["noOpEmails"] == ["ann@example.com"]


def test_r4_disallowed_events_are_named_in_bulk_and_a_200_alone():
    with project(disallowed_events=["secret"]) as running:
        running.bulk(ANN)
        events = [ANN | {"eventName": name} for name in ("secret", "fine", "secret")]
        answer = running.post("events/trackBulk", events=events).json()
        assert (answer["disallowedEventNames"], answer["successCount"], answer["failCount"]) == (["secret"], 1, 2)
        single = running.post("events/track", **events[0])
        assert single.status_code == 200 and "is disallowed from tracking" in single.json()["msg"]
        assert [each["eventName"] for each in running.world.written_events("customEvent")] == ["fine"]


def test_events_have_the_first_six_lists_only(running):
    rows = [{"email": "nonsense"}, {"userId": "nobody"}, {"email": "forgotten1@example.com"}]
    answer = running.post("events/trackBulk", events=[each | {"eventName": "x"} for each in rows]).json()
    assert failures(answer) == {
        "invalidEmails": ["nonsense"],
        "notFoundUserIds": ["nobody"],
        "forgottenEmails": ["forgotten1@example.com"],
    }
    assert len(answer["failedUpdates"]) == 6 and answer["failCount"] == 3 and answer["invalidEmails"] == ["nonsense"]


@pytest.mark.parametrize("reading", ["created", "not_found"])
def test_events_of_unknown_people_in_both_readings(reading):
    with project("hybrid", unknown_users=reading) as running:
        created = reading == "created"
        answer = running.post("events/trackBulk", events=[ANN | {"eventName": "x"}]).json()
        assert answer["successCount"] == created and bool(running.user("ann@example.com")) is created
        single = running.post("events/track", userId="u1", eventName="x")
        assert single.json()["code"] == ("Success" if created else "UnknownUserIdError")


def test_r16_single_calls_say_what_is_wrong_by_code():
    with project("hybrid") as running:
        running.bulk(ANN | {"userId": "u1"}, BO | {"userId": "u2"})
        for row, status, code in (
            ({"email": "nonsense"}, 400, "InvalidEmailAddressError"),
            ({"userId": "ü"}, 400, "InvalidUserIdError"),
            ({"email": "forgotten0@example.com"}, 409, "ForgottenUserError"),
            (ANN | {"userId": "u2"}, 409, "EmailAlreadyExists"),
        ):
            answer = running.post("users/update", **row)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
