"""`sync`: what would be sent, what was, and what is said of rows and syncs that are wrong or not there."""

import json
from collections.abc import Callable

import pytest

from iterable_pipelines_tests.activation.conftest import Activation, activation_project
from iterable_pipelines_tests.cli.command import CommandHere

__all__ = ["activation_project"]

SYNC = """
object: user
source: shop.people
primary_key: id
match: {column: email, field: email}
fields: {first_name: firstName}
max_failure_ratio: 0.5
verify_after_seconds: 0
"""
PEOPLE = "select * from (values (1, 'ada@ex.com', 'Ada'), (2, 'bob@ex.com', 'Bob')) t(id, email, first_name)"
ONE_IS_WRONG = PEOPLE.replace("(2,", "(3, 'nobody', 'X'), (2,")


@pytest.fixture
def shop(activation_project: Callable[..., Activation]) -> Activation:
    """A project with two people in a table."""
    project = activation_project()
    project.table("shop.people", PEOPLE)
    project.sync("people", SYNC)
    return project


@pytest.fixture
def here(shop: Activation, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandHere:
    """The command line of that project, in this process."""
    return CommandHere(shop.settings.project_root, monkeypatch, capfd, **settings_of(shop))


def settings_of(shop: Activation) -> dict[str, str]:
    names = ("base_url", "data_dir", "project_type")
    return {name: str(getattr(shop.settings, name)) for name in names} | {"api_key": shop.sandbox.key}


def test_from_the_plan_to_what_was_read_back(shop: Activation, here: CommandHere) -> None:
    said = here("sync", "plan", "people")
    assert said.code == 2, said.err
    assert shop.requests() == []
    said = here("sync", "run", "people")
    assert said.code == 0, said.err
    assert "people: succeeded: 2 planned, 2 acknowledged, 0 skipped, 0 rejected, 0 pending; 1 requests" in said.out
    assert "Next: iterable-pipelines sync verify people" in said.out
    assert [each["email"] for each in shop.requests()[0]["users"]] == ["ada@ex.com", "bob@ex.com"]
    said = here("sync", "verify", "people")
    assert said.code == 0, said.err
    assert "Read back" in said.out
    said = here("sync", "list")
    assert said.code == 0 and "succeeded" in said.out
    said = here("sync", "plan", "people")
    assert (said.code, said.out.splitlines()[0]) == (0, "people: 2 rows, and nothing is new about them.")


def test_the_exit_code_of_a_plan_says_what_was_found(shop: Activation, here: CommandHere) -> None:
    shop.run("people")
    assert here("sync", "plan", "people").code == 0
    shop.table("shop.people", PEOPLE.replace("'Bob'", "'Rob'"))
    assert here("sync", "plan", "people").code == 2
    shop.table("shop.people", ONE_IS_WRONG)
    said = here("sync", "plan", "people")
    assert said.code == 3 and "- row 3: invalid_email: email: not an e-mail address" in said.out
    shop.table("shop.people", f"{PEOPLE} limit 0")
    said = here("sync", "plan", "people")
    assert said.code == 4 and "empty_source" in said.out + said.err
    assert here("sync", "plan", "people", "--approve", "empty_source").code != 4


def test_a_plan_as_json_is_the_same_each_time(shop: Activation, here: CommandHere) -> None:
    first = here("sync", "plan", "people", "--json", "--offline", "--as-of", "2026-11-01T03")
    assert first.code == 2, first.err
    assert json.loads(first.out)["sync"] == "people"
    assert here("sync", "plan", "people", "--json", "--offline", "--as-of", "2026-11-01T03").out == first.out


def test_a_row_is_previewed_with_its_values_and_sent_alone(shop: Activation, here: CommandHere) -> None:
    said = here("sync", "preview", "people", "--pk", "2")
    assert "bulkUpdate" in said.out and '"firstName":"Bob"' in said.out.replace(" ", "")
    assert shop.requests() == []
    said = here("sync", "send", "people", "--pk", "2")
    assert said.code == 0, said.err
    assert "Iterable: add: acked" in said.out
    assert [each["email"] for each in shop.requests()[0]["users"]] == ["bob@ex.com"]
    said = here("sync", "preview", "people", "--pk", "9")
    assert said.code == 1 and "9" in said.err


def test_rows_that_are_not_there_are_listed_by_code_without_their_values(shop: Activation, here: CommandHere) -> None:
    said = here("sync", "errors", "people")
    assert said.code == 0 and "no row has an open error" in said.out
    shop.table("shop.people", ONE_IS_WRONG)
    shop.run("people")
    said = here("sync", "errors", "people")
    assert said.code == 0 and "invalid_email" in said.out and "nobody" not in said.out
    assert "no row has user_not_found" in here("sync", "errors", "people", "--code", "user_not_found").out


def test_the_state_is_reset_when_asked_twice(shop: Activation, here: CommandHere) -> None:
    shop.run("people")
    said = here("sync", "reset", "people", "resend", "--yes")
    assert said.code == 0, said.err
    assert here("sync", "plan", "people").code == 2
    said = here("sync", "reset", "people", "rebaseline", "--yes")
    assert said.code == 0, said.err
    assert here("sync", "plan", "people").code == 0
    said = here("sync", "reset", "people", "pk", "--pk", "1")
    assert said.code == 0 and here("sync", "plan", "people").code == 2
    assert here("sync", "reset", "people", "pk").code == 2
    assert "people: nothing is in doubt." in here("sync", "resolve", "people", "drop").out
    assert len(shop.requests()) == 1


def test_s10_a_new_key_of_the_same_project_is_taken_when_somebody_says_so(shop: Activation, here: CommandHere) -> None:
    shop.run("people")
    said = here(
        "sync", "reset", "people", "resend", "--yes", base_url=shop.sandbox.url.replace("127.0.0.1", "localhost")
    )
    assert said.code == 1 and "iterable-pipelines sync reset people project" in said.err
    said = here(
        "sync", "reset", "people", "project", "--yes", base_url=shop.sandbox.url.replace("127.0.0.1", "localhost")
    )
    assert said.code == 0 and "2 records are taken for acknowledged" in said.out
    assert here("sync", "reset", "people", "resend", "--yes").code == 1


def test_exposures_are_written_once_and_checked(
    shop: Activation, here: CommandHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shop.settings.project_root / "exposures.yml"
    monkeypatch.setattr("iterable_pipelines.activation.exposures.exposures_path", lambda settings: path)
    # parsing the models takes seconds, and none of them is read
    monkeypatch.setattr("iterable_pipelines.activation.models.models", lambda settings: {})
    assert here("sync", "exposures", "--check").code == 1
    assert here("sync", "exposures").code == 0
    assert "sync_people" in path.read_text()
    said = here("sync", "exposures", "--check")
    assert said.code == 0 and "up to date: 1 syncs" in said.out


def test_a_failed_run_says_why_what_is_safe_and_what_to_type_and_nothing_else(
    shop: Activation, here: CommandHere
) -> None:
    shop.sync("people", SYNC.replace("0.5", "0.1"))
    shop.table("shop.people", ONE_IS_WRONG)
    said = here("sync", "run", "people")
    assert said.code == 1
    assert said.err.strip().endswith("safe.\nNext: iterable-pipelines sync errors people")
    # neither Dagster nor the checks, which did not run, add to it
    assert [each.partition(": ")[0] for each in said.out.splitlines()] == ["people"]


def test_a_guard_that_nothing_lets_pass_has_a_name_and_a_way_out(shop: Activation, here: CommandHere) -> None:
    shop.run("people")
    (shop.settings.project_root / "syncs" / "people.yml").unlink()
    trait = SYNC.replace("object: user", "object: trait\ntrait_name: First Name\nkey: firstName\nvalue: id")
    shop.sync("named", trait.replace("fields: {first_name: firstName}\n", ""))
    said = here("sync", "plan", "named")
    assert said.code == 4 and "- stops: type_conflict: the field firstName is of type string" in said.out
    assert "Next: correct syncs/named.yml, then iterable-pipelines sync plan named" in said.out


def test_what_cannot_be_done_is_said(shop: Activation, here: CommandHere) -> None:
    said = here("sync", "plan")
    assert said.code == 2 and "name syncs, or --all; there are people" in said.err
    said = here("sync", "run", "poeple")
    assert said.code == 2 and "did you mean people?" in said.err
    said = here("sync", "plan", "people", "--approve", "mass_exits")
    assert said.code == 1 and "did you mean mass_exit?" in said.err
    shop.sync("people", SYNC + "enabled: false\n")
    said = here("sync", "list")
    assert said.code == 0 and "switched off" in said.out
    shop.sync("people", SYNC.replace("mode", "mod") + "mod: upsert\n")
    said = here("sync", "list")
    assert said.code == 1 and "syncs/people.yml, line 9, mod: no such field, did you mean mode?" in said.err
    (shop.settings.project_root / "syncs" / "people.yml").unlink()
    assert "There is no sync yet" in here("sync", "list").out
    assert shop.requests() == []
