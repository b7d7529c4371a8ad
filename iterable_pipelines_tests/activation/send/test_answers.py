"""What Iterable answers, record by record, over real HTTP: X45 to X50 and rules R1 to R18."""

from collections.abc import Callable

import pytest

from iterable_pipelines.activation.objects import UserSync
from iterable_pipelines_tests.activation.send.conftest import EVENTS, USERS, Sending, event, user

Make = Callable[..., Sending]
ACKED, ACCEPTED = ("acked", ""), ("accepted", "")


def bulk(done: int, failed: int, **lists: list[str]) -> dict:
    """A documented answer to a bulk request."""
    failures = {name: names for name, names in lists.items() if not name.startswith(("noOp", "disallowed", "valid"))}
    return {"successCount": done, "failCount": failed, "failedUpdates": failures} | lists


def test_x45_a_failure_inside_a_200_rejects_that_record_alone(sending: Make) -> None:
    """X45, R1, R2."""
    project = sending()
    project.write_down("users", [user("a@ex.com"), user("bad@@x"), user("c@ex.com")])
    project.answer(bulk(2, 1, invalidEmails=["bad@@x"]))
    project.send()
    assert project.outcomes() == {"1": ACKED, "2": ("rejected", "invalid_email"), "3": ACKED}


def test_x46_a_conflict_is_named_by_the_value_inside_data_fields(sending: Make) -> None:
    """X46, R1."""
    project = sending()
    project.write_down("users", [{"userId": "u1", "dataFields": {"email": "taken@ex.com"}}, {"userId": "u2"}])
    project.answer(bulk(1, 1, conflictEmails=["taken@ex.com"]))
    project.send()
    assert project.outcomes() == {"1": ("rejected", "identity_conflict"), "2": ACKED}


def test_x47_bad_json_names_the_record_and_the_others_go_again(sending: Make) -> None:
    """X47, R7."""
    project = sending(EVENTS)
    events = [event("u1", "Ping", nth) for nth in range(3)]
    project.write_down("events", events)
    project.answer({"code": "BadJsonBody", "params": {"obj.events[1].dataFields": "Object value expected"}}, 400)
    project.answer(bulk(2, 0))
    tally = project.send()
    assert project.outcomes() == {"1": ACCEPTED, "2": ("rejected", "bad_json_field"), "3": ACCEPTED}
    assert project.sent()[1] == {"events": [events[0], events[2]]}
    assert tally.requests == 2


def test_x48_a_type_mismatch_rejects_the_record_with_the_offending_value(sending: Make) -> None:
    """X48, R8."""
    project = sending()
    project.write_down("users", [user("a@ex.com", age=3), user("b@ex.com", age="n/a"), user("c@ex.com", age=5)])
    project.answer(_mismatch("proj:::age", "long", "string", "n/a"), 400)
    project.send()
    assert project.outcomes() == {"1": ACKED, "2": ("rejected", "field_type_mismatch"), "3": ACKED}
    (told,) = project.workspace.con.execute("select message, path from state.outcomes where number = 2").fetchall()
    assert told == ("age: string→long", "dataFields.age")


def test_r8_drop_field_sends_the_record_without_it_and_says_so(sending: Make) -> None:
    project = sending(_dropping())
    project.write_down("users", [user("a@ex.com", age=3), user("b@ex.com", age="n/a", city="Oslo")])
    project.answer(_mismatch("proj:::age", "long", "string", "n/a"), 400)
    project.send()
    assert project.outcomes() == {"1": ACKED, "2": ACKED}
    assert project.sent()[1]["users"][1] == user("b@ex.com", city="Oslo")
    assert project.workspace.con.execute("select details from state.outcomes where number = 2").fetchall() == [
        ("field_dropped:age",)
    ]


def test_r8_a_mismatch_nobody_can_be_found_for_is_bisected(sending: Make) -> None:
    project = sending()
    project.write_down("users", [user(f"p{nth}@ex.com", n=nth) for nth in range(4)])
    project.answer(_mismatch("proj:::elsewhere", "long", "string", "n/a"), 400, times=2)
    project.send()
    # the four, the first two, then 1 alone arrives: it is 2; and the rest
    assert project.outcomes() == {"1": ACKED, "2": ("rejected", "iterable_error"), "3": ACKED, "4": ACKED}


