"""Catalogs as clients write them and read them again (api.md 5.8, 6.4; outbound 4.1)."""

from datetime import timedelta

import pytest
import requests

from iterable_pipelines_tests.sandbox.project import NOW, project

SHOES = "catalogs/shoes"
ITEMS = f"{SHOES}/items"


@pytest.fixture
def running():
    with project() as found:
        assert found.post(SHOES).status_code == 201
        yield found


def upload(running, documents, merge=False, path=ITEMS):
    return running.post(path, documents=documents, replaceUploadedFieldsOnly=merge)


def items(running, catalog="shoes"):
    found, page = {}, 1
    while True:
        answer = running.get(f"catalogs/{catalog}/items", page=page, pageSize=1000).json()["params"]
        found |= {each["itemId"]: each for each in answer["catalogItemsWithProperties"]}
        if "nextPageUrl" not in answer:
            assert answer["totalItemsCount"] == len(found)
            return found
        page += 1


def values(running):
    return {name: each["value"] for name, each in items(running).items()}


def test_a_catalog_is_created_filled_changed_and_deleted(running):
    assert upload(running, {"a": {"n": 1, "m": 1}, "A": {"n": 2}, "b": {"n": 3}}).status_code == 202
    assert running.put(f"{ITEMS}/b", value={"size": 9}).status_code == 202
    assert running.patch(f"{ITEMS}/A", update={"size": 8}).status_code == 202
    assert running.patch(f"{ITEMS}/new", update={"size": 7}).status_code == 202
    assert values(running) == {"a": {"n": 1, "m": 1}, "A": {"n": 2, "size": 8}, "b": {"size": 9}, "new": {"size": 7}}
    upload(running, {"a": {"n": 4}}, merge=True)
    assert running.get(f"{ITEMS}/a").json()["value"] == {"n": 4, "m": 1}
    upload(running, {"a": {"n": 5}})
    assert running.get("catalogs/SHOES/items/a").json()["value"] == {"n": 5}
    assert running.delete(f"{ITEMS}/b").status_code == 202
    assert running.delete(ITEMS, itemIds=["new", "never there"]).status_code == 202
    assert set(values(running)) == {"a", "A"} and running.get(f"{ITEMS}/b").status_code == 404
    assert running.delete(SHOES).status_code == 200
    gone = running.get(ITEMS)
    assert gone.status_code == 404 and set(gone.json()) == {"error", "message", "code", "data"}
    assert upload(running, {"a": {}}).json() == gone.json()


def test_items_have_a_size_and_a_time_that_moves(running):
    upload(running, {"a": {"n": "ü"}})
    first = items(running)["a"]
    assert first["size"] == len('{"n":"ü"}'.encode()) and first["lastModified"] == int(NOW.timestamp() * 1000)
    upload(running, {"a": {"n": "ü"}})
    assert items(running)["a"]["lastModified"] > first["lastModified"]
    running.world.stop_clock(NOW + timedelta(hours=1))
    running.sandbox.edit_item("shoes", "a", {"n": "by hand"})
    edited = items(running)["a"]
    assert edited["value"] == {"n": "by hand"} and edited["lastModified"] == first["lastModified"] + 3_600_000
    running.sandbox.remove_item("shoes", "a")
    assert items(running) == {}


def test_seeded_catalogs_can_be_written_too(running):
    before = items(running, "products")
    upload(running, {"item-3": {"name": "Other"}, "brand-new": {"colour": "red"}}, path="catalogs/Products/items")
    running.delete("catalogs/products/items/item-9")
    after = items(running, "products")
    assert after["item-3"]["value"] == {"name": "Other"} and after["brand-new"]["value"] == {"colour": "red"}
    assert set(before) - set(after) == {"item-9"}
    assert all(after[name] == before[name] for name in set(before) & set(after) - {"item-3"})
    fields = running.get("catalogs/products/fieldMappings").json()["params"]
    assert fields["undefinedFields"] == ["tags", "sizes", "stock", "colour"]


