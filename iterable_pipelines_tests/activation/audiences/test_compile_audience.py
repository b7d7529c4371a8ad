"""What an audience sends for those who enter and leave (outbound.md P3–P8)."""

from datetime import datetime
from typing import Any, cast

import pytest

from iterable_pipelines.activation.compile.audience import AudienceCompiler
from iterable_pipelines.activation.compile.rows import Settled
from iterable_pipelines.activation.memberships import AudienceSync
from iterable_pipelines.activation.project import ProjectType
from iterable_pipelines.activation.records import Record, payload_hash
from iterable_pipelines_tests.activation.audiences.syncs import AS_OF, NOON, WIN_BACK, acknowledged, sync_of


def compiler(
    project: ProjectType = "hybrid",
    as_of: datetime = AS_OF,
    outputs: tuple[str, ...] = ("identify", "track", "list"),
    **changes: Any,
) -> AudienceCompiler:
    sync = cast(AudienceSync, sync_of(WIN_BACK, **{"as": outputs, **changes}))
    return AudienceCompiler(Settled(sync, project, as_of))


def entries(row: dict[str, Any], seq: int = 0, **changes: Any) -> dict[str, Record]:
    compiled = compiler(**changes).compile("1", row, seq)
    assert not compiled.issues and not compiled.skipped
    return {record.output: record for record in compiled.records}


def person(record: Record) -> str:
    return str(record.payload["id"].split(":")[2])


def test_p3_a_member_enters_by_field_event_and_list() -> None:
    found = entries({"email": " Ana@X.Example "})
    assert found["identify"].payload == {"email": "ana@x.example", "dataFields": {"win_back_90_days": True}}
    track = found["track"]
    assert track.payload == {
        "email": "ana@x.example",
        "eventName": "Audience Entered",
        "id": f"aud:win_back_90_days:{person(track)}:0:in",
        "createdAt": NOON,
        "dataFields": {"audience_key": "win_back_90_days", "win_back_90_days": True},
    }
    assert found["list"].payload == {"email": "ana@x.example"}
    assert {output: record.endpoint for output, record in found.items()} == {
        "identify": "users",
        "track": "events",
        "list": "subscribe",
    }
    assert {record.key for record in found.values()} == {"email:ana@x.example"}


def test_p3_who_leaves_gets_false_an_event_and_is_taken_off_the_list() -> None:
    audience = compiler()
    exits = {
        output: audience.leave(acknowledged(record)) for output, record in entries({"email": "ana@x.example"}).items()
    }
    identify, track, listed = exits["identify"], exits["track"], exits["list"]
    assert identify and track and listed
    assert identify.payload == {"email": "ana@x.example", "dataFields": {"win_back_90_days": False}}
    assert track.payload["eventName"] == "Audience Exited"
    assert track.payload["id"] == f"aud:win_back_90_days:{person(track)}:0:out"
    assert track.payload["dataFields"] == {"audience_key": "win_back_90_days", "win_back_90_days": False}
    assert (listed.endpoint, listed.payload) == ("unsubscribe", {"email": "ana@x.example"})
    assert listed.flags == {"channelUnsubscribe": False}


def test_p3_names_of_events_moments_and_flags_are_as_the_sync_says() -> None:
    changes: dict[str, Any] = {
        "entered_event": "Joined",
        "exited_event": "Left",
        "include_name": True,
        "changed_at": "since",
        "create_new_fields": False,
        "list": {"name": "x", "update_existing_users_only": True},
    }
    found = entries({"email": "ana@x.example", "since": datetime(2026, 10, 5, 8, 30)}, **changes)
    assert found["track"].payload["eventName"] == "Joined"
    assert found["track"].payload["createdAt"] == 1_791_189_000
    assert found["track"].payload["dataFields"]["audience_name"] == "Win Back 90 Days"
    assert found["identify"].flags == {"createNewFields": False}
    assert found["list"].flags == {"updateExistingUsersOnly": True}
    gone = compiler(**changes).leave(acknowledged(found["track"]))
    assert gone and (gone.payload["eventName"], gone.payload["createdAt"]) == ("Left", NOON)


