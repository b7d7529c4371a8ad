"""Users from a table to Iterable: once, and again only where something changed."""

from collections.abc import Callable

import pytest

from iterable_pipelines.api import REGIONS, Patience
from iterable_pipelines.sandbox.request_log import fingerprint
from iterable_pipelines.settings import SettingsError
from iterable_pipelines_tests.activation.conftest import Activation

PEOPLE = """
object: user
source: marts.people
primary_key: id
match: {column: email, field: email}
fields: {first_name: firstName, city: address.city}
"""


def test_rows_are_sent_once_and_again_only_where_they_changed(activation_project: Callable[..., Activation]) -> None:
    project = activation_project("email")
    project.sync("people", PEOPLE)
    project.table(
        "marts.people",
        "from (values (1, 'a@ex.com', 'Ann', 'Oslo'), (2, 'B@ex.com', 'Bo', null)) t(id, email, first_name, city)",
    )

    report = project.run("people")

    assert (report.status, report.counts) == ("succeeded", {"add": {"acked": 2}})
    (request,) = project.requests("/api/users/bulkUpdate")
    assert [each["email"] for each in request["users"]] == ["a@ex.com", "b@ex.com"]
    assert project.sandbox.world.find_user("a@ex.com")["firstName"] == "Ann"

    assert project.run("people").counts == {}
    assert len(project.requests()) == 1

    project.table(
        "marts.people",
        "from (values (1, 'a@ex.com', 'Anna', 'Oslo'), (2, 'B@ex.com', 'Bo', null)) t(id, email, first_name, city)",
    )
    assert project.run("people").counts == {"change": {"acked": 1}}
    assert [each["email"] for each in project.requests()[1]["users"]] == ["a@ex.com"]


def test_b8_the_key_travels_in_its_header_and_the_region_is_one_of_two(
    activation_project: Callable[..., Activation],
) -> None:
    project = activation_project("email")
    project.sync("people", PEOPLE)
    project.table("marts.people", "select 1 as id, 'a@ex.com' as email, 'Ann' as first_name, 'Oslo' as city")
    project.run("people")
    (asked,) = project.sandbox.requests("/api/users/bulkUpdate")
    assert asked.key == fingerprint(project.sandbox.key) and asked.params == []
    assert asked.headers["content-type"] == "application/json"
    assert project.sandbox.key not in asked.body + str(asked.headers)
    assert Patience().first_byte >= 30
    assert REGIONS == {"us": "https://api.iterable.com", "eu": "https://api.eu.iterable.com"}
    project.sync("people", PEOPLE + "connection: {key_env: OTHER_KEY, region: us2, project_type: email}\n")
    with pytest.raises(SettingsError, match=r"people.yml, line \d+, connection.region: .*'us' or 'eu'"):
        project.run("people")