def test_x49_after_429_the_same_bytes_go_again_and_nothing_else(sending: Make) -> None:
    """X49, R11."""
    project = sending()
    project.patient(at_once_bulk=1)
    project.write_down("users", [user(f"p{nth}@ex.com") for nth in range(2_001)])
    project.sandbox.fault("429", "/api/users/bulkUpdate", after=2, retry_after=0.1)
    tally = project.send()
    bodies = [each.body for each in project.sandbox.requests("/api/users/bulkUpdate")]
    assert [len(each["users"]) for each in project.sent()] == [1000, 1000, 1, 1]
    assert bodies[2] == bodies[3]
    assert (tally.http_429, tally.retries, set(project.outcomes().values())) == (1, 1, {ACKED})


def test_x50_to_unsubscribe_somebody_who_is_gone_is_done(sending: Make) -> None:
    """X50, R6."""
    project = sending()
    project.write_down("unsubscribe", [{"email": "x@ex.com"}], '{"listId":7}')
    project.answer(bulk(0, 1, notFoundEmails=["x@ex.com"]))
    project.send()
    assert project.outcomes() == {"1": ("noop", "user_not_found")}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("forgottenEmails", "user_forgotten"),
        ("conflictEmails", "identity_conflict"),
        ("invalidEmails", "invalid_email"),
        ("invalidDataEmails", "invalid_data"),
        ("notFoundEmails", "user_not_found"),
    ],
)
def test_r2_every_list_has_its_code(sending: Make, name: str, code: str) -> None:
    project = sending()
    project.write_down("users", [user("A@Ex.com"), user("b@ex.com")])
    project.answer(bulk(1, 1, **{name: [" a@ex.com "]}))
    project.send()
    assert project.outcomes() == {"1": ("rejected", code), "2": ACKED}


def test_r2_the_first_of_several_lists_counts_and_the_others_are_kept(sending: Make) -> None:
    project = sending()
    project.write_down("users", [user("a@ex.com")])
    project.answer(bulk(0, 1, notFoundEmails=["a@ex.com"], forgottenEmails=["a@ex.com"]))
    project.send()
    assert project.outcomes() == {"1": ("rejected", "user_forgotten")}
    assert project.workspace.con.execute("select details from state.outcomes").fetchall() == [("user_not_found",)]


def test_r1_user_ids_count_by_case(sending: Make) -> None:
    project = sending()
    project.write_down("users", [{"userId": "Ab"}, {"userId": "ab"}])
    project.answer(bulk(1, 1, conflictUserIds=["ab"]))
    project.send()
    assert project.outcomes() == {"1": ACKED, "2": ("rejected", "identity_conflict")}


def test_r3_a_failure_that_nobody_is_named_for_is_found_by_halves(sending: Make) -> None:
    project = sending()
    project.write_down("users", [user(f"p{nth}@ex.com") for nth in range(4)])
    project.answer(bulk(3, 1), times=2)
    project.answer(bulk(1, 0))
    project.answer(bulk(2, 0))
    project.send()
    assert [len(each["users"]) for each in project.sent()] == [4, 2, 1, 2]
    assert project.outcomes()["2"] == ("rejected", "not_named")
    assert list(project.outcomes().values()).count(ACKED) == 3


def test_r3_a_name_that_several_events_share_is_told_apart_by_halves(sending: Make) -> None:
    project = sending(EVENTS)
    project.write_down("events", [event("u1", "Ping", 1), event("u1", "Pong", 2)])
    project.answer(bulk(1, 1, invalidUserIds=["u1"]))
    project.answer(bulk(0, 1, invalidUserIds=["u1"]))
    project.answer(bulk(1, 0))
    project.send()
    assert project.outcomes() == {"1": ("rejected", "invalid_user_id"), "2": ACCEPTED}


def test_r4_every_event_of_a_name_that_is_not_allowed_is_rejected(sending: Make) -> None:
    project = sending(EVENTS)
    project.write_down("events", [event("u1", "Ping", 1), event("u1", "Pong", 2), event("u2", "Ping", 3)])
    project.answer(bulk(1, 2, disallowedEventNames=["Ping"]))
    project.send()
    disallowed = ("rejected", "disallowed_event_name")
    assert project.outcomes() == {"1": disallowed, "2": ACCEPTED, "3": disallowed}


def test_r4_the_single_endpoint_says_so_with_a_200(sending: Make) -> None:
    project = sending(EVENTS)
    project.write_down("event", [event("u1", "Ping", 1)])
    project.answer({"msg": "event Ping is disallowed from tracking.", "code": "Success", "params": None})
    project.send()
    assert project.outcomes() == {"1": ("rejected", "disallowed_event_name")}


