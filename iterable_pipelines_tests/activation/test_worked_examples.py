"""The worked examples X01 to X41 of outbound.md 1.13 over real HTTP: a table in, requests at the sandbox out."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from iterable_pipelines.settings import SettingsError
from iterable_pipelines_tests.activation.compile.worked_examples import EMAIL_CHANGE, EXAMPLES, USERS, Example
from iterable_pipelines_tests.activation.conftest import Activation

Make = Callable[..., Activation]
USER = "object: user\nsource: made.rows\nprimary_key: pk\nmatch: {column: user_id, field: userId}\n"


def write(project: Activation, example: Example) -> str:
    """The example's row as a table, and its sync; returns the sync's name."""
    said = dict(example.sync)
    name = said.pop("name", "s")
    usual: dict[str, Any] = {"source": "made.rows", "primary_key": "pk"}
    if said["object"] not in ("user",):
        usual["first_run"] = "backfill"
    project.sync(name, yaml.safe_dump(usual | said))
    rows(project, example.row)
    return name


def rows(project: Activation, row: dict[str, Any]) -> None:
    """made.rows holds this row alone."""
    columns = ", ".join(f'{sql(value)} as "{column}"' for column, value in ({"pk": "1"} | row).items())
    project.table("made.rows", f"select {columns}")


def sql(value: Any) -> str:
    if isinstance(value, dict):
        return "'" + json.dumps(value).replace("'", "''") + "'::json"
    if isinstance(value, float):
        return f"{value}::double"
    if value is None:
        return "null::varchar"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def arrived(project: Activation) -> list[tuple[str, dict[str, Any]]]:
    """Path and body of every write that the sandbox got."""
    asked = project.sandbox.requests("/api/")
    return [(each.path, json.loads(each.body)) for each in asked if each.method != "GET"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name.replace(" ", "_"))
def test_each_example_sends_exactly_its_requests(example: Example, activation_project: Make) -> None:
    project = activation_project(example.project)
    project.run(write(project, example))
    assert arrived(project) == list(example.requests)
    # what Iterable says of users that it does not know has an output
    found = project.state("select severity, code, path from state.issues where output = ''")
    noted = {severity: (code, path) for severity, code, path in found}
    told = {"error": example.wrong, "warning": example.warned, "skipped": example.skipped and (example.skipped, "")}
    assert noted == {severity: what for severity, what in told.items() if what}


def test_x14_a_managed_field_is_refused_before_anything_starts(activation_project: Make) -> None:
    project = activation_project()
    project.sync("s", USER + "fields:\n  lists: emailListIds\n")
    with pytest.raises(SettingsError, match="line 5, fields: emailListIds is managed by Iterable; use object: list"):
        project.run("s")


def test_x15_placeholder_then_real_address(activation_project: Make) -> None:
    project = activation_project("email")
    project.sync("s", USER + "fields: {email: email}\nplaceholder_email: true\n")
    rows(project, {"user_id": "u9", "email": None})
    project.run("s")
    placeholder = {"email": "u9@placeholder.email", "userId": "u9"}
    assert arrived(project) == [(USERS, {"users": [placeholder]})]
    rows(project, {"user_id": "u9", "email": "kim@ex.com"})
    project.run("s")
    assert arrived(project)[1:] == [
        (EMAIL_CHANGE, {"currentEmail": "u9@placeholder.email", "newEmail": "kim@ex.com"}),
        (USERS, {"users": [{"email": "kim@ex.com", "userId": "u9"}]}),
    ]
    # and that is all there is to say
    project.run("s")
    assert len(arrived(project)) == 3


def test_i8_a_new_address_that_somebody_else_has(activation_project: Make) -> None:
    project = activation_project("email")
    project.sync("kim", USER.replace("made.rows", "made.kim").replace("userId", "email"))
    project.table("made.kim", "select 1 as pk, 'kim@ex.com' as user_id")
    project.run("kim")
    project.sync("s", USER + "fields: {email: email}\nplaceholder_email: true\n")
    for email in (None, "kim@ex.com"):
        rows(project, {"user_id": "u9", "email": email})
        project.run("s")
    # the record that needs the change was not sent
    assert [path for path, _ in arrived(project)] == [USERS, USERS, EMAIL_CHANGE]
    assert ("email_change", "email_already_exists") in project.state("select output, code from state.issues", "s")
