"""Nobody who has unsubscribed is put on a list, unless they have opted in since."""

from datetime import timedelta

import pytest

from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.plan import plan_sync
from iterable_pipelines.activation.verify.sameness import moment_of
from iterable_pipelines.settings import SettingsError
from iterable_pipelines_tests.activation.consent.conftest import ANA, LIST, NEWS, OFFERS, People

BO = "bo@ex.com"
MIRROR = f"object: list\nlist: {{id: {LIST}}}\nmode: mirror\nopted_in_at: opted\nguards: {{allow_empty: true}}\n"
INSERT = f"object: list\nlist: {{id: {LIST}}}\nmode: insert\nopted_in_at: opted\n"
AUDIENCE = (
    f"object: audience\naudience_name: Fans\nas: [identify, list]\nlist: {{id: {LIST}}}\nopted_in_at: opted\n"
    "guards: {allow_empty: true}\n"
)
NEVER = "null::timestamp"
LEAVES = {"emailListIds": [LIST], "channelIds": [], "messageTypeIds": []}


def members(people: People) -> set[str | None]:
    return {email for email, _ in people.sandbox.world.members(LIST) or ()}


def begin(people: People, text: str, *opted: str) -> None:
    people.sync(text)
    rows = [f"({nth}, '{email}', {when})" for nth, (email, when) in enumerate(zip((ANA, BO), opted, strict=False))]
    people.rows("id, email, opted", *rows)


@pytest.mark.parametrize(
    ("text", "imported", "how"),
    [
        *((INSERT, imported, how) for imported in (True, False) for how in ("the list", "a channel", "everything")),
        *((MIRROR, True, "a channel"), (AUDIENCE, True, "the list"), (AUDIENCE, False, "a channel")),
    ],
)
def test_who_has_left_is_not_put_on_the_list_again(people: People, text: str, imported: bool, how: str) -> None:
    people.has(unsubscribedChannelIds=[NEWS] if how == "a channel" else [])
    if how != "a channel":
        ids = LEAVES if how == "the list" else {each: [] for each in LEAVES}
        people.event("emailUnSubscribe", **ids, unsubSource="EmailLink", messageId="m")
    if imported:
        people.imports()
    people.tick()
    begin(people, text, NEVER, NEVER)
    report = people.run()
    assert report.codes == {"unsubscribed": 1}
    assert members(people) == {BO}
    # each run looks again: they may have come back
    assert people.run().codes == {"unsubscribed": 1}
    people.tick()
    begin(people, text, people.opted_in(), NEVER)
    people.tick()
    assert people.run().codes == {}
    assert members(people) == {ANA, BO}


def test_who_leaves_between_the_plan_and_the_request_is_heard(people: People) -> None:
    people.has(unsubscribedChannelIds=[])
    people.imports()
    begin(people, INSERT, people.opted_in())
    people.tick()
    people.has(unsubscribedChannelIds=[NEWS])
    assert people.run().codes == {"unsubscribed": 1}
    assert people.project.requests("/api/lists/subscribe") == []


def test_who_has_come_back_at_iterable_is_put_on_it(people: People) -> None:
    people.event("emailUnSubscribe", **LEAVES, unsubSource="EmailLink")
    people.tick()
    people.event("emailSubscribe", **LEAVES)
    people.has(unsubscribedChannelIds=[])
    people.imports()
    people.tick()
    begin(people, INSERT, NEVER)
    assert people.run().codes == {}
    assert members(people) == {ANA}


def test_our_own_taking_off_is_no_wish_of_theirs(people: People) -> None:
    begin(people, MIRROR, NEVER, NEVER)
    people.run()
    begin(people, MIRROR, NEVER)
    people.sandbox.world.stop_clock(None)
    people.run()
    assert members(people) == {ANA}
    people.imports(ANA, BO)
    begin(people, MIRROR, NEVER, NEVER)
    people.run()
    assert members(people) == {ANA, BO}


