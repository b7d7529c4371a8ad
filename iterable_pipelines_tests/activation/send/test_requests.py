"""How records are cut into requests: X42 to X44, B1 to B5, I9."""

import json
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from iterable_pipelines.activation.endpoints import ENDPOINTS, MOST_BYTES
from iterable_pipelines.activation.requests import Change, Packer, Request
from iterable_pipelines_tests.activation.send.conftest import EVENTS, Sending, event, user

Make = Callable[..., Sending]


def change(number: int, who: str | None, endpoint: str = "users", flags: str = "{}", payload: str = "") -> Change:
    """A record of somebody."""
    text = payload or json.dumps({"email": who, "n": number})
    return Change(number, str(number), "", ENDPOINTS[endpoint], flags, "email" if who else None, who, text)


def all_of(packer: Packer) -> list[Request]:
    """Everything that may go, with each request answered before the next."""
    requests = []
    while request := packer.next(flush=True):
        requests.append(request)
        packer.settled(request.changes)
    return requests


def test_x42_requests_keep_under_four_million_bytes(sending: Make) -> None:
    """X42, B1."""
    project = sending()
    project.patient(at_once_bulk=1)
    project.write_down("users", [user(f"p{nth}@ex.com", note="x" * 1_900_000) for nth in range(3)])
    project.send()
    assert [len(each["users"]) for each in project.sent()] == [2, 1]


def test_b1_the_bytes_of_the_whole_body_count_to_the_last() -> None:
    envelope = len('{"users":[]}')
    for spare, sizes in ((0, [2]), (-1, [1, 1])):
        packer = Packer()
        # two records and a comma between them
        first = (MOST_BYTES - envelope - 1) // 2
        second = MOST_BYTES - envelope - 1 - first - spare
        packer.add(
            change(nth, f"p{nth}", payload=f'"{"é" * ((size - 2) // 2)}{"x" * (size % 2)}"')
            for nth, size in enumerate((first, second))
        )
        requests = all_of(packer)
        assert [len(each.changes) for each in requests] == sizes
        assert all(len(each.body) <= MOST_BYTES for each in requests)


def test_b2_a_record_that_is_too_large_alone_is_refused_and_nothing_is_sent_for_it(sending: Make) -> None:
    project = sending()
    project.write_down("users", [user("a@ex.com", note="x" * MOST_BYTES), user("b@ex.com")])
    project.send()
    assert project.outcomes() == {"1": ("invalid", "record_too_large"), "2": ("acked", "")}
    assert project.sent() == [{"users": [user("b@ex.com")]}]


def test_x43_requests_have_a_thousand_records_at_most(sending: Make) -> None:
    """X43, B1."""
    project = sending()
    project.patient(at_once_bulk=1)
    project.write_down("users", [user(f"p{nth}@ex.com") for nth in range(2_001)])
    project.send()
    assert [len(each["users"]) for each in project.sent()] == [1000, 1000, 1]


def test_x44_nobody_is_twice_in_a_request(sending: Make) -> None:
    """X44, I9: the later record goes later, in source order."""
    project = sending()
    project.write_down("users", [user("a@ex.com", n=1), user("A@EX.com", n=2), user("b@ex.com", n=3)])
    project.send()
    assert [[each["dataFields"]["n"] for each in sent["users"]] for sent in project.sent()] == [[1, 3], [2]]


def test_i9_events_may_repeat_whom_they_are_of(sending: Make) -> None:
    project = sending(EVENTS)
    project.write_down("events", [event("u1", "Ping", nth) for nth in range(3)])
    project.send()
    assert len(project.sent()) == 1


def test_b3_records_with_different_flags_never_share_a_request(sending: Make) -> None:
    project = sending()
    project.write_down("users", [user("a@ex.com")], '{"createNewFields":false}')
    project.write_down("users", [user("b@ex.com")])
    project.write_down("users", [user("c@ex.com")], '{"createNewFields":false}')
    project.send()
    assert sorted(project.sent(), key=len) == [
        {"users": [user("b@ex.com")]},
        {"users": [user("a@ex.com"), user("c@ex.com")], "createNewFields": False},
    ]


def test_b5_who_joins_goes_before_who_leaves(sending: Make) -> None:
    project = sending()
    project.write_down("unsubscribe", [{"email": "a@ex.com"}], '{"listId":7}')
    project.write_down("subscribe", [{"email": "b@ex.com"}], '{"listId":7}')
    project.send()
    assert [each.path for each in project.sandbox.requests("/api/lists/")] == [
        "/api/lists/subscribe",
        "/api/lists/unsubscribe",
    ]


def test_c9_orders_and_carts_of_one_user_go_one_at_a_time_in_order(sending: Make) -> None:
    project = sending(EVENTS)
    items = [{"id": "1", "name": "Mug", "price": 1, "quantity": 1}]
    calls = [
        ("cart", {"user": {"userId": "u1"}, "items": items}),
        ("purchase", _order("u1", 1)),
        ("cart", {"user": {"userId": "u1"}, "items": []}),
        ("purchase", _order("u1", 2)),
    ]
    for endpoint, payload in calls:
        project.write_down(endpoint, [payload])
    project.send()
    assert [each.get("id", "cart") for each in project.sent()] == ["cart", "o-1", "cart", "o-2"]


def test_whom_an_address_names_is_percent_encoded() -> None:
    by_email = Request([change(1, "a", "delete", payload='{"email":"a+b/c@ex.com"}')])
    by_id = Request([change(1, "a", "delete", payload='{"userId":"ü 1"}')])
    assert (by_email.path, by_email.body) == ("/api/users/a%2Bb%2Fc%40ex.com", b"")
    assert by_id.path == "/api/users/byUserId/%C3%BC%201"


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from(["users", "events", "cart"]), st.sampled_from(["{}", '{"a":1}']))
    ),
    st.randoms(),
)
def test_b4_nobody_is_on_two_ways_at_once_and_nothing_is_lost(given_ones: list, random) -> None:  # type: ignore[no-untyped-def]
    packer = Packer()
    packer.add(change(nth, f"p{who}", endpoint, flags) for nth, (who, endpoint, flags) in enumerate(given_ones))
    flying: list[Request] = []
    order: dict[str, list[int]] = {}
    while True:
        request = packer.next(flush=True) if random.random() < 0.7 or not flying else None
        if request:
            others = {each.identity for one in flying for each in one.changes}
            names = [each.identity for each in request.changes]
            assert not others & set(names)
            assert request.endpoint.repeat == "event" or len(set(names)) == len(names)
            for each in request.changes:
                order.setdefault(str(each.identity), []).append(each.number)
            flying.append(request)
        elif flying:
            packer.settled(flying.pop(random.randrange(len(flying))).changes)
        else:
            break
    assert sorted(number for numbers in order.values() for number in numbers) == list(range(len(given_ones)))
    assert all(numbers == sorted(numbers) for numbers in order.values())


def _order(user_id: str, nth: int) -> dict:
    items = [{"id": "1", "name": "Mug", "price": 1, "quantity": 1}]
    return {"id": f"o-{nth}", "user": {"userId": user_id}, "total": 1, "createdAt": 1772366400, "items": items}
