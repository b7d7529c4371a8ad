"""Events, purchases and carts as they show after they were written (api.md 6.2; outbound 1.4, 1.7)."""

import pytest

from iterable_pipelines_tests.sandbox.project import project

ANN, BO = {"email": "ann@example.com"}, {"email": "bo@example.com"}
ITEM = {"id": "A", "name": "B", "price": 2.5, "quantity": 2}
CREATED = 1793577600


@pytest.fixture
def running():
    with project("hybrid") as found:
        found.bulk(ANN, BO)
        yield found


def test_an_id_replaces_whatever_has_it_in_the_whole_project(running):
    first = {"eventName": "one", "id": "e1", "createdAt": CREATED, "dataFields": {"n": 1}}
    running.post("events/trackBulk", events=[ANN | first, ANN | first | {"id": "e2"}])
    running.post("events/track", **BO, eventName="two", id="e1", createdAt=CREATED)
    found = running.world.written_events("customEvent")
    assert [(each["id"], each["eventName"], each["email"]) for each in found] == [
        ("e1", "two", "bo@example.com"),
        ("e2", "one", "ann@example.com"),
    ]
    assert "n" not in found[0]


def test_events_without_an_id_are_added_each_time(running):
    answers = [running.post("events/track", **ANN, eventName="one").json()["params"]["id"] for _ in range(2)]
    assert len(set(answers)) == 2 == len(running.world.written_events("customEvent"))


def test_events_are_read_back_newest_first_however_old(running):
    moments = [CREATED, CREATED + 1, CREATED - 400 * 86_400]
    events = [
        {"userId": "u1", "eventName": f"n{nth}", "createdAt": at * 1000, "dataFields": {"deep": {"a": nth}}}
        for nth, at in enumerate(moments)
    ]
    running.bulk({"userId": "u1"})
    running.post("events/trackBulk", events=events)
    found = running.get("events/byUserId/u1").json()["events"]
    assert [each["eventName"] for each in found] == ["n1", "n0", "n2"] and found[2]["dataFields"]["deep"] == {"a": 2}
    assert len(running.get("events/byUserId/u1", limit=2).json()["events"]) == 2
    assert {each["createdAt"][:10] for each in running.export("customEvent")} == {"2026-11-02", "2025-09-28"}


@pytest.mark.parametrize("shown", [True, False])
def test_the_id_of_an_event_is_shown_or_not(shown):
    with project(event_ids=shown) as running:
        running.post("events/track", **ANN, eventName="x", id="e1")
        assert [each.get("_id") for each in running.export("customEvent")] == ["e1" if shown else None]
        assert running.world.written_events("customEvent")[0]["id"] == "e1"


def test_a_cart_is_replaced_and_a_purchase_empties_it(running):
    user = {"userId": "u1", "dataFields": {"tier": "gold"}}
    for items in ([ITEM, ITEM | {"id": "B"}], [ITEM]):
        assert running.post("commerce/updateCart", user=user, items=items).json()["code"] == "Success"
    assert running.user("u1")["shoppingCartItems"] == [ITEM] and running.user("u1")["tier"] == "gold"
    purchase = {"user": {"userId": "u1"}, "items": [ITEM], "total": 5, "id": "order-1", "createdAt": CREATED}
    running.post("commerce/trackPurchase", **purchase, dataFields={"currency": "EUR"})
    assert running.user("u1")["shoppingCartItems"] == []
    running.post("commerce/trackPurchase", **purchase | {"total": 6})
    (found,) = running.export("purchase")
    assert (found["_id"], found["total"], found["userId"], found["shoppingCartItems"]) == ("order-1", 6, "u1", [ITEM])
    assert running.world.written_events("purchase") == [{"id": "order-1"} | found]


def test_a_purchase_of_somebody_who_cannot_be_written_is_none(running):
    answer = running.post("commerce/trackPurchase", user={"email": "nonsense"}, items=[ITEM], total=5)
    assert answer.json()["code"] == "InvalidEmailAddressError" and running.world.written_events("purchase") == []


def test_a_purchase_follows_the_delay_of_single_calls():
    with project(settle_seconds={"single": 60}) as running:
        running.post("commerce/trackPurchase", user=ANN, items=[ITEM], total=5, id="order-1")
        assert running.export("purchase") == [] and running.user("ann@example.com") is None
        running.world.settle(everything=True)
        assert len(running.export("purchase")) == 1 and running.user("ann@example.com")["shoppingCartItems"] == []
