"""Faults about writes: what was answered is not what was applied (faults.md R2, R5, R17, R20; outbound R3, R12)."""

import pytest
import requests

from iterable_pipelines_tests.sandbox.project import failures, project

BULK = "/api/users/bulkUpdate"


@pytest.fixture
def empty():
    with project() as running:
        yield running


def people(count):
    return [{"email": f"p{nth}@example.com", "dataFields": {"n": nth}} for nth in range(count)]


def test_a_lost_answer_was_applied(empty):
    empty.sandbox.fault("lost_answer", BULK)
    with pytest.raises(requests.ConnectionError):
        empty.bulk(*people(2))
    assert empty.user("p1@example.com")["n"] == 1
    assert [each.fault for each in empty.sandbox.requests(BULK)] == ["lost_answer"]


def test_an_error_before_and_an_error_after_applying(empty):
    empty.sandbox.fault("status", BULK, status=500)
    empty.sandbox.fault("status_after", BULK, status=503)
    assert empty.post("users/bulkUpdate", users=people(1)).status_code == 500 and empty.user("p0@example.com") is None
    assert empty.post("users/bulkUpdate", users=people(1)).status_code == 503 and empty.user("p0@example.com")
    assert [each.status for each in empty.sandbox.requests(BULK)] == [500, 503]


def test_lies_are_seeded_noted_and_answered_as_if_applied(empty):
    empty.sandbox.fault("lie", BULK, times=None, share=0.3)
    answer = empty.bulk(*people(100))
    assert answer["successCount"] == 100 and not failures(answer)
    dropped = [each.name for each in empty.sandbox.dropped]
    assert 10 < len(dropped) < 60
    assert sorted(dropped) == sorted(each["email"] for each in people(100) if not empty.world.find_user(each["email"]))
    with project() as again:
        again.sandbox.fault("lie", BULK, times=None, share=0.3)
        again.bulk(*people(100))
        assert [each.name for each in again.sandbox.dropped] == dropped


def test_nothing_is_a_lie_about_rows_that_fail_or_change_nothing(empty):
    empty.bulk(*people(2))
    empty.sandbox.fault("lie", BULK, share=1)
    answer = empty.bulk({"email": "nonsense"}, people(2)[0], people(2)[1] | {"dataFields": {"n": 7}})
    assert failures(answer) == {"invalidEmails": ["nonsense"]} and answer["noOpEmails"] == ["p0@example.com"]
    assert [each.name for each in empty.sandbox.dropped] == ["p1@example.com"] and empty.user("p1@example.com")[
        "n"
    ] == 1


def test_lies_about_events_name_their_ids(empty):
    empty.bulk({"email": "a@example.com"})
    empty.sandbox.fault("lie", "/api/events/trackBulk", share=0.5)
    events = [{"email": "a@example.com", "eventName": "x", "id": f"e{nth}"} for nth in range(20)]
    assert empty.post("events/trackBulk", events=events).json()["successCount"] == 20
    kept = {each["id"] for each in empty.world.written_events("customEvent")}
    assert {each.id for each in empty.sandbox.dropped} == {each["id"] for each in events} - kept != set()


def test_a_share_of_all_requests_for_ever(empty):
    empty.sandbox.fault("429", BULK, times=None, probability=0.5, seed=3, retry_after=0)
    statuses = [empty.post("users/bulkUpdate", users=people(1)).status_code for _ in range(40)]
    assert set(statuses) == {200, 429} and 5 < statuses.count(429) < 35
    empty.sandbox.faults.clear()
    empty.sandbox.fault("429", BULK, times=None, probability=0.5, seed=3, retry_after=0)
    assert [empty.post("users/bulkUpdate", users=people(1)).status_code for _ in range(40)] == statuses


def test_a_slow_answer_comes_whole(empty):
    empty.sandbox.fault("slow", BULK, seconds=0.05)
    assert empty.bulk(*people(1))["successCount"] == 1


def test_a_count_of_failures_that_is_not_the_number_named(empty):
    rows = [{"email": "nonsense"}, *people(1)]
    for by in (1, -1):
        empty.sandbox.fault("fail_count", BULK, by=by)
        answer = empty.bulk(*rows)
        assert answer["failCount"] == 1 + by and failures(answer) == {"invalidEmails": ["nonsense"]}
    empty.sandbox.fault("fail_count", BULK)
    assert empty.post("users/bulkUpdate", users=7).json()["code"] == "BadJsonBody"
    empty.sandbox.fault("unnamed_failures", BULK)
    answer = empty.bulk(*rows)
    assert answer["failCount"] == 1 and not failures(answer) and answer["invalidEmails"] == []


def test_a_success_that_is_no_json_was_applied(empty):
    empty.sandbox.fault("not_json", BULK)
    answer = empty.post("users/bulkUpdate", users=people(1))
    assert answer.status_code == 200 and answer.text.startswith("<html>") and empty.user("p0@example.com")


def test_a_fault_matches_members_of_the_body(empty):
    empty.sandbox.fault("status", "/api/lists", match={"listId": "949811"}, status=500)
    assert empty.post("lists/subscribe", listId=949810, subscribers=[]).status_code == 200
    assert empty.post("lists/subscribe", listId=949811, subscribers=[]).status_code == 500
