"""Answers come at once, effects later: two queues, each in order (api.md 6.1; outbound B7)."""

from datetime import timedelta

import pytest

from iterable_pipelines.sandbox.rules import Rules
from iterable_pipelines_tests.sandbox.project import NOW, failures, project

ANN = {"email": "ann@example.com"}


def after(running, seconds):
    running.world.stop_clock(NOW + timedelta(seconds=seconds))


def test_a_bulk_write_shows_when_its_delay_is_over():
    with project(settle_seconds=60) as running:
        assert running.bulk(ANN | {"dataFields": {"n": 1}})["successCount"] == 1
        assert running.user("ann@example.com") is None and running.export("user") == []
        after(running, 59)
        assert running.world.find_user("ann@example.com") is None
        after(running, 61)
        assert running.user("ann@example.com")["n"] == 1 and len(running.export("user")) == 1


def test_each_pipeline_keeps_its_order_and_has_its_own_delay():
    with project(settle_seconds={"bulk": 60, "single": 5}) as running:
        running.bulk(ANN | {"dataFields": {"n": 1}})
        running.bulk(ANN | {"dataFields": {"n": 2}})
        running.post("users/update", **ANN, dataFields={"n": 3})
        seen = []
        for seconds in (6, 61):
            after(running, seconds)
            seen.append(running.user("ann@example.com")["n"])
        assert seen == [3, 2]  # the single call overtook the bulk calls


def test_what_is_due_together_happens_in_the_order_it_fell_due():
    with project(settle_seconds=60) as running:
        running.bulk(ANN | {"dataFields": {"n": 1}})
        after(running, 1)
        running.post("users/update", **ANN, dataFields={"n": 2})
        after(running, 100)
        assert running.user("ann@example.com")["n"] == 2


def test_what_changes_nothing_now_may_undo_what_is_still_to_come():
    with project() as running:
        running.bulk(ANN | {"dataFields": {"n": 1}})
        running.world.play_by(Rules(settle_seconds=60))
        running.bulk(ANN | {"dataFields": {"n": 2}})
        assert running.bulk(ANN | {"dataFields": {"n": 1}})["noOpEmails"] == ["ann@example.com"]
        running.world.settle(everything=True)
        assert running.user("ann@example.com")["n"] == 1


def test_an_event_of_somebody_who_has_not_settled_is_not_found():
    with project(settle_seconds=60) as running:
        running.bulk(ANN)
        event = ANN | {"eventName": "x", "id": "e1"}
        assert failures(running.post("events/trackBulk", events=[event]).json()) == {
            "notFoundEmails": ["ann@example.com"]
        }
        after(running, 61)
        assert running.post("events/trackBulk", events=[event]).json()["successCount"] == 1
        assert running.world.written_events("customEvent") == []
        running.world.settle(everything=True)
        assert [each["id"] for each in running.world.written_events("customEvent")] == ["e1"]


def test_what_became_impossible_meanwhile_is_left_out_in_silence():
    with project("hybrid", settle_seconds={"bulk": 60}) as running:
        taken = {"dataFields": {"email": "one@example.com"}}
        assert running.bulk({"userId": "a"} | taken, {"userId": "b"} | taken)["successCount"] == 2
        running.world.settle(everything=True)
        assert running.user("a")["email"] == "one@example.com" and running.user("b") is None


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"settle_seconds": {"bulky": 1}}, "bulk, single"),
        ({"unknown_users": "maybe"}, "created, not_found"),
        ({"missing_user": "404"}, "empty, 400, 500"),
    ],
)
def test_wrong_rules_are_refused_with_what_is_allowed(rules, words):
    with pytest.raises(ValueError, match=words), project(**rules):
        pass
