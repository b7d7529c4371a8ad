"""Events and in-app messages of the people who are named, and of nobody else (outbound.md 4.5)."""

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from iterable_pipelines.api import IterableError
from iterable_pipelines.erasure.run import erase
from iterable_pipelines.erasure.tombstones import Tombstones, hash_of
from iterable_pipelines.imports.run import sample_columns, sample_rows
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines_tests.erasure.planted import bury, naming
from iterable_pipelines_tests.imports.conftest import Place, rows
from iterable_pipelines_tests.imports.test_postgres import found
from iterable_pipelines_tests.imports.test_runs import columns, types
from iterable_pipelines_tests.sandbox.project import NOW, Project
from iterable_pipelines_tests.sandbox.project import project as empty_project
from iterable_pipelines_tests.sandbox.test_writing_targets import campaign

Run = Any
ANN, BO = "ann@example.com", "bo@example.com"
CREATED = int(NOW.timestamp()) - 3600
EVENTS = f"data_type: user_events; emails: '{ANN}, {BO}'"
TYPED = columns("event_name string", "email string", "created_at timestamp", "data_fields json")


@pytest.fixture
def iterable() -> Iterator[Project]:
    """A project of both kinds of people, and nothing in it but what a test writes."""
    with empty_project("hybrid") as running:
        running.bulk({"email": ANN}, {"email": BO}, {"userId": "u/1"})
        yield running


@pytest.fixture
def sandbox(iterable: Project) -> Sandbox:
    return iterable.sandbox


def track(iterable: Project, **said: Any) -> None:
    iterable.post("events/track", **{"email": ANN, "createdAt": CREATED, "eventName": "one"} | said)


def asked(iterable: Project, path: str) -> int:
    return sum(each.method == "GET" for each in iterable.sandbox.requests(path))


def publish(project: Settings, sql: str) -> None:
    project.published_path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(project.published_path) as con:
        con.execute(f"create or replace table people as {sql}")


def test_a_second_run_adds_nothing_and_brings_what_changed(
    project: Settings, iterable: Project, place: Place, run: Run
) -> None:
    track(iterable, id="e1", dataFields={"n": 1})
    track(iterable, id="e2", email=BO)
    made = place("events", f"{EVENTS}; {TYPED}")
    assert run(made).rows == 2
    assert types(project)["_key"] == "VARCHAR" and types(project)["_record"] == "JSON"
    assert run(made).rows == 2
    track(iterable, id="e1", dataFields={"n": 2})
    track(iterable, id="e3", eventName="two")
    run(made)
    got = rows(project, "select email, event_name, data_fields ->> 'n', _record ->> 'email' from loaded order by _key")
    assert got == [(ANN, "one", "2", ANN), (BO, "one", None, BO), (ANN, "two", None, ANN)]
    assert rows(project, "select count(distinct _key), bool_and(created_at is not null) from loaded") == [(3, True)]


def test_what_is_shown_no_longer_stays_unless_the_mode_is_replace(
    project: Settings, iterable: Project, place: Place, run: Run
) -> None:
    track(iterable, id="e1")
    track(iterable, id="e2", email=BO)
    run(place("events", EVENTS))
    only_bo = f"data_type: user_events; emails: {BO}"
    run(place("events", only_bo))
    assert rows(project, "select count(*) from loaded") == [(2,)]
    run(place("events", only_bo, "mode: replace"))
    assert rows(project, "select email from loaded") == [(BO,)]


@pytest.mark.parametrize("twins", [1, 3])
def test_events_without_an_id_are_told_apart_by_what_they_say(
    project: Settings, place: Place, run: Run, iterable: Project, twins: int
) -> None:
    iterable.world.rules = iterable.world.rules.__class__(event_ids=False)
    for _ in range(twins):
        track(iterable, id=None)
    track(iterable, eventName="two")
    for _ in range(2):
        assert run(place("events", EVENTS)).rows == twins + 1
        assert rows(project, "select count(*), count(distinct _key) from loaded") == [(twins + 1, twins + 1)]


def test_one_person_in_two_spellings_is_asked_for_once(
    project: Settings, iterable: Project, place: Place, run: Run
) -> None:
    track(iterable, id="e1")
    run(place("events", f"data_type: user_events; emails: [{ANN}, ANN@example.com]"))
    assert asked(iterable, "/api/events/") == 1
    assert rows(project, "select count(*) from loaded") == [(1,)]


def test_people_of_a_query_by_either_name(project: Settings, iterable: Project, place: Place, run: Run) -> None:
    track(iterable, id="e1")
    iterable.post("events/track", userId="u/1", eventName="by id", id="e2", createdAt=CREATED)
    publish(
        project, f"select * from (values ('{ANN}', 'a-1'), (null, 'u/1'), (null, null), ('', '..')) t(email, user_id)"
    )
    run(place("events", "data_type: user_events; people: {sql: from people}"))
    assert rows(project, "select event_name from loaded order by 1") == [("by id",), ("one",)]
    assert asked(iterable, "/api/events/") == 2


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select 1 as one from people", "has no column email or user_id"),
        ("select email from nowhere", "nowhere does not exist"),
        ("select ('secret ' || email)::int as email from people", "ConversionException"),
    ],
)
def test_a_query_that_fails_asks_nothing(
    project: Settings, iterable: Project, place: Place, run: Run, sql: str, said: str
) -> None:
    publish(project, f"select '{ANN}' as email")
    with pytest.raises(SettingsError, match=said) as failed:
        run(place("events", f'data_type: user_events; people: {{sql: "{sql}"}}'))
    assert ANN not in str(failed.value) and "Nothing was asked or stored.\nNext: " in str(failed.value)
    assert asked(iterable, "/api/events/") == 0