def test_r5_noops_are_successes_and_fields_are_told_of(sending: Make) -> None:
    project = sending()
    project.write_down("users", [user("a@ex.com"), user("b@ex.com")])
    project.answer(bulk(2, 0, noOpEmails=["a@ex.com"]) | {"createdFields": ["age"], "filteredOutFields": ["plan"]})
    tally = project.send()
    assert project.outcomes() == {"1": ("noop", ""), "2": ACKED}
    assert (tally.created_fields, tally.filtered_fields) == ({"age"}, {"plan"})


def test_r6_to_subscribe_somebody_unknown_is_a_rejection(sending: Make) -> None:
    project = sending()
    project.write_down("subscribe", [{"email": "x@ex.com"}, {"email": "y@ex.com"}], '{"listId":7}')
    project.answer(bulk(1, 1, notFoundEmails=["x@ex.com"]))
    project.send()
    assert project.outcomes() == {"1": ("rejected", "user_not_found"), "2": ACKED}


def test_g2_an_update_that_must_not_create_says_that_nobody_was_there(sending: Make) -> None:
    project = sending(project_type="email")
    project.write_down("users", [{"userId": "u1", "preferUserId": False}, user("a@ex.com")])
    project.answer(bulk(1, 1, notFoundUserIds=["u1"]))
    project.send()
    assert project.outcomes() == {"1": ("skipped", "not_in_iterable"), "2": ACKED}


def test_r8_many_that_are_named_at_once_stop_nobody_else(sending: Make) -> None:
    project = sending()
    wrong = [user(f"p{nth}@ex.com", age="n/a") for nth in range(25)]
    project.write_down("users", [*wrong, user("a@ex.com", age=1)])
    project.answer(_mismatch("proj:::age", "long", "string", "n/a"), 400)
    tally = project.send()
    assert (tally.stopped, project.outcomes()["26"]) == (None, ACKED)


def test_r9_a_refusal_that_passes_rejects_nobody(sending: Make) -> None:
    project = sending()
    project.write_down("users", [user(f"p{nth}@ex.com", n=nth) for nth in range(4)])
    project.answer({"msg": "An error occurred", "code": "GenericError", "params": None}, 400)
    project.send()
    assert set(project.outcomes().values()) == {ACKED}


@pytest.mark.parametrize("bad", [0, 499, 999])
def test_r9_a_poison_row_among_a_thousand_costs_eleven_calls_at_most(sending: Make, bad: int) -> None:
    project = sending()
    people = [user(f"p{nth}@ex.com", n=nth) for nth in range(1000)]
    project.sandbox.faults.clear()
    project.write_down("users", people)
    refuse(project, f"p{bad}@ex.com")
    tally = project.send()
    assert tally.requests <= 12
    outcomes = project.outcomes()
    assert outcomes.pop(str(bad + 1)) == ("rejected", "iterable_error")
    assert set(outcomes.values()) == {ACKED}
    assert len(outcomes) == 999


def test_r10_a_request_that_is_too_large_is_halved_and_the_next_are_smaller(sending: Make) -> None:
    project = sending()
    project.patient(at_once_bulk=1)
    project.write_down("users", [user(f"p{nth}@ex.com") for nth in range(2_000)])
    project.answer({"msg": "too large", "code": "BatchTooLarge", "params": None}, 413)
    project.send()
    sizes = [len(each["users"]) for each in project.sent()]
    assert sizes[0] == 1000
    assert max(sizes[1:]) <= 500
    assert set(project.outcomes().values()) == {ACKED}


def test_r10_a_lone_record_that_is_too_large_is_rejected(sending: Make) -> None:
    project = sending()
    project.write_down("users", [user("a@ex.com")])
    project.answer({"msg": "too large", "code": "BatchTooLarge", "params": None}, 413)
    project.send()
    assert project.outcomes() == {"1": ("rejected", "record_too_large")}


