"""Whatever people, the import and syncs do, and in whatever order: nobody is given back what they left, unasked."""

import random
from datetime import datetime

import pytest

from iterable_pipelines_tests.activation.consent.conftest import LIST, NEWS, People

PEOPLE = ("ana@ex.com", "bo@ex.com")
SYNCS = {
    "subscription": "object: subscription\nsubscribe_channel_ids: channels\nsubscribe_list_ids: lists\n",
    "whole": "object: subscription\nunsubscribed_channel_ids: none\nemail_list_ids: lists\n",
    "list": f"object: list\nlist: {{id: {LIST}}}\nmode: insert\n",
}


class History:
    """Random steps of two people. The oracle: when each left, and when each last opted in."""

    def __init__(self, people: People, seed: int) -> None:
        self.people, self.chance = people, random.Random(seed)
        # a state is of one sync
        self.kind = list(SYNCS)[seed % len(SYNCS)]
        self.left: dict[tuple[str, str], datetime] = {}
        self.opted: dict[str, datetime] = {}

    def leave(self, email: str) -> None:
        """By a link, or by somebody's request without any event; the import may or may not hear of it in time."""
        if self.chance.random() < 0.5:
            self.people.has(email, unsubscribedChannelIds=[NEWS])
            self.left[email, "channel"] = self.people.moment
            if self.chance.random() < 0.5:
                self.people.event(
                    "emailUnSubscribe",
                    email,
                    channelIds=[NEWS],
                    emailListIds=[],
                    unsubSource="EmailLink",
                    messageId="m",
                )
        else:
            self.people.has(email, emailListIds=[])
            self.people.event(
                "emailUnSubscribe", email, channelIds=[], emailListIds=[LIST], unsubSource="EmailLink", messageId="m"
            )
            self.left[email, "list"] = self.people.moment

    def opt_in(self, email: str) -> None:
        self.opted[email] = self.people.moment

    def imports(self, email: str) -> None:
        self.people.imports(*PEOPLE)

    def sync(self, email: str) -> None:
        """Everybody is to be subscribed to everything: who is, must never have left, or have opted in since."""
        rows = [
            f"({nth}, '{each}', [{NEWS}], [{LIST}], []::int[], {self.moment(each)})" for nth, each in enumerate(PEOPLE)
        ]
        self.people.sync(f"{SYNCS[self.kind]}opted_in_at: opted\n")
        self.people.rows("id, email, channels, lists, none, opted", *rows)
        before = {each: self.people.arrays(each) for each in PEOPLE}
        self.people.run()
        for each in PEOPLE:
            self.check(each, before[each])

    def check(self, email: str, before: dict[str, list[int]]) -> None:
        after, opted = self.people.arrays(email), self.opted.get(email)
        came_back = {
            "channel": NEWS in before.get("unsubscribedChannelIds", ())
            and NEWS not in after.get("unsubscribedChannelIds", ()),
            "list": LIST not in before.get("emailListIds", ()) and LIST in after.get("emailListIds", ()),
        }
        for what, came in came_back.items():
            left = self.left.get((email, what))
            assert not came or left is None or (opted is not None and opted > left), what
        if came_back["list"] and NEWS in before.get("unsubscribedChannelIds", ()) and self.kind == "list":
            # whoever has left the channel is put on its list by an opt-in only
            assert opted is not None and opted > self.left[email, "channel"]

    def moment(self, email: str) -> str:
        opted = self.opted.get(email)
        return f"timestamp '{opted.replace(tzinfo=None)}'" if opted else "null::timestamp"


@pytest.mark.parametrize("seed", range(6))
def test_nobody_is_subscribed_again_without_a_newer_opt_in(people: People, seed: int) -> None:
    history = History(people, seed)
    for each in PEOPLE:
        people.has(each, emailListIds=[LIST])
    steps = [history.leave, history.leave, history.opt_in, history.imports, history.sync, history.sync]
    for _ in range(12):
        people.tick()
        history.chance.choice(steps)(history.chance.choice(PEOPLE))
    people.tick()
    history.sync(PEOPLE[0])
    # and an opt-in of now is heard
    for each in PEOPLE:
        people.tick()
        history.opt_in(each)
    people.tick()
    history.sync(PEOPLE[0])
    for each in PEOPLE:
        assert LIST in people.arrays(each)["emailListIds"]