@pytest.mark.parametrize("imported", [True, False])
def test_a_removal_that_arrived_unheard_is_no_wish_of_theirs_though_one_hours_later_is_heard(
    one_clock: People, imported: bool
) -> None:
    people = one_clock
    begin(people, MIRROR, NEVER, NEVER)
    people.run()
    people.pass_an_hour()
    # bo is off the list, and nobody knows: the next attempt is refused
    begin(people, MIRROR, NEVER)
    people.sandbox.fault("lost_answer", "/api/lists/unsubscribe")
    people.sandbox.fault("status", "/api/lists/unsubscribe", status=403)
    assert people.run().status == "failed"
    assert members(people) == {ANA}
    people.pass_an_hour()
    assert people.run().status == "succeeded"
    assert len(people.project.requests("/api/lists/unsubscribe")) == 1
    # the event of it is an hour older than what was acknowledged
    (event,) = people.sandbox.world.written_events("emailUnSubscribe")
    ((acknowledged,),) = people.project.state(f"select last_acked_at from state.acked where identity = '{BO}'")
    assert acknowledged - moment_of(event["createdAt"]).replace(tzinfo=None) > timedelta(minutes=59)
    people.pass_an_hour()
    if imported:
        people.imports(ANA, BO)
    begin(people, MIRROR, NEVER, NEVER)
    assert people.run().codes == {}
    assert members(people) == {ANA, BO}


def test_the_channel_that_a_list_is_for_is_the_one_that_counts(people: People) -> None:
    people.has(unsubscribedChannelIds=[NEWS])
    begin(people, INSERT.replace(f"id: {LIST}", f"id: {LIST}, channel_id: {OFFERS}"), NEVER)
    people.run()
    assert members(people) == {ANA}


def test_channels_that_are_not_for_marketing_do_not_count(people: People) -> None:
    people.project.table(
        "objects.channels",
        f"""select {NEWS} as id, '{{"channelType": "Transactional", "messageMedium": "Email"}}'::json as record """
        f"""union all select {OFFERS}, '{{"channelType": "Marketing", "messageMedium": "Email"}}'::json""",
    )
    people.has(unsubscribedChannelIds=[NEWS])
    people.has(BO, unsubscribedChannelIds=[OFFERS])
    begin(people, INSERT, NEVER, NEVER)
    people.run()
    assert members(people) == {ANA}


def test_a_list_that_nobody_is_written_to_by_may_take_anybody(people: People) -> None:
    people.has(unsubscribedChannelIds=[NEWS])
    begin(people, INSERT + "consent: not_needed\n", NEVER)
    (sync,) = load_syncs(people.project.settings)
    assert any("consent: not_needed" in each for each in plan_sync(people.project.settings, sync, Options()).warnings)
    people.run()
    assert members(people) == {ANA}
    assert people.sandbox.requests("/api/users/getByEmail") == []


def test_a_plan_says_who_is_left_out_and_how_many_are_asked_for(people: People) -> None:
    people.has(unsubscribedChannelIds=[NEWS])
    people.imports()
    people.tick()
    begin(people, INSERT, NEVER, NEVER)
    (sync,) = load_syncs(people.project.settings)
    plan = plan_sync(people.project.settings, sync, Options())
    assert (plan.skipped, plan.sends, plan.costs.lookups) == ({"unsubscribed": 1}, 1, 1)


def test_a_global_unsubscribe_has_to_be_asked_for_and_approved(people: People) -> None:
    text = INSERT.replace("mode: insert", "mode: remove")
    begin(people, text, NEVER)
    people.run()
    assert [each["channelUnsubscribe"] for each in people.project.requests("/api/lists/unsubscribe")] == [False]
    begin(people, text.replace(f"id: {LIST}", f"id: {LIST}, channel_unsubscribe: true"), NEVER, NEVER)
    with pytest.raises(ActivationRefused, match="1 would be unsubscribed from everything"):
        people.run()
    assert people.project.requests("/api/lists/") == []
    people.run(approve=("global_unsubscribe",))
    assert [each["channelUnsubscribe"] for each in people.project.requests("/api/lists/unsubscribe")] == [True]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (AUDIENCE.replace("[identify, list]", "[identify]").replace(f"list: {{id: {LIST}}}\n", ""), "opted_in_at"),
        (INSERT + "respect_unsubscribes: false\n", "respect_unsubscribes"),
        ("object: subscription\nemail_list_ids: a\nsubscribe_list_ids: b\n", "whole array"),
    ],
)
def test_what_cannot_be_meant_is_refused(people: People, text: str, said: str) -> None:
    begin(people, text, NEVER)
    with pytest.raises(SettingsError, match=said):
        people.run()
