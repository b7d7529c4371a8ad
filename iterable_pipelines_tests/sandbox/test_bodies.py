"""Wrong JSON types of Iterable's own members refuse a whole request, by path (api.md 1.4; outbound R7)."""

import pytest

from iterable_pipelines_tests.sandbox.project import project

ANN = {"email": "ann@example.com"}


@pytest.fixture(scope="module")
def running():
    with project() as found:
        found.bulk(ANN)
        yield found


@pytest.mark.parametrize(
    ("path", "body", "params"),
    [
        (
            "events/trackBulk",
            {"events": [ANN | {"eventName": "x"}, ANN | {"eventName": "x", "createdAt": "now"}]},
            {"obj.events[1].createdAt": "Number value expected"},
        ),
        (
            "users/bulkUpdate",
            {"users": [ANN, ANN | {"preferUserId": "yes", "dataFields": []}, {"userId": 7}]},
            {
                "obj.users[1].preferUserId": "Boolean value expected",
                "obj.users[1].dataFields": "Object value expected",
                "obj.users[2].userId": "String value expected",
            },
        ),
        ("users/bulkUpdate", {"users": 7}, {"obj.users": "Array value expected"}),
        ("users/bulkUpdate", {"users": [7]}, {"obj.users[0]": "Object value expected"}),
        ("events/track", ANN, {"obj.eventName": "Value expected"}),
        ("events/track", ANN | {"eventName": "x", "createdAt": True}, {"obj.createdAt": "Number value expected"}),
        (
            "commerce/trackPurchase",
            {"user": ANN, "total": "5", "items": [{"id": 1, "name": "x", "price": 1, "quantity": 1}]},
            {"obj.total": "Number value expected", "obj.items[0].id": "String value expected"},
        ),
        ("lists/subscribe", {"listId": "x", "subscribers": []}, {"obj.listId": "Number value expected"}),
        ("users/registerDeviceToken", ANN | {"device": "x"}, {"obj.device": "Object value expected"}),
    ],
)
def test_r7_every_wrong_member_is_named_and_nothing_applied(running, path, body, params):
    before = running.world.snapshot_of_writes()
    answer = running.post(path, **body)
    assert (answer.status_code, answer.json()["code"], answer.json()["params"]) == (400, "BadJsonBody", params)
    assert running.world.snapshot_of_writes() == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"email":"a@b.cd","dataFields":{"n":NaN}}', b"\xff"])
def test_what_is_no_json_object(running, body):
    answer = running.session.post(running.sandbox.url + "/api/users/update", data=body, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (400, "BadJsonBody")


def test_null_counts_as_absent(running):
    assert running.post("events/track", **ANN, eventName="x", createdAt=None, dataFields=None).status_code == 200


def test_an_id_of_more_than_512_bytes_is_refused(running):
    assert running.post("events/track", **ANN, eventName="x", id="ü" * 256).status_code == 200
    assert running.post("events/track", **ANN, eventName="x", id="ü" * 257).json()["code"] == "BadParams"


def test_read_only_keys_write_nothing(running):
    key = {"Api-Key": running.sandbox.read_only_key}
    for method, path in (
        ("POST", "users/update"),
        ("POST", "lists"),
        ("DELETE", "lists/949810"),
        ("DELETE", "users/x"),
    ):
        answer = running.session.request(method, f"{running.sandbox.url}/api/{path}", json=ANN, headers=key, timeout=30)
        assert answer.status_code == 401
