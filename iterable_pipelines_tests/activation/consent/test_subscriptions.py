"""Subscriptions are made of what the user has right before the request, and give nothing back unasked."""

import pytest

from iterable_pipelines_tests.activation.consent.conftest import ANA, LIST, NEWS, OFFERS, People

CHANGES = "object: subscription\nsubscribe_channel_ids: ins\nunsubscribe_channel_ids: outs\nopted_in_at: opted\n"
WHOLE = "object: subscription\nunsubscribed_channel_ids: outs\nopted_in_at: opted\n"
NEVER = "null::timestamp"


def test_a_change_leaves_what_the_row_does_not_speak_of(people: People) -> None:
    people.has(unsubscribedChannelIds=[11], emailListIds=[3], unsubscribedMessageTypeIds=[21])
    people.sync(CHANGES)
    people.rows("id, email, ins, outs, opted", f"(1, '{ANA}', []::int[], [12], {NEVER})")
    # what others change between the plan of a run and its request is not overwritten either: it is read right before
    people.has(unsubscribedChannelIds=[11, 13])
    assert people.run().counts == {"add": {"accepted": 1}}
    assert people.sent() == [{"email": ANA, "unsubscribedChannelIds": [11, 12, 13]}]
    assert people.arrays()["unsubscribedMessageTypeIds"] == [21]
    assert people.run().counts == {}


def test_what_is_so_already_is_not_sent(people: People) -> None:
    people.has(unsubscribedChannelIds=[12])
    people.sync(CHANGES)
    people.rows("id, email, ins, outs, opted", f"(1, '{ANA}', []::int[], [12], {NEVER})")
    assert people.run().counts == {"add": {"noop": 1}}
    assert people.sent() == []


@pytest.mark.parametrize("text", [CHANGES, WHOLE])
@pytest.mark.parametrize("imported", [True, False])
def test_nobody_is_subscribed_again_without_an_opt_in(people: People, text: str, imported: bool) -> None:
    people.has(unsubscribedChannelIds=[NEWS, OFFERS])
    if imported:
        people.imports()
    people.sync(text)
    people.rows("id, email, ins, outs, opted", f"(1, '{ANA}', [{NEWS}], [{OFFERS}], {NEVER})")
    people.tick()
    report = people.run()
    assert (report.counts, report.codes) == ({"add": {"skipped": 1}}, {"consent_kept": 1})
    assert (people.sent(), people.arrays()["unsubscribedChannelIds"]) == ([], [NEWS, OFFERS])


@pytest.mark.parametrize("text", [CHANGES, WHOLE])
def test_a_newer_opt_in_gives_it_back(people: People, text: str) -> None:
    people.has(unsubscribedChannelIds=[NEWS, OFFERS])
    people.imports()
    people.sync(text)
    people.tick()
    people.rows("id, email, ins, outs, opted", f"(1, '{ANA}', [{NEWS}], [{OFFERS}], {people.opted_in()})")
    people.tick()
    assert people.run().counts == {"add": {"accepted": 1}}
    assert people.sent() == [{"email": ANA, "unsubscribedChannelIds": [OFFERS]}]


def test_an_older_opt_in_does_not_and_a_newer_one_of_the_same_row_then_does(people: People) -> None:
    people.sync(CHANGES)
    people.rows("id, email, ins, outs, opted", f"(1, '{ANA}', [{NEWS}], [99], {people.opted_in()})")
    people.tick()
    people.has(unsubscribedChannelIds=[NEWS])
    people.imports()
    report = people.run()
    # the other ids of the row go all the same
    assert (report.counts, report.codes) == ({"add": {"accepted": 1}}, {"consent_kept": 1})
    assert people.sent() == [{"email": ANA, "unsubscribedChannelIds": [99, NEWS]}]
    people.tick()
    people.rows("id, email, ins, outs, opted", f"(1, '{ANA}', [{NEWS}], [99], {people.opted_in()})")
    people.tick()
    assert people.run().counts == {"change": {"accepted": 1}}
    assert people.arrays()["unsubscribedChannelIds"] == [99]


