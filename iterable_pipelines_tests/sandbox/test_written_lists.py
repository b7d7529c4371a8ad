"""Lists that clients make, fill and delete; only Standard lists can be written (api.md 6.3)."""

import pytest

from iterable_pipelines.sandbox import World, running_sandbox
from iterable_pipelines_tests.sandbox.project import NOW, Project, failures, project

ANN, BO = {"email": "ann@example.com"}, {"email": "bo@example.com"}


def made(running, name="New"):
    return running.post("lists", name=name, description="of a test").json()["listId"]


def read(running, list_id):
    return running.get("lists/getUsers", listId=list_id).text.splitlines()


def test_a_list_is_made_filled_counted_and_deleted():
    with project(users=30) as running:
        first, second = made(running), made(running)
        rows = {each["id"]: each for each in running.get("lists").json()["lists"]}
        assert rows[first]["name"] == rows[second]["name"] == "New" and rows[first]["listType"] == "Standard"
        assert first != second and read(running, first) == []
        answer = running.post("lists/subscribe", listId=first, subscribers=[ANN, BO | {"dataFields": {"n": 1}}]).json()
        assert answer["successCount"] == 2 and running.user("bo@example.com")["n"] == 1
        assert read(running, first) == ["ann@example.com", "bo@example.com"] and read(running, second) == []
        assert running.get(f"lists/{first}/size").text == "2"
        assert running.world.members(first) == [("ann@example.com", None), ("bo@example.com", None)]
        assert running.delete(f"lists/{first}").status_code == 200
        for answer in (running.get(f"lists/{first}/size"), running.delete(f"lists/{first}")):
            assert answer.status_code == 400 and answer.json()["code"] == "Success"  # R15


def test_r6_who_is_unknown_is_not_found_by_unsubscribe_and_made_by_subscribe():
    with project() as running:
        list_id = made(running)
        for only_known in (False, True):  # email projects ignore updateExistingUsersOnly
            row = {"email": f"{only_known}@example.com".lower()}
            answer = running.post(
                "lists/subscribe", listId=list_id, subscribers=[row], updateExistingUsersOnly=only_known
            )
            assert answer.json()["successCount"] == 1
        answer = running.post("lists/unsubscribe", listId=list_id, subscribers=[ANN, {"userId": "no"}]).json()
        assert failures(answer) == {"notFoundEmails": ["ann@example.com"], "notFoundUserIds": ["no"]}


def test_update_existing_users_only_makes_nobody_in_other_projects():
    with project("hybrid") as running:
        list_id = made(running)
        asked = {"listId": list_id, "subscribers": [ANN, {"userId": "u1"}], "updateExistingUsersOnly": True}
        answer = running.post("lists/subscribe", **asked).json()
        assert failures(answer) == {"notFoundEmails": ["ann@example.com"], "notFoundUserIds": ["u1"]}
        running.post("lists/subscribe", **asked | {"updateExistingUsersOnly": False})
        assert running.user("u1")["userListIds"] == [list_id]
        assert sorted(read(running, list_id)) == ["ann@example.com", "u1"]


def test_joining_twice_is_no_operation_and_tells_nothing_twice():
    with project() as running:
        list_id = made(running)
        answers = [running.post("lists/subscribe", listId=list_id, subscribers=[ANN]).json() for _ in range(2)]
        assert [each["noOpEmails"] for each in answers] == [[], ["ann@example.com"]]
        assert len(running.export("emailSubscribe")) == 1


def test_channel_unsubscribe_is_an_unsubscription_of_the_channel_too():
    with project() as running:
        list_id = made(running)
        running.post("lists/subscribe", listId=list_id, subscribers=[ANN])
        running.post("lists/unsubscribe", listId=list_id, subscribers=[ANN], channelUnsubscribe=True)
        after = running.user("ann@example.com")
        assert after["emailListIds"] == [] and len(after["unsubscribedChannelIds"]) == 1


@pytest.mark.parametrize("path", ["lists/subscribe", "lists/unsubscribe"])
def test_lists_that_are_not_static_or_not_there(path):
    with project() as running:
        answer = running.post(path, listId=949814, subscribers=[ANN])
        assert answer.status_code == 400 and "Dynamic" in answer.json()["msg"]
        answer = running.post(path, listId=1, subscribers=[ANN])
        assert answer.json()["msg"] == "error.lists.invalidListId(1)" and answer.json()["code"] == "Success"


def test_a_list_a_campaign_sends_to_is_in_use():
    with running_sandbox(world=World(users=0, end=NOW, more_lists=1)) as sandbox:
        running = Project(sandbox)
        assert running.delete("lists/950000").status_code == 409 and running.get("lists/950000/size").status_code == 200
