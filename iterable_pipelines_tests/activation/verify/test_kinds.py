"""Each kind of record is looked for where Iterable shows it, over real HTTP."""

import time
from dataclasses import dataclass
from typing import Any

import pytest

from iterable_pipelines_tests.activation.verify.conftest import Prove

NOW = int(time.time())
ANA, BO = {"email": "ana@example.com"}, {"email": "bo@example.com"}
GOLD, TIN = ANA | {"dataFields": {"tier": "gold"}}, ANA | {"dataFields": {"tier": "tin"}}
ITEM = {"id": "10606", "name": "Mug", "price": 9.5, "quantity": 2, "dataFields": {"colour": "red"}}


@dataclass(frozen=True)
class Kind:
    """A record that is kept, what to do so that it is not any more, and what is said of it then."""

    endpoint: str
    record: dict[str, Any]
    undone_by: tuple[str, dict[str, Any]]
    verdict: str
    fields: str | None
    project_type: str = "hybrid"
    before: tuple[tuple[str, dict[str, Any]], ...] = ()


KINDS = [
    Kind("users", GOLD, ("users", TIN), "drifted", "tier"),
    Kind("users", ANA | {"dataFields": {"tier": None}}, ("users", TIN), "drifted", "tier"),
    Kind("user", ANA | {"dataFields": {"tier": 1.50}}, ("delete", ANA), "drifted", None),
    Kind(
        "users", {"userId": "c-7", "dataFields": {"email": "Bo@Ex.com"}},
        ("users", {"userId": "c-7", "dataFields": {"email": "new@ex.com"}}), "drifted", "email", "userid",
    ),
    Kind(
        "users", ANA | {"userId": "c-7"}, ("users", ANA | {"userId": "c-8"}), "drifted", "userId", "email",
    ),
    Kind(
        "users", ANA | {"mergeNestedObjects": True, "dataFields": {"address": {"city": "Lyon"}}},
        ("users", ANA | {"mergeNestedObjects": True, "dataFields": {"address": {"city": "Paris"}}}),
        "drifted", "address.city",
        before=(("users", ANA | {"dataFields": {"address": {"zip": "1"}}}),),
    ),
    Kind(
        "subscriptions", ANA | {"unsubscribedChannelIds": [2, 1], "unsubscribedMessageTypeIds": []},
        ("subscriptions", ANA | {"unsubscribedChannelIds": [1]}), "drifted", "unsubscribedChannelIds",
        before=(("users", ANA),),
    ),
    Kind(
        "device", ANA | {"device": {"token": "t-1", "platform": "GCM", "applicationName": "app"}},
        ("device_off", ANA | {"token": "t-1"}), "drifted", "endpointEnabled",
    ),
    Kind(
        "device_off", ANA | {"token": "t-1"},
        ("device", ANA | {"device": {"token": "t-1", "platform": "GCM", "applicationName": "app"}}), "drifted", "token",
        before=(("device", ANA | {"device": {"token": "t-1", "platform": "GCM", "applicationName": "app"}}),),
    ),
    Kind("browser", ANA | {"browserToken": "b-1"}, ("delete", ANA), "drifted", None),
    Kind("cart", {"user": ANA, "items": [ITEM]}, ("cart", {"user": ANA, "items": []}), "drifted", "shoppingCartItems"),
    Kind(
        "email_change", {"currentEmail": "ana@example.com", "newEmail": "new@example.com"},
        ("delete", {"email": "new@example.com"}), "drifted", None, "email", before=(("users", ANA),),
    ),
    Kind(
        "merge", {"sourceEmail": "ana@example.com", "destinationEmail": "bo@example.com"},
        ("users", ANA), "drifted", "user", before=(("users", ANA), ("users", BO)),
    ),
    Kind("delete", ANA, ("users", ANA), "drifted", "user", before=(("users", ANA),)),
    Kind("forget", ANA, ("unforget", ANA), "drifted", None, before=(("users", ANA),)),
    Kind("unforget", ANA, ("forget", ANA), "drifted", "forgotten", before=(("forget", ANA),)),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.endpoint}-{kind.fields}")
def test_what_is_kept_is_verified_and_what_somebody_changes_then_has_drifted(prove: Prove, kind: Kind) -> None:
    proof = prove(project_type=kind.project_type)
    for endpoint, record in kind.before:
        proof.write(endpoint, [record])
    proof.send(kind.endpoint, [kind.record])

    assert proof.verify().verified == 1
    assert proof.wrong() == {}

    proof.write(kind.undone_by[0], [kind.undone_by[1]])
    assert proof.verify().drifted == 1
    assert proof.wrong() == {"0000": (kind.verdict, kind.fields)}


@pytest.mark.parametrize("endpoint", ["event", "events", "purchase"])
def test_events_are_found_by_id_and_compared_field_by_field(prove: Prove, endpoint: str) -> None:
    proof = prove()
    proof.write("users", [ANA])
    purchase = {"user": ANA, "items": [ITEM], "total": 19.0}
    sent = (purchase if endpoint == "purchase" else ANA | {"eventName": "Trial Started"}) | {
        "id": "e-1", "createdAt": NOW - 60, "dataFields": {"plan": "pro", "at": "2026-03-02 09:15:30 +00:00"}
    }  # fmt: skip
    proof.send(endpoint, [sent])
    assert proof.verify().verified == 1

    proof.acknowledge(endpoint, [sent | {"dataFields": {"plan": "free"}}], output="other")
    assert proof.verify().mismatch == 1
    assert proof.wrong() == {"0000": ("mismatch", "plan")}


def test_an_event_that_may_lie_beyond_the_newest_two_hundred_is_not_called_missing(prove: Prove) -> None:
    proof = prove()
    proof.write("users", [ANA])
    events = [ANA | {"eventName": "Ping", "id": f"e{nth}", "createdAt": NOW - 1000 + nth} for nth in range(205)]
    proof.send("events", events, lost={204})

    verified = proof.verify()

    # one is gone, 200 are shown, and of the oldest ones nothing can be said
    assert (verified.verified, verified.missing, verified.unseen) == (200, 1, 4)
    assert proof.wrong() == {"0204": ("missing", None)}