def test_r11_who_is_busy_for_too_long_leaves_the_rest_for_the_next_run(sending: Make) -> None:
    project = sending()
    project.patient(attempts=3, at_once_bulk=1)
    project.write_down("users", [user(f"p{nth}@ex.com") for nth in range(1_001)])
    project.sandbox.fault("429", "/api/users/bulkUpdate", times=None, retry_after=0.01)
    tally = project.send()
    assert (tally.gave_up, len(project.sent())) == (True, 3)
    assert set(project.outcomes().values()) == {("deferred", "rate_limit")}
    assert len(project.outcomes()) == 1000
    # nothing was applied, so nothing is in doubt
    assert project.workspace.con.execute("select distinct state from state.outbox").fetchall() == [("done",)]


@pytest.mark.parametrize("status", [408, 500, 502, 503])
def test_r12_what_may_have_been_applied_goes_again_as_it_was(sending: Make, status: int) -> None:
    project = sending(EVENTS)
    project.write_down("events", [event("u1", "Ping", 1)])
    project.answer({"msg": "An error occurred", "code": "GenericError", "params": None}, status, times=2)
    project.answer(bulk(1, 0))
    project.send()
    bodies = [each.body for each in project.sandbox.requests("/api/events/trackBulk")]
    assert (len(bodies), len(set(bodies))) == (3, 1)
    assert project.outcomes() == {"1": ACCEPTED}


def test_r12_what_must_not_happen_twice_is_not_sent_twice(sending: Make) -> None:
    project = sending(project_type="email")
    project.write_down("email_change", [{"currentEmail": "a@ex.com", "newEmail": "b@ex.com"}])
    project.answer({"msg": "An error occurred", "code": "GenericError", "params": None}, 500)
    project.send()
    assert len(project.sent()) == 1
    assert project.outcomes() == {"1": ("unknown", "http_500")}
    assert project.workspace.con.execute("select state from state.outbox").fetchall() == [("unknown",)]


@pytest.mark.parametrize(("status", "code"), [(401, "BadApiKey"), (401, "Success"), (403, "Forbidden")])
def test_r13_a_key_that_is_not_accepted_stops_the_run(sending: Make, status: int, code: str) -> None:
    project = sending()
    project.patient(at_once_bulk=1)
    project.write_down("users", [user(f"p{nth}@ex.com") for nth in range(2_001)])
    project.answer({"msg": "Invalid API key", "code": code, "params": {"ip": "1.2.3.4"}}, status, after=1)
    tally = project.send()
    assert tally.stopped is not None
    assert (tally.stopped[0], tally.gave_up) == ("bad_api_key", False)
    assert len(project.sent()) == 2
    # the first thousand arrived; of the others nothing is said, so they are pending
    assert len(project.outcomes()) == 1000


def test_r14_a_project_without_room_for_fields_stops_the_run(sending: Make) -> None:
    project = sending()
    project.write_down("users", [user("a@ex.com", new=1)])
    project.answer({"msg": "Too many fields", "code": "UniqueFieldsLimitExceeded", "params": None}, 400)
    tally = project.send()
    assert tally.stopped is not None
    assert tally.stopped[0] == "field_limit"
    assert project.outcomes() == {}


def test_r15_a_list_that_is_gone_is_asked_for_once_and_the_others_go_on(sending: Make) -> None:
    project = sending()
    project.patient(at_once_bulk=1)
    gone = {"msg": "error.lists.invalidListId(7)", "code": "Success", "params": {"listId": 7}}
    project.write_down("subscribe", [{"email": f"p{nth}@ex.com"} for nth in range(1_500)], '{"listId":7}')
    project.write_down("subscribe", [{"email": "other@ex.com"}], '{"listId":8}')
    project.answer(gone, 400)
    project.answer(bulk(1, 0))
    tally = project.send()
    assert (len(project.sent()), tally.stopped) == (2, None)
    outcomes = project.outcomes()
    assert outcomes.pop("1501") == ACKED
    assert set(outcomes.values()) == {("deferred", "list_not_found")}


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (409, "ForgottenUserError", ("rejected", "user_forgotten")),
        (409, "ExternalKeyConflict", ("rejected", "identity_conflict")),
        (400, "UserIdAlreadyExists", ("rejected", "identity_conflict")),
        (400, "EmailAlreadyExists", ("rejected", "email_already_exists")),
        (400, "InvalidEmailAddressError", ("rejected", "invalid_email")),
        (400, "InvalidUserIdError", ("rejected", "invalid_user_id")),
        (400, "UnknownUserIdError", ("rejected", "unknown_user_id")),
        (400, "BadParams", ("rejected", "bad_params")),
        (400, "SomethingNew", ("rejected", "iterable_error")),
    ],
)
def test_r16_codes_of_single_requests(sending: Make, status: int, code: str, outcome: tuple[str, str]) -> None:
    project = sending()
    project.write_down("user", [user("a@ex.com")])
    project.answer({"msg": "No: somebody@ex.com", "code": code, "params": None}, status)
    project.send()
    assert project.outcomes() == {"1": outcome}
    (message,) = project.workspace.con.execute("select message from state.outcomes").fetchone()
    assert "somebody" not in message