def test_when_it_was_first_seen_counts_though_the_profile_changes_later(people: People) -> None:
    people.has(unsubscribedChannelIds=[NEWS])
    people.sync(CHANGES)
    people.rows("id, email, ins, outs, opted", f"(1, '{ANA}', [{NEWS}], []::int[], {NEVER})")
    assert people.run().codes == {"consent_kept": 1}
    people.tick()
    people.rows("id, email, ins, outs, opted", f"(1, '{ANA}', [{NEWS}], []::int[], {people.opted_in()})")
    people.tick()
    # a record that is newer than the opt-in shows it as unsubscribed still
    people.imports()
    assert people.run().counts == {"add": {"accepted": 1}}
    assert people.arrays()["unsubscribedChannelIds"] == []


def test_an_unsubscribe_that_only_iterable_s_events_tell_of_is_honoured(people: People) -> None:
    people.has(unsubscribedChannelIds=[NEWS])
    people.imports()
    people.sync(CHANGES)
    people.tick()
    people.rows("id, email, ins, outs, opted", f"(1, '{ANA}', [{NEWS}], []::int[], {people.opted_in()})")
    people.tick()
    people.event("emailUnSubscribe", channelIds=[NEWS], emailListIds=[], messageTypeIds=[], unsubSource="EmailLink")
    assert people.run().codes == {"consent_kept": 1}


def test_a_user_who_cannot_be_read_waits(people: People) -> None:
    people.has(unsubscribedChannelIds=[NEWS])
    people.sync(CHANGES)
    people.rows("id, email, ins, outs, opted", f"(1, '{ANA}', []::int[], [12], {NEVER})")
    people.sandbox.fault("status", "/api/users/getByEmail", times=1, status=400, body={"code": "BadParams"})
    report = people.run()
    assert (report.status, report.counts, report.codes) == (
        *("partial", {"add": {"deferred": 1}}),
        {"lookup_failed": 1},
    )
    assert people.run().counts == {"add": {"accepted": 1}}


def test_lists_that_somebody_left_are_joined_again_by_an_opt_in_only(people: People) -> None:
    people.has(emailListIds=[3])
    people.event("emailUnSubscribe", emailListIds=[LIST], channelIds=[], messageTypeIds=[], unsubSource="EmailLink")
    people.imports()
    people.sync("object: subscription\nemail_list_ids: lists\nopted_in_at: opted\n")
    people.rows("id, email, lists, opted", f"(1, '{ANA}', [3, {LIST}, 5], {NEVER})")
    people.tick()
    assert people.run().codes == {"consent_kept": 1}
    assert people.sent() == [{"email": ANA, "emailListIds": [3, 5]}]
    people.rows("id, email, lists, opted", f"(1, '{ANA}', [3, {LIST}, 5], {people.opted_in()})")
    people.tick()
    people.run()
    assert people.arrays()["emailListIds"] == [3, 5, LIST]


def test_an_imported_user_who_is_young_enough_is_not_read(people: People) -> None:
    people.has(unsubscribedChannelIds=[11])
    people.imports()
    people.sync(CHANGES + "state_max_age_minutes: 30\n")
    people.rows("id, email, ins, outs, opted", f"(1, '{ANA}', []::int[], [12], {NEVER})")
    people.run()
    assert people.sent() == [{"email": ANA, "unsubscribedChannelIds": [11, 12]}]
    assert people.sandbox.requests("/api/users/getByEmail") == []


def test_verification_looks_for_the_changes_and_not_for_the_whole(people: People) -> None:
    people.has(unsubscribedChannelIds=[11])
    people.sync(CHANGES)
    people.rows("id, email, ins, outs, opted", f"(1, '{ANA}', []::int[], [12], {NEVER})")
    people.run()
    assert people.project.state("select payload->>'$.changes.channel.out' from state.acked", "s") == [("[12]",)]