def test_p4_a_later_moment_or_seq_is_no_change_of_a_member() -> None:
    earlier, later = entries({"email": "a@x.example"}), entries({"email": "a@x.example"}, 4, as_of=datetime(2027, 1, 1))
    assert {output: payload_hash(each) for output, each in earlier.items()} == {
        output: payload_hash(each) for output, each in later.items()
    }


def test_p6_a_re_entry_is_another_event_and_a_retry_the_same() -> None:
    row = {"email": "ana@x.example"}
    first, again, second = (entries(row, seq)["track"].payload["id"] for seq in (0, 0, 1))
    assert first == again
    assert second == first.replace(":0:in", ":1:in")


def test_p7_who_has_neither_address_nor_user_id_is_skipped() -> None:
    for row in ({"email": None}, {"email": "  "}):
        compiled = compiler().compile("1", row)
        assert (compiled.records, compiled.issues, compiled.skipped) == ((), (), "no_identifier")


def test_p7_who_cannot_be_a_user_is_invalid() -> None:
    compiled = compiler().compile("1", {"email": "nobody"})
    assert (compiled.records, [issue.code for issue in compiled.issues]) == ((), ["invalid_email"])


@pytest.mark.parametrize(
    "addresses",
    [["A@x.example", None, "a@x.example ", "b@x.example"], '["A@x.example", null, "a@x.example", "b@x.example"]'],
)
@pytest.mark.parametrize(
    ("emails", "expected"),
    [("all", ["a@x.example", "b@x.example"]), ("first", ["a@x.example"]), ("last", ["b@x.example"])],
)
def test_p8_a_user_with_several_addresses_is_several_users(emails: str, expected: list[str], addresses: object) -> None:
    compiled = compiler(emails_column="addresses", emails=emails, outputs=("identify",)).compile(
        "1", {"email": "main@x.example", "addresses": addresses}
    )
    assert [record.payload["email"] for record in compiled.records] == expected
    assert [record.key for record in compiled.records] == [f"email:{each}" for each in expected]


def test_p8_without_any_address_in_the_list_the_matched_column_counts() -> None:
    compiled = compiler(emails_column="addresses", outputs=("identify",)).compile(
        "1", {"email": "main@x.example", "addresses": [None, ""]}
    )
    assert [record.payload["email"] for record in compiled.records] == ["main@x.example"]


def test_i3_i6_the_types_of_projects() -> None:
    both: dict[str, Any] = {"fields": {"user_id": "userId"}}
    row = {"email": "ana@x.example", "user_id": "u1"}
    names = {
        project: {name: found["track"].payload[name] for name in ("email", "userId") if name in found["track"].payload}
        for project in ("email", "userid", "hybrid")
        if (found := entries(row, project=project, **both))
    }
    assert names == {
        "email": {"email": "ana@x.example", "userId": "u1"},
        "userid": {"userId": "u1"},
        "hybrid": {"email": "ana@x.example", "userId": "u1"},
    }
    # only records of users have the switch
    found = entries({"email": None, "user_id": "u1"}, project="email", **both)
    assert found["identify"].payload == {
        "userId": "u1",
        "preferUserId": True,
        "dataFields": {"win_back_90_days": True},
    }
    assert found["list"].payload == {"userId": "u1"}


def test_p8_who_leaves_is_named_by_what_entered_and_by_nothing_else() -> None:
    both: dict[str, Any] = {"fields": {"user_id": "userId"}}
    for output, record in entries({"email": "old@x.example", "user_id": "u1"}, project="hybrid", **both).items():
        assert record.payload["userId"] == "u1"
        gone = compiler(project="hybrid", **both).leave(acknowledged(record))
        # u1 may have come in by another address meanwhile, and stays
        assert gone and (gone.payload["email"], "userId" in gone.payload) == ("old@x.example", False), output


def test_an_output_that_was_taken_out_is_told_of_no_exit() -> None:
    track = entries({"email": "ana@x.example"})["track"]
    assert compiler(outputs=("identify",)).leave(acknowledged(track)) is None


def test_p10_one_record_at_a_time() -> None:
    found = entries({"email": "ana@x.example"}, delivery="single")
    assert (found["identify"].endpoint, found["track"].endpoint) == ("user", "event")
