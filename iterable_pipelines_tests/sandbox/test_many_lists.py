"""A world with many lists: they live by the clock, and the world beside them stays as it was."""

from collections import Counter
from datetime import timedelta

import requests

from iterable_pipelines.hours import Window, parse_hour
from iterable_pipelines.sandbox import World, running_sandbox
from iterable_pipelines.sandbox.objects import FIRST_MORE_LIST, LIVE

END = parse_hour("2026-11-01")


def world(more_lists: int) -> World:
    return World(users=60, start=END - timedelta(days=20), end=END, more_lists=more_lists)


def test_the_rest_of_the_world_is_as_it_was_without_them() -> None:
    few, many = world(0), world(60)
    window = Window(END - timedelta(hours=6), END)
    for data_type in ("user", "emailSend", "inAppOpen", "purchase"):
        assert list(few.records(data_type, window)) == list(many.records(data_type, window))
    assert many.objects.lists[:5] == few.objects.lists
    moment = int(END.timestamp())
    old, new = ([each.as_json() for each in one.objects.campaigns(moment)] for one in (few, many))
    assert [each for each in new if each["id"] in {one["id"] for one in old}] == old
    live = [each for each in new if each not in old]
    assert [each["campaignState"] for each in live] == list(LIVE)
    assert {each["id"]: len(each.get("listIds", ())) + len(each["suppressionListIds"]) for each in live} == {
        each["id"]: 1 for each in live
    }


def test_five_hundred_lists_whose_members_change_with_the_clock() -> None:
    with running_sandbox(world=world(495)) as sandbox:
        url, headers = sandbox.url, {"Api-Key": sandbox.key}
        found = requests.get(f"{url}/api/lists", headers=headers).json()["lists"]
        assert len(found) == len({each["id"] for each in found}) == 500
        assert Counter(each["listType"] for each in found) == {
            "Standard": 4, "Dynamic": 398, "Suppression": 49, "Internal": 49,
        }  # fmt: skip
        asked = {"listId": str(FIRST_MORE_LIST + 7)}
        seen = []
        for days in (0, 0, 1):
            sandbox.world.stop_clock(END + timedelta(days=days))
            seen.append(set(requests.get(f"{url}/api/lists/getUsers", asked, headers=headers).text.splitlines()))
        assert len(seen[0]) > 5
        assert seen[0] == seen[1] != seen[2]
        assert seen[0] & seen[2]


def test_a_list_is_cut_at_95_percent_in_a_way_framing_shows_and_in_one_it_does_not() -> None:
    with running_sandbox(world=world(1)) as sandbox:
        url, headers = f"{sandbox.url}/api/lists/getUsers?listId=949810", {"Api-Key": sandbox.key}
        whole = requests.get(url, headers=headers).text
        sandbox.fault("drop_tail", "/api/lists/getUsers", share=0.05)
        cut = requests.get(url, headers=headers).text
        assert whole.startswith(cut) and 0 < len(whole) - len(cut) < 0.2 * len(whole)
        sandbox.fault("cut_at_record", "/api/lists/getUsers", share=0.95)
        try:
            requests.get(url, headers=headers)
        except requests.exceptions.ChunkedEncodingError:
            return
        raise AssertionError("the cut was framed as if it were the end")
