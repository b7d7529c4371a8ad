"""What is written to the sandbox shows in the next read, and fails as Iterable fails."""

import json
from collections import Counter

import pytest
import requests

from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines.sandbox.world import utc


class Client:
    """One project of one's own, with its clock standing still."""

    def __init__(self, sandbox):
        self.sandbox, self.world = sandbox, sandbox.world
        self.headers = {"Api-Key": sandbox.key}

    def post(self, path, **body):
        return requests.post(self.sandbox.url + "/api/" + path, json=body, headers=self.headers, timeout=30)

    def user(self, email):
        answer = requests.get(
            self.sandbox.url + "/api/users/getByEmail", params={"email": email}, headers=self.headers, timeout=30
        )
        return answer.json().get("user")

    def export(self, data_type):
        answer = requests.get(
            self.sandbox.url + "/api/export/data.json",
            params={"dataTypeName": data_type, "range": "All"},
            headers=self.headers,
            timeout=30,
        )
        return [json.loads(line) for line in answer.content.split(b"\n")[:-1]]


@pytest.fixture
def client():
    with running_sandbox(users=40, start=utc("2026-10-31"), end=utc("2026-11-02T12:00:00"), relaxed=True) as sandbox:
        yield Client(sandbox)


def somebody(client):
    users = (each["email"] for each in client.world.all_records("user") if each.get("email"))
    return next(email for email in users if client.user(email))


def test_an_update_changes_its_fields_only_and_moves_the_profile_to_now(client):
    email = somebody(client)
    before, count = client.user(email)["dataFields"], len(client.export("user"))
    assert client.post("users/update", email=email, dataFields={"favourite": "red"}).json()["code"] == "Success"
    after = client.user(email)["dataFields"]
    assert {**after, "profileUpdatedAt": None} == {**before, "favourite": "red", "profileUpdatedAt": None}
    assert after["profileUpdatedAt"] == "2026-11-02 12:00:00 +00:00" != before["profileUpdatedAt"]
    exported = client.export("user")
    assert len(exported) == count and [each for each in exported if each.get("favourite") == "red"]


def test_an_unknown_person_is_created_once(client):
    for colour in ("red", "blue"):
        client.post("users/update", email="New@Example.com", dataFields={"favourite": colour})
    assert [each["favourite"] for each in client.export("user") if "favourite" in each] == ["blue"]
    assert client.user("new@example.com")["dataFields"]["signupSource"] == "API"


def test_objects_are_replaced_or_merged_one_level_deep(client):
    update = {"email": "new@example.com"}
    client.post("users/update", **update, dataFields={"home": {"city": "Lyon", "zip": "1"}})
    client.post("users/update", **update, dataFields={"home": {"zip": "2"}}, mergeNestedObjects=True)
    assert client.user("new@example.com")["dataFields"]["home"] == {"city": "Lyon", "zip": "2"}
    client.post("users/update", **update, dataFields={"home": {"zip": "3"}})
    assert client.user("new@example.com")["dataFields"]["home"] == {"zip": "3"}


def test_a_bulk_update_names_its_failures_in_a_200(client):
    rows = [{"email": "a@example.com"}, {"email": "nonsense"}, {"email": "Forgotten1@example.com"}, {"userId": "u-9"}]
    answer = client.post("users/bulkUpdate", users=rows)
    body = answer.json()
    assert (answer.status_code, body["successCount"], body["failCount"]) == (200, 1, 3)
    assert body["failedUpdates"]["invalidEmails"] == body["invalidEmails"] == ["nonsense"]
    assert body["failedUpdates"]["forgottenEmails"] == ["forgotten1@example.com"]
    assert body["failedUpdates"]["notFoundUserIds"] == ["u-9"]


def test_one_wrong_type_refuses_the_whole_batch(client):
    client.post("users/update", email="a@example.com", dataFields={"visits": 7})
    rows = [
        {"email": "b@example.com", "dataFields": {"visits": 8}},
        {"email": "c@example.com", "dataFields": {"visits": "many"}},
    ]
    answer = client.post("users/bulkUpdate", users=rows)
    assert answer.status_code == 400 and answer.json()["code"] == "RequestFieldsTypesMismatched"
    assert "sandbox:::visits" in answer.json()["params"]["validationErrors"] and client.user("b@example.com") is None


