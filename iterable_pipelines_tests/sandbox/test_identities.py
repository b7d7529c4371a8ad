"""New addresses, merges, deletions, forgetting: profile, events and lists follow (api.md 6.1)."""

import pytest

from iterable_pipelines_tests.sandbox.project import failures, project

ANN, BO = {"email": "ann@example.com"}, {"email": "bo@example.com"}


@pytest.fixture
def running():
    with project() as found:
        found.bulk(ANN | {"userId": "u1", "dataFields": {"n": 1, "tags": ["a", "b"]}}, BO | {"dataFields": {"m": 2}})
        found.post("events/trackBulk", events=[each | {"eventName": "x", "id": each["email"]} for each in (ANN, BO)])
        yield found


def owners(running):
    return {each["id"]: each.get("email") for each in running.world.written_events("customEvent")}


@pytest.mark.parametrize("current", [{"currentEmail": " Ann@example.com"}, {"currentUserId": "u1"}])
def test_a_new_address_takes_everything_along(running, current):
    assert running.post("users/updateEmail", **current, newEmail="New@example.com").json()["code"] == "Success"
    assert running.user("ann@example.com") is None and running.user("new@example.com")["n"] == 1
    assert owners(running) == {"ann@example.com": "new@example.com", "bo@example.com": "bo@example.com"}
    events = running.get("events/new@example.com").json()["events"]
    assert [each["eventName"] for each in events] == ["x"]


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"currentEmail": "no@example.com", "newEmail": "new@example.com"}, 400, "UnknownEmailError"),
        ({"currentUserId": "no", "newEmail": "new@example.com"}, 400, "UnknownUserIdError"),
        ({"currentEmail": "ann@example.com", "newEmail": "bo@example.com"}, 400, "EmailAlreadyExists"),
        ({"currentEmail": "ann@example.com", "newEmail": "nonsense"}, 400, "InvalidEmailAddressError"),
        ({"currentEmail": "nonsense", "newEmail": "new@example.com"}, 400, "InvalidEmailAddressError"),
        ({"currentEmail": "ann@example.com", "newEmail": "forgotten1@example.com"}, 409, "ForgottenUserError"),
    ],
)
def test_addresses_that_cannot_be_changed(running, asked, status, code):
    before = running.world.snapshot_of_writes()
    answer = running.post("users/updateEmail", **asked)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert running.world.snapshot_of_writes() == before


def test_update_email_is_for_email_projects_only():
    with project("hybrid") as running:
        running.bulk(ANN)
        assert running.post("users/updateEmail", currentEmail=ANN["email"], newEmail="n@example.com").status_code == 400


def test_a_merge_moves_fields_and_events_and_removes_the_source(running):
    running.bulk(BO | {"dataFields": {"n": 5, "tags": ["b", "c"]}})
    asked = {"sourceEmail": ANN["email"], "destinationEmail": BO["email"], "arrayMerge": [{"field": "tags"}]}
    assert running.post("users/merge", **asked).json()["code"] == "Success"
    after = running.user("bo@example.com")
    assert (after["n"], after["m"], after["tags"]) == (5, 2, ["b", "c", "a"])
    assert running.user("ann@example.com") is None and set(owners(running).values()) == {"bo@example.com"}
    assert running.post("users/merge", **asked).json()["code"] == "UnknownEmailError"  # R12: a second call fails


def test_a_merge_into_nobody_renames_and_dedupe_by_needs_objects(running):
    asked = {"sourceEmail": ANN["email"], "arrayMerge": [{"field": "tags", "dedupeBy": "id"}]}
    assert running.post("users/merge", **asked, destinationEmail=BO["email"]).json()["code"] == "BadParams"
    assert running.post("users/merge", **asked, destinationEmail="new@example.com").status_code == 200
    assert running.user("new@example.com")["n"] == 1 and owners(running)["ann@example.com"] == "new@example.com"


def test_forgetting_removes_blocks_and_shows_a_hash_until_unforgotten(running):
    hashes = running.get("users/forgotten").json()["hashedEmails"]
    assert running.post("users/forget", email="Ann@example.com").status_code == 200
    assert running.user("ann@example.com") is None and list(owners(running)) == ["bo@example.com"]
    assert len(running.get("users/forgotten").json()["hashedEmails"]) == len(hashes) + 1
    assert failures(running.bulk(ANN)) == {"forgottenEmails": ["ann@example.com"]}
    assert running.post("users/forget", userId="u2").json()["code"] == "BadParams"
    assert running.post("users/unforget", **ANN).status_code == 200
    assert running.get("users/forgotten").json()["hashedEmails"] == hashes
    assert running.bulk(ANN)["successCount"] == 1 and "n" not in running.user("ann@example.com")


def test_a_deleted_user_may_come_back(running):
    assert running.delete("users/Ann@example.com").status_code == 200
    assert running.user("ann@example.com") is None and list(owners(running)) == ["bo@example.com"]
    again = running.delete("users/ann@example.com")
    assert (again.status_code, again.json()["code"]) == (400, "BadParams") and "does not exist" in again.json()["msg"]
    assert running.bulk(ANN)["successCount"] == 1


def test_userid_projects_delete_and_forget_by_user_id_only():
    with project("userid") as running:
        running.bulk({"userId": "u1", "dataFields": ANN}, {"userId": "u2"})
        assert running.delete("users/ann@example.com").status_code == 400
        assert running.post("users/forget", **ANN).status_code == 400
        assert running.delete("users/byUserId/u1").status_code == running.post("users/forget", userId="u2").status_code
        assert running.export("user") == [] and failures(running.bulk({"userId": "u2"})) == {"forgottenUserIds": ["u2"]}


def test_deletions_take_their_time():
    with project(settle_seconds={"single": 60}) as running:
        running.bulk(ANN)
        assert running.delete("users/ann@example.com").status_code == 200 and running.user("ann@example.com")
        running.world.settle(everything=True)
        assert running.user("ann@example.com") is None


def test_seeded_people_and_their_events_are_erased_or_renamed_too():
    with project(users=40) as running:
        events = running.export("emailSend")
        names = sorted({each["email"].strip().lower() for each in events if each.get("email")})
        gone, renamed = [name for name in names if running.user(name)][:2]
        assert running.post("users/forget", email=gone).status_code == 200
        assert running.post("users/updateEmail", currentEmail=renamed, newEmail="new@example.com").status_code == 200
        kept = [(each.get("email") or "").strip().lower() for each in running.export("emailSend")]
        before = [(each.get("email") or "").strip().lower() for each in events]
        assert len(kept) == len(before) - before.count(gone) and gone not in kept and renamed not in kept
        assert kept.count("new@example.com") == before.count(renamed) > 0
        assert running.user(gone) is None and running.user(renamed) is None and running.user("new@example.com")
