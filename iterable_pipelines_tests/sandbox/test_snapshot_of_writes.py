"""What was written, as one dict that two runs can be compared by; and the log that saw it."""

from datetime import timedelta

from iterable_pipelines.sandbox.request_log import LoggedRequest, RequestLog
from iterable_pipelines_tests.sandbox.project import NOW, project

ANN, BO = {"email": "ann@example.com"}, {"email": "bo@example.com"}
ITEM = {"id": "A", "name": "B", "price": 2.5, "quantity": 2}
BULK = "/api/users/bulkUpdate"


def write_everything(running):
    running.bulk(ANN | {"dataFields": {"n": 1}}, BO)
    list_id = running.post("lists", name="New").json()["listId"]
    running.post("lists/subscribe", listId=list_id, subscribers=[BO, ANN])
    running.post("events/trackBulk", events=[ANN | {"eventName": "x", "id": "e1", "createdAt": 1793577600}])
    order = {"items": [ITEM], "total": 5, "id": "o1", "createdAt": 1793577600}
    running.post("commerce/trackPurchase", user=BO, **order)
    running.post("commerce/updateCart", user=ANN, items=[ITEM])
    running.post("users/registerBrowserToken", **ANN, browserToken="b1")
    running.post("users/updateSubscriptions", **BO, unsubscribedChannelIds=[39581])
    running.post("users/forget", email="gone@example.com")
    return list_id


def test_two_runs_that_wrote_the_same_are_equal_whenever_they_did():
    with project() as one, project() as other:
        other.world.stop_clock(NOW + timedelta(hours=3))
        list_id = write_everything(one)
        write_everything(other)
        found = one.world.snapshot_of_writes()
        assert found == other.world.snapshot_of_writes()
        assert found["profiles"]["ann@example.com"] == ANN | {"n": 1, "signupSource": "API"}
        assert found["lists"] == {list_id: {"name": "New", "members": ["ann@example.com", "bo@example.com"]}}
        assert list(found["events"]) == ["e1"] and list(found["purchases"]) == ["o1"]
        assert found["carts"]["ann@example.com"] == {"shoppingCartItems": [ITEM]}
        assert found["devices"] == {"ann@example.com": {"browserTokens": ["b1"]}}
        assert found["subscriptions"] == {"bo@example.com": {"unsubscribedChannelIds": [39581]}}
        assert found["forgotten"] == ["gone@example.com"]
        other.bulk(ANN | {"dataFields": {"n": 2}})
        assert found != other.world.snapshot_of_writes()


def write_objects(running):
    list_id = running.post("lists", name="New").json()["listId"]
    running.post("lists/subscribe", listId=list_id, subscribers=[BO, ANN])
    running.post("catalogs/Shoes")
    running.post("catalogs/Shoes/items", documents={"a": {"n": 1}, "b": {"n": 2}}, replaceUploadedFieldsOnly=True)
    running.delete("catalogs/Shoes/items/b")
    running.delete("catalogs/stores/items/item-1")
    running.delete("catalogs/empty")
    running.post("templates/email/upsert", clientTemplateId="c-1", subject="Hi", messageTypeId=47252)
    (template,) = running.get("templates/getByClientTemplateId", clientTemplateId="c-1").json()["templates"]
    body = {"name": "Sale", "templateId": template["templateId"]}
    number = running.post("campaigns/create", **body, listIds=[list_id]).json()["campaignId"]
    running.post("campaigns/abort", campaignId=2200001)
    running.put("snippets/offer", content="Hi")
    running.delete("snippets/footer-0")
    running.put("metadata/Test/new", value={"n": 1})
    running.delete("metadata/Test/key-0001")
    return list_id, number


def test_objects_and_sends_are_compared_too():
    with project() as one, project() as other:
        other.world.stop_clock(NOW + timedelta(hours=3))
        list_id, number = write_objects(one)
        write_objects(other)
        found = one.world.snapshot_of_writes()
        assert found == other.world.snapshot_of_writes()
        shoes = {"mappings": {}, "items": {"a": {"n": 1}, "b": None}}
        stores = {"mappings": {"price": "double", "name": "string"}, "items": {"item-1": None}}
        assert found["catalogs"] == {"stores": stores, "empty": None, "shoes": shoes}
        assert [each["subject"] for each in found["templates"].values()] == ["Hi", "Hi"]  # and the campaign's copy
        sent = {"name": "Sale", "type": "Blast", "campaignState": "Finished", "messageMedium": "Email", "sendSize": 2}
        assert found["campaigns"][number] == sent | {"listIds": [list_id], "suppressionListIds": []}
        assert found["campaigns"][2200001]["campaignState"] == "Aborted"
        assert found["snippets"] == {
            "offer": {"description": "", "content": "Hi", "variables": []},
            "footer-0": None,
        }
        assert found["metadata"] == {"test/new": {"n": 1}, "test/key-0001": None}
        (order,) = found["sends"]
        assert (order["id"], order["recipients"]) == (number, ["ann@example.com", "bo@example.com"])
        other.post("templates/email/upsert", clientTemplateId="c-1", subject="Ho")
        assert found != other.world.snapshot_of_writes()


def test_of_seeded_people_only_what_was_written_is_compared():
    with project(users=20) as running:
        assert running.world.snapshot_of_writes()["profiles"] == {}
        names = [each["email"] for each in running.world.all_records("user") if each.get("email")]
        email = next(name for name in names if running.user(name))
        running.bulk({"email": email, "dataFields": {"n": 1}})
        (found,) = running.world.snapshot_of_writes()["profiles"].values()
        assert found["n"] == 1 and "city" not in found


def test_the_log_counts_every_request_and_keeps_the_newest_bodies():
    with project(kept_bodies=100) as running:
        for nth in range(3):
            running.bulk({"email": f"p{nth}@example.com", "dataFields": {"n": nth}})
        found = running.sandbox.requests(BULK)
        assert [each.status for each in found] == [200] * 3
        assert [bool(each.body) for each in found] == [False, False, True] and "p2@example.com" in found[2].body
        assert found[0].monotonic < found[1].monotonic < found[2].monotonic


def test_the_log_lets_go_of_old_bodies_only_when_there_are_too_many():
    log = RequestLog(kept=10)
    entries = [LoggedRequest("POST", "/api/x", [], "", body=body) for body in ("12345", "", "67890", "1")]
    for entry in entries[:3]:
        log.add(entry)
    assert [each.body for each in log.entries()] == ["12345", "", "67890"]
    log.add(entries[3])
    assert [each.body for each in log.entries()] == ["", "", "67890", "1"]