def test_without_create_new_fields_unknown_fields_are_dropped_and_named(client):
    users = [{"email": "a@example.com", "dataFields": {"neverSeen": 1, "city": "Lyon"}}]
    body = client.post("users/bulkUpdate", users=users, createNewFields=False).json()
    assert body["filteredOutFields"] == ["neverSeen"]
    fields = client.user("a@example.com")["dataFields"]
    assert fields["city"] == "Lyon" and "neverSeen" not in fields


@pytest.mark.parametrize("body", [{}, {"users": 7}, {"users": [{"email": "a@example.com", "dataFields": 3}]}])
def test_a_wrong_body_is_a_400(client, body):
    assert client.post("users/bulkUpdate", **body).json()["code"] == "BadJsonBody"


def test_a_body_over_four_megabytes_is_refused(client):
    assert client.post("users/bulkUpdate", users=[], padding="x" * 4_000_001).status_code == 413


def test_a_forgotten_user_is_a_conflict(client):
    assert client.post("users/update", email="forgotten1@example.com").status_code == 409
    assert client.post("users/update", email="nonsense").status_code == 400


def test_an_event_with_an_id_is_updated_and_without_one_added(client):
    event = {"email": "a@example.com", "eventName": "scored", "createdAt": 1793577600}
    for score in (1, 2):
        answer = client.post("events/track", **event, id="one", dataFields={"n": score})
        assert answer.json()["params"] == {"id": "one"}
        client.post("events/trackBulk", events=[event | {"dataFields": {"n": score}}])
    found = [each for each in client.export("customEvent") if each.get("eventName") == "scored"]
    assert sorted(each["n"] for each in found) == [1, 2, 2]
    assert {each["createdAt"] for each in found} == {"2026-11-02 00:00:00 +00:00"}


def test_a_purchase_is_exported_and_empties_the_cart(client):
    items = [{"id": "A", "name": "B", "price": 2.5, "quantity": 2}]
    client.post("commerce/trackPurchase", user={"email": "a@example.com"}, items=items, total=5, id="order-1")
    assert [each["total"] for each in client.export("purchase") if each.get("email") == "a@example.com"] == [5]
    assert client.user("a@example.com")["dataFields"]["shoppingCartItems"] == []


def test_lists_gain_and_lose_members(client):
    def members():
        answer = requests.get(
            client.sandbox.url + "/api/lists/getUsers", params={"listId": 949811}, headers=client.headers, timeout=30
        )
        return Counter(answer.text.splitlines())

    before = members()
    rows = [{"email": "a@example.com"}]
    assert client.post("lists/subscribe", listId=949811, subscribers=rows).json()["successCount"] == 1
    assert members() - before == Counter(["a@example.com"])
    body = client.post("lists/unsubscribe", listId=949811, subscribers=[*rows, {"email": "nobody@example.com"}]).json()
    assert body["failedUpdates"]["notFoundEmails"] == ["nobody@example.com"] and members() == before
    assert client.post("lists/subscribe", listId=1, subscribers=rows).status_code == 400
    events = [
        each["email"]
        for kind in ("emailSubscribe", "emailUnSubscribe")
        for each in client.export(kind)
        if each.get("email") in ("a@example.com",)
    ]
    assert len(events) == 2


def test_subscriptions_are_overwritten(client):
    client.post(
        "users/updateSubscriptions", email="a@example.com", emailListIds=[949810, 949812], unsubscribedChannelIds=[1]
    )
    client.post("users/updateSubscriptions", email="a@example.com", emailListIds=[949811])
    fields = client.user("a@example.com")["dataFields"]
    assert (fields["emailListIds"], fields["unsubscribedChannelIds"]) == ([949811], [1])


def test_a_write_whose_answer_never_comes_is_applied_all_the_same(client):
    client.sandbox.fault("hang", path="/api/users/update")
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(
            client.sandbox.url + "/api/users/update",
            json={"email": "a@example.com"},
            headers=client.headers,
            timeout=0.5,
        )
    assert client.user("a@example.com")