def test_the_forgotten_are_not_asked_for_and_the_unknown_have_none(
    project: Settings, iterable: Project, place: Place, run: Run
) -> None:
    track(iterable, id="e1")
    track(iterable, id="e2", email=BO)
    Tombstones(project).add("email", [hash_of(BO)], "request")
    said = f"data_type: user_events; emails: [{ANN}, {BO}, nobody@example.com]; user_ids: [nobody]"
    assert run(place("events", said)).rows == 1
    assert rows(project, "select email from loaded") == [(ANN,)]
    assert asked(iterable, "/api/events/") == 3
    said = said.replace("user_events", "in_app_messages")
    assert run(place("messages", said, "table: messages; auto_create_table: true")).rows == 0


def test_nothing_of_the_erased_comes_back_by_a_file_that_names_them(
    project: Settings, iterable: Project, place: Place, run: Run
) -> None:
    track(iterable, id="e1", email=BO)
    bury(project, BO)
    assert erase(project, print).complete
    # a table of somebody else's has them again
    publish(project, f"select '{BO.upper()}' as email")
    made = place("events", f"data_type: user_events; emails: {BO}; people: {{sql: select email from people}}")
    assert run(made).rows == 0
    assert asked(iterable, "/api/events/") == 0
    assert naming(project.data_dir, BO) == {"iterable.read.duckdb"}


def test_messages_say_whose_they_are_and_a_second_run_updates_them(
    project: Settings, iterable: Project, place: Place, run: Run
) -> None:
    number = campaign(iterable)
    for who in ({"recipientEmail": ANN}, {"recipientUserId": "u/1"}):
        iterable.post("inApp/target", campaignId=number, **who)
    made = place("messages", f"data_type: in_app_messages; emails: {ANN}; user_ids: [u/1]")
    assert run(made).rows == 2
    got = rows(
        project, "select email, user_id, campaign_id, read, _key = 'id:' || message_id from loaded order by email"
    )
    assert got == [(ANN, None, str(number), "false", True), (None, "u/1", str(number), "false", True)]
    (message,) = rows(project, "select message_id from loaded where email is not null")[0]
    opened = {"email": ANN, "messageId": message, "createdAt": "2026-11-02 11:00:00 +00:00"}
    iterable.world.written.track("inAppOpen", opened, CREATED, CREATED, None)
    run(made)
    assert rows(project, "select email, read from loaded order by email") == [(ANN, "true"), (None, "false")]


def test_a_run_says_of_how_many_there_may_be_more(project: Settings, iterable: Project, place: Place, run: Run) -> None:
    events = [{"email": ANN, "eventName": "n", "id": str(nth), "createdAt": CREATED + nth} for nth in range(201)]
    iterable.post("events/trackBulk", events=events)
    stored = run(place("events", EVENTS))
    assert stored.rows == 200
    assert stored.notes["people_with_more"] == "1, of whom Iterable shows the newest 200 only"


def test_a_refusal_changes_nothing_and_names_nobody(
    project: Settings, iterable: Project, place: Place, run: Run
) -> None:
    track(iterable, id="e1")
    made = place("events", f"{EVENTS}; retry_limit: 0")
    run(made)
    iterable.sandbox.fault("status", path="/api/events/", status=400)
    with pytest.raises(IterableError, match="Nothing of it was stored") as failed:
        run(made)
    assert "example.com" not in f"{failed.value} {made.source.what} {rows(project, 'from _imports')}"
    assert rows(project, "select count(*) from loaded") == [(1,)]


def test_a_guess_and_a_preview_see_a_sample(project: Settings, iterable: Project, place: Place) -> None:
    track(iterable, id="e1", dataFields={"n": 1})
    made = place("events", EVENTS)
    guessed = {each.name: each.type for each in sample_columns(made, project, lambda text: None)}
    assert guessed["_key"] == "string" and guessed["_record"] == "json" and guessed["created_at"] == "timestamp"
    staged, shown = sample_rows(made, project, lambda text: None, 3)
    at = list(staged.columns).index("_record")
    assert [json.loads(str(row[at]))["eventName"] for row in shown] == ["one"]


def test_into_postgres(url: str, iterable: Project, place: Place, run: Run) -> None:
    target = "type: postgresql; database: '${REPORTING_URL}'; table: crm.events; auto_create_table: true"
    made = place("events", f"{EVENTS}; {TYPED}", target)
    assert run(made).rows == 0
    for n in (1, 2):
        track(iterable, id="e1", dataFields={"n": n})
        track(iterable, id=f"more{n}")
        run(made)
    got = found(url, "select _key, data_fields ->> 'n', _record ->> 'eventName' from crm.events order by _key")
    assert got == [(f"customEvent:{name}", n, "one") for name, n in (("e1", "2"), ("more1", None), ("more2", None))]