def test_r17_an_answer_that_is_none_is_asked_for_once_more_then_put_off(sending: Make) -> None:
    project = sending()
    project.write_down("users", [user("a@ex.com")])
    project.sandbox.fault("html200", "/api/users/bulkUpdate", times=None)
    tally = project.send()
    assert len(project.sandbox.requests("/api/users/bulkUpdate")) == 2
    assert project.outcomes() == {"1": ("deferred", "unreadable_answer")}
    assert tally.gave_up


def test_r18_what_iterable_works_on_later_is_accepted(sending: Make) -> None:
    project = sending(EVENTS)
    project.write_down("events", [event("u1", "Ping", 1)])
    project.write_down("subscriptions", [{"userId": "u1", "emailListIds": [1]}])
    project.answer(bulk(1, 0), times=2)
    project.send()
    assert set(project.outcomes().values()) == {ACCEPTED}


def _mismatch(field: str, expected: str, incoming: str, value: str) -> dict:
    error = {"expectedType": expected, "incomingTypes": [incoming], "offendingValue": value, "category": "user"}
    return {"msg": "mismatch", "code": "RequestFieldsTypesMismatched", "params": {"validationErrors": {field: error}}}


def _dropping() -> UserSync:

    return USERS.model_copy(update={"on_type_mismatch": "drop_field"})


def refuse(project: Sending, email: str) -> None:
    """Have the sandbox refuse, as a whole, every request that holds this address."""
    project.sandbox.fault("status", "/api/users/bulkUpdate", holds=email, times=None, status=400, body={})


def test_a_project_that_takes_nothing_at_all_is_not_asked_two_thousand_times(sending: Make) -> None:
    project = sending()
    project.write_down("users", [user(f"p{nth}@ex.com", n=nth) for nth in range(1000)])
    project.sandbox.fault("status", "/api/users/bulkUpdate", times=None, status=400, body={"code": "SomethingNew"})
    tally = project.send()
    assert tally.stopped is not None
    assert (tally.stopped[0], tally.gave_up) == ("refused_all", False)
    assert tally.requests <= 20 * 11


def test_i8_an_address_somebody_has_is_merged_where_the_sync_says_so(sending: Make) -> None:
    merging = USERS.model_copy(update={"on_email_exists": "merge"})
    project = sending(merging, project_type="email")
    project.write_down("users", [user("old@ex.com", a=1), user("new@ex.com", b=2)])
    project.send()
    project.write_down("email_change", [{"currentEmail": "old@ex.com", "newEmail": "new@ex.com"}])
    project.send()
    assert [each.path for each in project.sandbox.requests()][1:] == ["/api/users/updateEmail", "/api/users/merge"]
    assert project.outcomes()["3"] == ACKED
    assert project.sandbox.world.find_user("old@ex.com") is None


@pytest.mark.parametrize("last", [429, 401])
def test_r12_what_may_have_been_applied_stays_in_doubt_whatever_is_answered_later(sending: Make, last: int) -> None:
    project = sending()
    project.patient(attempts=3)
    project.write_down("users", [user("a@ex.com")])
    project.sandbox.fault("lost_answer", "/api/users/bulkUpdate")
    project.answer({"msg": "No", "code": "No", "params": None}, last, times=2)
    project.send()
    project.merge()
    assert project.workspace.con.execute("select pk, in_doubt from state.acked").fetchall() == [("1", True)]


def test_1_6_an_address_that_was_changed_before_counts_as_changed(sending: Make) -> None:
    project = sending(project_type="email")
    project.write_down("users", [user("new@ex.com", a=1)])
    project.send()
    project.write_down("email_change", [{"currentEmail": "old@ex.com", "newEmail": "new@ex.com"}])
    project.write_down("email_change", [{"currentEmail": "older@ex.com", "newEmail": "nobody@ex.com"}])
    project.send()
    assert project.outcomes() == {"1": ACKED, "2": ACKED, "3": ("rejected", "unknown_email")}
