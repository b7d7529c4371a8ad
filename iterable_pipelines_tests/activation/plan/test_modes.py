"""What the modes of users and events let through (G1–G8), and first runs."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.plan import plan_sync, preview_pk
from iterable_pipelines.activation.run import reset_sync
from iterable_pipelines.sandbox.faults import Fault
from iterable_pipelines_tests.activation.conftest import Activation
from iterable_pipelines_tests.activation.plan.conftest import Planning
from iterable_pipelines_tests.activation.plan.test_diff import MEMBERS, rows

USER = "object: user\nsource: m.t\nprimary_key: id\nmatch: {column: email, field: email}\nfields: {v: v}\n"
EVENT = (
    "object: event\nsource: m.t\nprimary_key: id\nmatch: {column: email, field: email}\nevent_name: {constant: Ping}\n"
    "created_at: happened\nfields: {v: v}\nid: event\n"
)
COLUMNS = "id, email, v, event, happened"
NOON = "2026-11-01 12:00:00"


def test_g3_insert_never_changes_what_it_has_inserted(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", USER + "mode: insert\n")
    here.table("m.t", rows((1, "a@ex.com", 1)))
    here.run(sync)
    here.table("m.t", rows((1, "a@ex.com", 2)))
    ran = here.run(sync)
    assert (ran.changes, ran.plan.skipped) == ([], {"already_inserted": 1})
    assert ran.plan.exit_code == 0


def test_g6_events_are_inserted_once(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("pings", EVENT + "mode: insert\nfirst_run: backfill\n")
    here.table("m.t", rows((1, "a@ex.com", 1, "e1", NOON), columns=COLUMNS))
    here.run(sync)
    here.table("m.t", rows((1, "a@ex.com", 2, "e1", NOON), (2, "a@ex.com", 1, "e2", NOON), columns=COLUMNS))
    ran = here.run(sync)
    assert (ran.ops, ran.plan.skipped) == ({"2": "add"}, {"already_inserted": 1})


def test_g7_update_sends_events_that_were_sent_or_imported(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table(
        "streams.iterable_custom_activity",
        """from (values ('{"id": "e2"}'::json), ('{"_id": "e3"}'::json), ('{}'::json)) t (record)""",
    )
    found = [(pk, "a@ex.com", 1, event, NOON) for pk, event in ((1, "e1"), (2, "e2"), (3, "e3"), (4, None))]
    here.table("m.t", rows(*found, columns=COLUMNS))
    sync = here.sync("pings", EVENT + "mode: update\nfirst_run: backfill\n")
    ran = here.run(sync)
    assert ran.ops == {"2": "add", "3": "add"}
    assert ran.plan.skipped == {"not_in_iterable": 1}
    assert ran.plan.invalid == {"event_id_required": 1}
    # what was not there may be by the next run
    here.table("streams.iterable_custom_activity", """select '{"id": "e1"}'::json as record""")
    assert here.run(sync).ops == {"1": "add"}
    trusting = here.sync("pings", EVENT + "mode: update\nfirst_run: backfill\ntrust_ids: true\n")
    here.table("m.t", rows((9, "a@ex.com", 1, "e9", NOON), columns=COLUMNS))
    assert here.run(trusting).ops == {"9": "add"}


def test_g8_an_event_does_not_move_to_another_user(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("pings", EVENT + "first_run: backfill\n")
    here.table("m.t", rows((1, "a@ex.com", 1, "e1", NOON), (2, "a@ex.com", 1, "e2", NOON), columns=COLUMNS))
    here.run(sync)
    here.table("m.t", rows((1, "b@ex.com", 1, "e1", NOON), (2, "a@ex.com", 2, "e2", NOON), columns=COLUMNS))
    ran = here.run(sync)
    assert (ran.ops, ran.plan.invalid) == ({"2": "change"}, {"event_identity_changed": 1})
    assert here.state(sync, "select pk, code from state.issues") == [("1", "event_identity_changed")]


def test_g8_nor_does_it_when_all_are_sent_again(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("pings", EVENT + "first_run: backfill\n")
    here.table("m.t", rows((1, "a@ex.com", 1, "e1", NOON), columns=COLUMNS))
    here.run(sync)
    reset_sync(here.settings, sync, "resend")
    here.table("m.t", rows((1, "b@ex.com", 1, "e1", NOON), columns=COLUMNS))
    ran = here.run(sync)
    assert (ran.changes, ran.plan.invalid) == ([], {"event_identity_changed": 1})


def test_a_first_run_from_now_takes_what_there_is_for_sent(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("pings", EVENT + "first_run: from_now\n")
    here.table("m.t", rows((1, "a@ex.com", 1, "e1", NOON), (2, "a@ex.com", 1, "e2", NOON), columns=COLUMNS))
    # a limit would leave old events for the next run
    first = here.run(sync, limit=1)
    assert (first.changes, first.plan.counts) == ([], {"baseline": 2})
    here.table("m.t", rows((2, "a@ex.com", 1, "e2", NOON), (3, "a@ex.com", 1, "e3", NOON), columns=COLUMNS))
    assert here.run(sync).ops == {"3": "add"}


def test_s11_old_news_is_sent_by_name_only(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("pings", EVENT + "first_run: from_now\n")
    here.table("m.t", rows((1, "a@ex.com", 1, "e1", NOON), (2, "a@ex.com", 1, "e2", NOON), columns=COLUMNS))
    here.run(sync)
    assert (reset_sync(here.settings, sync, "resend"), here.run(sync).changes) == (0, [])
    assert (reset_sync(here.settings, sync, "pk", ("2",)), here.run(sync).ops) == (1, {"2": "retry"})


def test_s11_what_was_refused_for_long_is_tried_again_when_it_is_asked_for(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("people", USER)
    here.table("m.t", rows((1, "a@ex.com", 1)))
    here.run(sync, lambda change: ("rejected", "identity_conflict"))
    here.state(sync, "update state.issues set first_seen = timestamp '2020-01-01'")
    assert here.run(sync).ops == {}
    reset_sync(here.settings, sync, "pk", ("1",))
    assert here.run(sync).ops == {"1": "retry"}


def test_p4_an_audience_without_history_tells_of_those_who_come_and_go_from_now_on(
    planning: Callable[..., Planning],
) -> None:
    here = planning()
    sync = here.sync("loyal", MEMBERS.replace(", track", "") + "include_history: false\n")
    here.table("m.t", rows((1, "a@ex.com", 1), (2, "b@ex.com", 1)))
    assert here.run(sync).changes == []
    here.table("m.t", rows((2, "b@ex.com", 1), (3, "c@ex.com", 1)))
    assert here.run(sync).ops == {"email:a@ex.com": "remove", "email:c@ex.com": "add"}


def test_a_user_action_happens_once_for_each_key(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync(
        "forgotten",
        "object: user_action\naction: forget\nmode: insert\nsource: m.t\nprimary_key: id\n"
        "match: {column: email, field: email}\n",
    )
    here.table("m.t", rows((1, "a@ex.com", 1)))
    assert here.run(sync).ops == {"1": "add"}
    here.table("m.t", rows((1, "b@ex.com", 1)))
    ran = here.run(sync)
    assert (ran.changes, ran.plan.skipped) == ([], {"already_inserted": 1})


def test_c9_a_cart_older_than_the_order_that_emptied_it_is_not_sent(planning: Callable[..., Planning]) -> None:
    here = planning()
    sync = here.sync("shop", "object: calls\nsource: m.t\nprimary_key: id\nfirst_run: backfill\n")
    item = '[{"id": "1", "name": "Mug", "price": 2, "quantity": 1}]'

    def call(pk: int, event: str, minute: int) -> str:
        properties = f"{{'products': '{item}'::json, 'total': 2, 'order_id': {pk}}}"
        moment = f"timestamp '2026-11-01 12:{minute:02}:00'"
        return (
            f"select {pk} as id, 'track' as type, 'u1' as user_id, '{event}' as event, "
            f"to_json({properties}) as properties, {moment} as timestamp, 'm{pk}' as message_id"
        )

    here.table("m.t", call(1, "Order Completed", 30))
    assert [each["endpoint"] for each in here.run(sync).changes] == ["purchase"]
    here.table(
        "m.t",
        " union all ".join([call(1, "Order Completed", 30), call(2, "Cart Updated", 20), call(3, "Cart Updated", 40)]),
    )
    ran = here.run(sync)
    assert (ran.ops, ran.plan.skipped) == ({"3": "add"}, {"stale_cart": 1})


@pytest.mark.parametrize(
    ("mode", "sent", "reason"), [("insert", "new", "already_inserted"), ("update", "old", "not_in_iterable")]
)
def test_g2_g3_users_are_looked_up_right_before_they_are_sent(
    activation_project: Callable[..., Activation], mode: str, sent: str, reason: str
) -> None:
    here = activation_project()
    here.table("m.old", rows((1, "old@ex.com", 1)))
    here.sync("there", USER.replace("m.t", "m.old").replace("fields: {v: v}\n", ""))
    here.run("there")
    here.table("m.t", rows((1, "old@ex.com", 2), (2, "new@ex.com", 2)))
    here.sync("people", USER + f"mode: {mode}\n")
    report = here.run("people")
    assert report.counts == {"add": {"acked": 1, "skipped": 1}}
    assert report.codes == {reason: 1}
    (request,) = here.requests("/api/users/bulkUpdate")[1:]
    assert [each["email"] for each in request["users"]] == [f"{sent}@ex.com"]


def test_g2_whoever_was_not_there_is_looked_up_again(activation_project: Callable[..., Activation]) -> None:
    here = activation_project()
    here.table("m.t", rows((1, "a@ex.com", 1)))
    here.sync("people", USER + "mode: update\n")
    assert here.run("people").counts == {"add": {"skipped": 1}}
    here.sync("there", USER.replace("m.t", "m.t").replace("fields: {v: v}\n", ""))
    here.run("there")
    assert here.run("people").counts == {"add": {"acked": 1}}
    assert here.run("people").requests == 0


def test_g4_a_lookup_that_fails_defers_its_row(activation_project: Callable[..., Activation]) -> None:
    here = activation_project()
    here.table("m.t", rows((1, "a@ex.com", 1)))
    here.sync("people", USER + "mode: insert\n")
    here.sandbox.faults.add(Fault("status", "/api/users/getByEmail", options={"status": 403}))
    assert here.run("people").codes == {"lookup_failed": 1}
    assert here.requests("/api/users/bulkUpdate") == []


@pytest.mark.parametrize(("mode", "looked_up"), [("insert", "2"), ("update", "1")])
def test_g4_imported_users_decide_first_and_lookups_confirm(
    planning: Callable[..., Planning], mode: str, looked_up: str
) -> None:
    here = planning()
    here.table(
        "streams.iterable_users", "select 'Old@ex.com' as email, null::text as user_id, now()::timestamp as _fetched_at"
    )
    here.table("m.t", rows((1, "old@ex.com", 2), (2, "new@ex.com", 2)))
    plan = here.plan(here.sync("people", USER + f"mode: {mode}\nexistence: snapshot\n"))
    assert plan.counts == {"add": 1, "skipped": 1}
    assert plan.costs.lookups == 1
    assert [each.pk for each in plan.changes] == [looked_up]


def test_g4_imported_users_that_are_too_old_decide_nothing(planning: Callable[..., Planning]) -> None:
    here = planning()
    stale = "select 'old@ex.com' as email, null::text as user_id, timestamp '2026-01-01' as _fetched_at"
    here.table("streams.iterable_users", stale)
    here.table("m.t", rows((1, "old@ex.com", 2)))
    sync = here.sync("people", USER + "mode: insert\nexistence: snapshot\n")
    with pytest.raises(ActivationRefused, match=r"older than 24 hours.*Nothing was sent"):
        here.plan(sync)


def test_g4_users_of_another_project_decide_nothing(
    planning: Callable[..., Planning], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = planning()
    monkeypatch.setenv("OTHER_KEY", "other")
    here.table(
        "streams.iterable_users", "select 'old@ex.com' as email, null::text as user_id, now()::timestamp as _fetched_at"
    )
    here.table("streams.iterable_custom_activity", """select '{"id": "e1"}'::json as record""")
    here.table("m.t", rows((1, "old@ex.com", 2, "e1", NOON), columns=COLUMNS))
    there = "connection: {key_env: OTHER_KEY, project_type: hybrid}\n"
    with pytest.raises(ActivationRefused, match="no imported users of its project"):
        here.plan(here.sync("people", USER + f"mode: insert\nexistence: snapshot\n{there}"))
    assert here.plan(here.sync("people", USER + f"mode: insert\nexistence: lookup\n{there}")).counts == {"add": 1}
    events = here.sync("pings", EVENT + f"mode: update\nfirst_run: backfill\n{there}")
    assert here.plan(events).skipped == {"not_in_iterable": 1}


def test_g2_an_email_project_needs_no_lookup_for_user_ids(planning: Callable[..., Planning]) -> None:
    here = planning("email")
    here.table("m.t", "select 1 as id, 'u1' as email, 1 as v")
    text = USER.replace("field: email", "field: userId")
    plan = here.plan(here.sync("people", text + "mode: update\n"))
    assert plan.costs.lookups == 0
    assert plan.requests[0].body["users"][0]["preferUserId"] is False


def test_requests_of_a_plan_are_the_ones_that_are_sent(activation_project: Callable[..., Activation]) -> None:
    here = activation_project()
    here.table("m.t", rows((1, "a@ex.com", 1), (2, "b@ex.com", 1), (3, "A@ex.com", 2)))
    here.sync("people", USER)
    (sync,) = load_syncs(here.settings)
    plan = plan_sync(here.settings, sync, Options())
    assert here.requests() == []
    here.run("people")
    assert [json.loads(json.dumps(each.body)) for each in plan.requests] == here.requests()


def test_x15_an_address_that_replaces_a_placeholder_comes_first(planning: Callable[..., Planning]) -> None:
    here = planning("email")
    sync = here.sync(
        "people",
        "object: user\nsource: m.t\nprimary_key: id\nplaceholder_email: true\nfields: {email: email, uid: userId}\n",
    )
    here.table("m.t", "select 1 as id, null::text as email, 'u9' as uid")
    assert [json.loads(each["payload"]) for each in here.run(sync).changes] == [
        {"email": "u9@placeholder.email", "userId": "u9"}
    ]
    here.table("m.t", "select 1 as id, 'kim@ex.com' as email, 'u9' as uid")
    assert [(each["needs"], json.loads(each["payload"])) for each in here.run(sync).changes] == [
        ("", {"currentEmail": "u9@placeholder.email", "newEmail": "kim@ex.com"}),
        ("email_change", {"email": "kim@ex.com", "userId": "u9"}),
    ]
    assert here.run(sync).changes == []


def test_b7_without_the_change_of_address_that_it_needs_a_user_is_held(planning: Callable[..., Planning]) -> None:
    """The address would make a second profile of him."""
    here = planning("email")
    sync = here.sync(
        "people",
        "object: user\nsource: m.t\nprimary_key: id\nplaceholder_email: true\n"
        "fields: {email: email, uid: userId, v: v}\n",
    )
    here.table("m.t", "select 1 as id, null::text as email, 'u9' as uid, 1 as v")
    here.run(sync)

    def answer(change: dict[str, Any]) -> tuple[str, str]:
        return ("rejected", "unknown_email") if change["endpoint"] == "email_change" else ("deferred", "needs_it")

    here.table("m.t", "select 1 as id, 'kim@ex.com' as email, 'u9' as uid, 1 as v")
    assert len(here.run(sync, answer).changes) == 2
    assert here.run(sync).changes == []
    here.table("m.t", "select 1 as id, 'kim@ex.com' as email, 'u9' as uid, 2 as v")
    assert here.run(sync).changes == []


def test_a_preview_of_a_first_run_from_now_shows_one_row(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", rows((1, "a@ex.com", 1, "e1", NOON), (2, "a@ex.com", 1, "e2", NOON), columns=COLUMNS))
    shown = preview_pk(here.settings, here.sync("pings", EVENT + "first_run: from_now\n"), "2")
    assert [each.body["events"][0]["id"] for each in shown.requests] == ["e2"]
