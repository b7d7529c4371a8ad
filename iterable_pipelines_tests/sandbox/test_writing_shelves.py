"""Snippets and metadata tables as clients write them and read them again (api.md 5.9, 6.5)."""

from datetime import timedelta

import pytest

from iterable_pipelines_tests.sandbox.project import NOW, project


@pytest.fixture
def running():
    with project() as found:
        yield found


def names(running):
    return [each["name"] for each in running.get("snippets").json()["snippets"]]


def test_a_snippet_is_made_changed_and_deleted(running):
    made = running.post("snippets", name="offer", content="Hi {{a}}", variables=["a"])
    assert made.status_code == 201
    number = made.json()["snippetId"]
    found = running.get(f"snippets/{number}").json()["snippet"]
    assert (found["name"], found["content"], found["variables"]) == ("offer", "Hi {{a}}", ["a"])
    assert found["createdAt"] == found["updatedAt"] == "2026-11-02T12:00:00.000Z"
    running.world.stop_clock(NOW + timedelta(hours=1))
    for identifier, content in ((number, "By id"), ("offer", "By name")):
        answer = running.put(f"snippets/{identifier}", content=content)
        assert (answer.status_code, answer.json()) == (200, {"snippetId": number})
        assert running.get("snippets/offer").json()["snippet"]["content"] == content
    changed = running.get("snippets/offer").json()["snippet"]
    assert changed["createdAt"] < changed["updatedAt"] and changed["variables"] == ["a"]
    other = running.put("snippets/other", content="New by name")
    assert other.status_code == 201 and names(running)[-2:] == ["offer", "other"]
    assert running.delete("snippets/offer").json() == {"snippetId": number}
    assert running.delete(f"snippets/{number}").status_code == running.get("snippets/offer").status_code == 404
    assert running.delete("snippets/700").status_code == 200 and names(running) == ["footer-1", "footer-2", "other"]


def test_what_no_snippet_can_be_is_refused(running):
    for body in (
        {"name": "footer-1", "content": "x"},
        {"name": "n" * 101, "content": "x"},
        {"name": "7", "content": "x"},
    ):
        assert running.post("snippets", **body).status_code == 400
    assert running.post("snippets", name="x").status_code == running.put("snippets/x").status_code == 400
    assert running.put("snippets/9999", content="x").status_code == 404 and len(names(running)) == 3


def test_metadata_is_put_read_and_deleted(running):
    for key, value in (("b", {"n": 1}), ("B", {"n": 2}), ("b", {"n": 3, "t": "ü"})):
        assert running.put(f"metadata/Colours/{key}", value=value).status_code == 200
    assert running.get("metadata").json()["results"][-1] == {"name": "Colours"}
    rows = running.get("metadata/colours").json()["results"]
    assert [each["key"] for each in rows] == ["B", "b"] and "value" not in rows[0]
    found = running.get("metadata/COLOURS/b").json()
    assert found == {
        "table": "Colours",
        "key": "b",
        "size": len('{"n": 3, "t": "ü"}'.encode()),
        "lastModified": int(NOW.timestamp() * 1000),
        "value": {"n": 3, "t": "ü"},
    }
    assert running.delete("metadata/colours/B").status_code == 200 == running.delete("metadata/no/no").status_code
    assert [each["key"] for each in running.get("metadata/Colours").json()["results"]] == ["b"]
    assert running.delete("metadata/prices").status_code == 200
    assert running.get("metadata/prices").status_code == 404
    assert running.get("metadata").json()["results"] == [{"name": "Test"}, {"name": "Colours"}]


def test_what_no_table_takes_is_refused(running):
    for path, value in (("under_score/a", {}), ("Test/a", {"text": "x" * 30_000}), ("Test/a", 7)):
        assert running.put(f"metadata/{path}", value=value).status_code == 400


def test_metadata_shows_when_the_pipeline_has_settled():
    with project(settle_seconds=60) as running:
        running.put("metadata/Test/new", value={"n": 1})
        assert running.get("metadata/Test/new").status_code == 404
        running.world.stop_clock(NOW + timedelta(seconds=61))
        assert running.get("metadata/Test/new").json()["value"] == {"n": 1}


def test_lies_and_faults(running):
    for path in ("/api/snippets", "/api/metadata"):
        running.sandbox.fault("lie", path, share=1)
        running.sandbox.fault("status_after", path, status=500)
    assert running.post("snippets", name="lied", content="x").status_code == 201
    assert running.post("snippets", name="done", content="x").status_code == 500
    assert running.put("metadata/Test/lied", value={}).status_code == 200
    assert running.put("metadata/Test/done", value={}).status_code == 500
    assert names(running)[3:] == ["done"] and running.get("metadata/Test/lied").status_code == 404
    assert running.get("metadata/Test/done").status_code == 200
    assert [each.name for each in running.sandbox.dropped] == ["lied", "lied"]