@pytest.mark.parametrize(
    ("documents", "says"),
    [
        ({}, "1 to 1000"),
        ({f"i{nth}": {} for nth in range(1001)}, "1 to 1000"),
        ({"a": {}, "under_score": {}}, "under_score"),
        ({"x" * 256: {}}, "Invalid item ID"),
        ({"a": {}, "b": {"dim.x": 1}}, "periods"),
        ({"a": {"nested": [{"dim.x": 1}]}}, "periods"),
        ({"a": {"text": "x" * 30_000}}, "30 kB"),
        ({"a": 7}, "not an object"),
    ],
)
def test_what_no_catalog_takes_refuses_the_whole_upload(running, documents, says):
    answer = upload(running, {"good": {"n": 1}} | documents if documents and len(documents) < 9 else documents)
    assert answer.status_code == 400 and says in answer.json()["msg"]
    assert items(running) == {}


def test_bodies_of_the_wrong_shape(running):
    assert running.put(f"{ITEMS}/a", value=7).json()["params"] == {"obj.value": "Object value expected"}
    assert running.delete(ITEMS).json()["code"] == "BadJsonBody"
    assert running.post(ITEMS, documents={"a": {}}).status_code == 400


@pytest.mark.parametrize("status", [400, 409])
def test_names_of_catalogs(status):
    with project(existing_catalog=status) as running:
        assert running.post(f"catalogs/{'n' * 255}").status_code == 201
        for name in ("n" * 256, "under_score", "ü"):
            assert running.post(f"catalogs/{name}").status_code == 400
        running.post("catalogs/Shoes")
        assert running.post("catalogs/sHOES").status_code == running.post("catalogs/products").status_code == status
        names = running.get("catalogs", pageSize=100).json()["params"]["catalogNames"]
        assert [each["name"] for each in names] == ["products", "stores", "empty", "n" * 255, "Shoes"]


def test_types_of_fields_may_not_change(running):
    price = {"fieldName": "price", "fieldType": "double"}
    assert running.put(f"{SHOES}/fieldMappings", mappingsUpdates=[price]).status_code == 200
    assert running.put(f"{SHOES}/fieldMappings", mappingsUpdates=[price]).status_code == 200
    for kind in ("long", "number"):
        refused = running.put(f"{SHOES}/fieldMappings", mappingsUpdates=[price | {"fieldType": kind}])
        assert refused.status_code == 400
    upload(running, {"a": {"price": 1.5, "colour": "red"}})
    found = running.get(f"{SHOES}/fieldMappings").json()["params"]
    assert found == {"definedMappings": {"price": "double"}, "undefinedFields": ["colour"]}


def test_items_show_when_the_pipeline_has_settled():
    with project(settle_seconds=60, wrapped=False) as running:
        running.post(SHOES)
        upload(running, {"a": {"n": 1}, "b": {"n": 1}})
        running.put(f"{ITEMS}/a", value={"n": 2})
        assert running.get(ITEMS).json() == {"catalogItemsWithProperties": [], "totalItemsCount": 0}
        running.world.stop_clock(NOW + timedelta(seconds=61))
        found = running.get(ITEMS).json()["catalogItemsWithProperties"]
        assert [each["value"] for each in found] == [{"n": 2}, {"n": 1}]


def test_faults_about_writes(running):
    for kind, options in (("lost_answer", {}), ("status_after", {"status": 500})):
        running.sandbox.fault(kind, f"/api/{ITEMS}", **options)
        if kind == "lost_answer":
            with pytest.raises(requests.ConnectionError):
                upload(running, {kind.replace("_", "-"): {}})
        else:
            assert upload(running, {kind.replace("_", "-"): {}}).status_code == 500
    running.sandbox.fault("status", f"/api/{ITEMS}", status=500)
    assert upload(running, {"never": {}}).status_code == 500
    running.sandbox.fault("429", f"/api/{ITEMS}", retry_after=1)
    assert upload(running, {"never": {}}).status_code == 429
    assert set(items(running)) == {"lost-answer", "status-after"}
    running.sandbox.fault("lie", f"/api/{ITEMS}", share=0.3)
    sent = {f"i{nth}": {"n": nth} for nth in range(100)}
    assert upload(running, sent).status_code == 202
    dropped = {each.name for each in running.sandbox.dropped}
    assert 10 < len(dropped) < 60 and set(items(running)) == set(sent) - dropped | {"lost-answer", "status-after"}


def test_a_hundred_thousand_items_are_read_a_thousand_at_a_time(running):
    for first in range(0, 100_000, 1000):
        for nth in range(first, first + 1000):
            running.world.catalogs.write("shoes", f"i-{nth}", {"name": f"Shoe {nth}", "price": nth / 100})
    found = items(running)
    assert len(found) == 100_000 and found["i-99999"]["value"] == {"name": "Shoe 99999", "price": 999.99}
