"""Who a row means in each type of project (api.md 1.8; outbound I3, I6, 1.3)."""

import pytest

from iterable_pipelines_tests.sandbox.project import failures, project


@pytest.fixture
def by_email():
    with project("email") as running:
        yield running


@pytest.fixture
def by_user_id():
    with project("userid") as running:
        yield running


@pytest.fixture
def hybrid():
    with project("hybrid") as running:
        yield running


def test_i3_in_an_email_project_the_address_says_who_and_the_user_id_is_overwritten(by_email):
    by_email.bulk({"email": "a@example.com", "userId": "one"})
    by_email.bulk({"email": " A@Example.com", "userId": "two", "dataFields": {"n": 1}})
    assert by_email.user("two") | {"email": "a@example.com", "n": 1} == by_email.user("a@example.com")
    assert by_email.user("one") is None and len(by_email.export("user")) == 1


def test_user_ids_are_not_unique_in_an_email_project(by_email):
    by_email.bulk({"email": "a@example.com", "userId": "same"}, {"email": "b@example.com", "userId": "same"})
    assert len(by_email.export("user")) == 2
    assert by_email.delete("users/byUserId/same").status_code == 200 and by_email.export("user") == []


def test_i6_an_unknown_user_id_is_created_with_a_placeholder_only_if_preferred(by_email):
    row = {"userId": "c-77", "dataFields": {"tier": "gold"}}
    for more in ({}, {"preferUserId": False}):
        assert failures(by_email.bulk(row | more)) == {"notFoundUserIds": ["c-77"]}
        assert by_email.post("users/update", **row, **more).json()["code"] == "UnknownUserIdError"
    assert by_email.bulk(row | {"preferUserId": True})["successCount"] == 1
    user = by_email.user("c-77")
    assert user["email"].endswith("@placeholder.email") and user["tier"] == "gold"
    assert by_email.bulk(row)["successCount"] == 1 and len(by_email.export("user")) == 1


def test_an_address_inside_data_fields_changes_nobody_in_an_email_project(by_email):
    by_email.bulk({"email": "a@example.com", "dataFields": {"email": "b@example.com", "n": 1}})
    assert by_email.user("a@example.com")["n"] == 1 and by_email.user("b@example.com") is None


def test_a_userid_project_needs_the_user_id(by_user_id):
    answer = by_user_id.bulk({"email": "a@example.com"}, {})
    assert failures(answer) == {"invalidEmails": ["a@example.com"], "invalidUserIds": [""]}
    by_user_id.bulk({"userId": "C-77", "dataFields": {"email": "Bo@ex.com"}})
    assert by_user_id.user("C-77")["email"] == "bo@ex.com" and by_user_id.user("c-77") is None


@pytest.mark.parametrize("kind", ["userid", "hybrid"])
def test_data_fields_email_changes_the_address_unless_it_is_taken(kind):
    with project(kind) as running:
        running.bulk({"userId": "u1", "dataFields": {"email": "a@example.com"}}, {"userId": "u2"})
        assert running.bulk({"userId": "u1", "dataFields": {"email": "Kim@New.ex"}})["successCount"] == 1
        assert running.user("u1")["email"] == "kim@new.ex" and running.user("a@example.com") is None
        row = {"userId": "u2", "dataFields": {"email": "kim@new.ex"}}
        assert failures(running.bulk(row)) == {"conflictEmails": ["kim@new.ex"]}
        answer = running.post("users/update", **row)
        assert (answer.status_code, answer.json()["code"]) == (409, "EmailAlreadyExists")
        assert running.bulk({"userId": "u2", "dataFields": {"email": "a@example.com"}})["successCount"] == 1


def test_in_a_hybrid_project_either_identifies_and_both_must_agree(hybrid):
    hybrid.bulk({"email": "a@example.com"}, {"userId": "u1"}, {"email": "b@example.com", "userId": "u2"})
    rows = [{"email": "a@example.com", "userId": "u1"}, {"email": "b@example.com", "userId": "u3"}]
    assert failures(hybrid.bulk(*rows)) == {"conflictEmails": ["a@example.com", "b@example.com"]}
    assert hybrid.bulk({"email": "a@example.com", "userId": "u9"})["successCount"] == 1
    assert hybrid.user("u9")["email"] == "a@example.com" and len(hybrid.export("user")) == 3
    row = {"email": "a@example.com", "dataFields": {"userId": "u1"}}
    assert failures(hybrid.bulk(row)) == {"conflictUserIds": ["u1"]}
    assert hybrid.post("users/update", **row).json()["code"] == "UserIdAlreadyExists"


def test_everybody_in_such_projects_has_an_id_of_iterables_own(hybrid):
    hybrid.bulk({"email": "a@example.com"}, {"userId": "u1"})
    assert len({each["itblUserId"] for each in hybrid.export("user")}) == 2


@pytest.mark.parametrize("name", ["", "x" * 53, "ü-1", "blank ", "line\n"])
def test_user_ids_that_nobody_may_have(hybrid, name):
    row = {"email": "a@example.com", "userId": name} if not name else {"userId": name}
    assert failures(hybrid.bulk(row)) == {"invalidUserIds": [name]}


def test_identifiers_come_back_as_iterable_keeps_them(hybrid):
    rows = [{"email": " BAD@@x "}, {"email": "Forgotten2@Example.com "}, {"userId": "u-forgotten1"}]
    assert failures(hybrid.bulk(*rows)) == {
        "invalidEmails": ["bad@@x"],
        "forgottenEmails": ["forgotten2@example.com"],
        "forgottenUserIds": ["u-forgotten1"],
    }


def test_seeded_people_are_met_by_either_name_and_lose_the_one_that_changes():
    with project("hybrid", users=60) as running:
        people = running.world.all_records("user")
        person = next(each for each in people if each.get("email") and each.get("userId"))
        email = person["email"].strip().lower()
        running.bulk({"userId": person["userId"], "dataFields": {"email": "renamed@example.com", "city": None}})
        assert running.world.find_user(email) is None and len(running.world.all_records("user")) == len(people)
        after = running.world.find_user("renamed@example.com")
        assert after["userId"] == person["userId"] and "city" not in after
        assert after.get("signupDate") == person["signupDate"]


@pytest.mark.parametrize(("reading", "status", "body"), [("empty", 200, {}), ("400", 400, None), ("500", 500, None)])
def test_g4_a_missing_user_is_said_in_three_ways(reading, status, body):
    with project("hybrid", missing_user=reading) as running:
        for path, name in (("users/getByEmail", {"email": "no@example.com"}), ("users/byUserId", {"userId": "no"})):
            answer = running.get(path, **name)
            assert answer.status_code == status
            assert answer.json() == body or answer.json()["code"] == "error.users.noUserWithIdExists"
