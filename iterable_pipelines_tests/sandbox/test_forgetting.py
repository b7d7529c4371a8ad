"""Who is forgotten: hashes, what is left of them (nothing), rations of a day (api.md 2.1, 5.10, 6.1)."""

from datetime import timedelta

import pytest

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.sandbox import World
from iterable_pipelines.sandbox.limits import DAY, Limit, Limits
from iterable_pipelines.sandbox.world import utc
from iterable_pipelines.sandbox.written import FORGOTTEN_EMAILS, FORGOTTEN_USER_IDS, hashed
from iterable_pipelines_tests.sandbox.project import NOW, project

ANN = "ann@example.com"
ITEM = {"id": "A", "name": "B", "price": 2.5, "quantity": 2}
FEW = Limit("forget in a day", "POST", r"/api/users/forget", 2, DAY)
KINDS = {
    "email": ("users/forgotten", "hashedEmails", FORGOTTEN_EMAILS, {"email": " Ann@Example.com "}, ANN),
    "userid": ("users/forgottenUserIds", "hashedUserIds", FORGOTTEN_USER_IDS, {"userId": "U-1"}, "U-1"),
}


def traces(running, name):
    """Every data type whose export names the person."""
    return [kind for kind in DATA_TYPE if any(name in str(each).lower() for each in running.export(kind))]


@pytest.mark.parametrize("project_type", KINDS)
def test_hashes_come_and_go(project_type):
    path, key, before, who, name = KINDS[project_type]
    known = [hashed(each) for each in before]
    with project(project_type) as running:
        assert running.get(path).json() == {key: known}
        assert running.post("users/forget", **who).status_code == 200
        assert running.get(path).json() == {key: [*known, hashed(name)]}
        other = next(kind[0] for other, kind in KINDS.items() if other != project_type)
        assert running.get(other).status_code == 400
        running.post("users/unforget", **who)
        assert running.get(path).json() == {key: known}


def write_about(running, email):
    running.bulk({"email": email, "dataFields": {"n": 1}})
    list_id = running.post("lists", name="New").json()["listId"]
    running.post("lists/subscribe", listId=list_id, subscribers=[{"email": email}])
    running.post("events/track", email=email, eventName="x", id="e-1")
    running.post("commerce/trackPurchase", user={"email": email}, items=[ITEM], total=5, id="o-1")
    running.post("templates/email/upsert", clientTemplateId="c-1")
    (template,) = running.get("templates/getByClientTemplateId", clientTemplateId="c-1").json()["templates"]
    running.post("campaigns/create", name="Sale", templateId=template["templateId"], listIds=[list_id])
    return list_id


def test_nothing_is_left_of_a_forgotten_person():
    with project() as running:
        list_id = write_about(running, ANN)
        kinds = {"user", "emailSubscribe", "customEvent", "purchase", "emailSend"}
        assert set(traces(running, ANN)) == kinds
        assert len(running.get("users/getSentMessages", email=ANN).json()["messages"]) == 1
        running.post("users/forget", email=ANN)
        assert traces(running, ANN) == [] and running.user(ANN) is None
        assert running.get("users/getSentMessages", email=ANN).json() == {"messages": []}
        assert running.get(f"events/{ANN}").json() == {"events": []}
        assert running.get("export/userEvents", email=ANN, includeCustomEvents="true").text == ""
        assert running.get("lists/getUsers", listId=list_id).text == ""
        assert running.post("users/update", email=ANN).json()["code"] == "ForgottenUserError"
        assert running.post("events/track", email=ANN, eventName="x").json()["code"] == "ForgottenUserError"
        running.post("users/unforget", email=ANN)
        assert traces(running, ANN) == []
        running.bulk({"email": ANN})
        assert traces(running, ANN) == ["user"]


@pytest.mark.parametrize("there", [True, False])
def test_seeded_people_leave_no_trace_whether_they_are_still_there_or_not(there):
    world = World(users=60, start=NOW - timedelta(days=9), end=NOW, activity=0.3)
    begin, now = int(world.start.timestamp()), int(NOW.timestamp())
    people = [each for each in world.people.between(begin, now) if each.email and not each.next_email]
    person = next(each for each in people if (each.left > now) is there and each.joined < now - 86_400)
    with project(world=world) as running:
        assert "user" in traces(running, person.email)
        everything = {kind: len(running.export(kind)) for kind in DATA_TYPE}
        running.post("users/forget", email=person.email)
        assert traces(running, person.email) == []
        left = {kind: len(running.export(kind)) for kind in DATA_TYPE}
        assert left["user"] == everything["user"] - 1
        assert all(left[kind] <= everything[kind] for kind in DATA_TYPE)


def test_exports_may_go_on_showing_who_was_forgotten():
    with project(forgotten_linger=True) as running:
        write_about(running, ANN)
        running.post("users/forget", email=ANN)
        assert {"user", "customEvent", "emailSend"} <= set(traces(running, ANN))
        assert hashed(ANN) in running.get("users/forgotten").json()["hashedEmails"]
        assert running.post("users/update", email=ANN).status_code == 409


def test_a_thousand_may_be_forgotten_in_a_day_of_the_worlds_clock():
    clock = [utc("2026-11-02T23:00:00")]
    limits = Limits(pace=0.000001, now=lambda: clock[0])
    ask = ("key", "POST", "/api/users/forget")
    allowed = 0
    while allowed < 1000:
        allowed += limits.allow(*ask)
        assert limits.retry_after(*ask) is None or allowed == 1000
    assert not limits.allow(*ask) and limits.retry_after(*ask) == 3601
    assert limits.allow("key", "POST", "/api/users/unforget") and limits.allow("other", *ask[1:])
    clock[0] += timedelta(hours=1, seconds=1)
    while not limits.allow(*ask):
        assert limits.retry_after(*ask) is None


def test_the_ration_of_a_day_is_told_with_retry_after(monkeypatch):
    monkeypatch.setattr("iterable_pipelines.sandbox.limits.LIMITS", (FEW,))
    with project() as running:
        answers = [running.post("users/forget", email=f"p{nth}@example.com") for nth in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 429]
        assert answers[2].headers["retry-after"] == str(12 * 3600 + 1)
        running.world.stop_clock(NOW + timedelta(hours=12, seconds=1))
        assert running.post("users/forget", email="p9@example.com").status_code == 200
