"""Users from a table to Iterable: once, and again only where something changed."""

from collections.abc import Callable

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
