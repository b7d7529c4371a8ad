"""Templates from a table to the sandbox and back (outbound.md 4.1)."""

from collections.abc import Callable
from typing import Any

import pytest

from iterable_pipelines.api import Iterable
from iterable_pipelines.api.content_reads import read_template, templates_of
from iterable_pipelines_tests.activation.conftest import Activation, quick_client

SYNC = """
object: template
source: marts.templates
primary_key: id
client_template_id: code
mode: {mode}
medium: email
fields: {{title: name, headline: subject, html: html}}
"""
ROWS = """
    select * from (values
        (1, 'welcome', 'Welcome', 'Hello', '<p>Hi</p>'),
        (2, 'goodbye', 'Goodbye', 'Bye', '<p>Bye</p>')
    ) t(id, code, title, headline, html)
"""


@pytest.fixture
def project(activation_project: Callable[..., Activation]) -> Activation:
    made = activation_project()
    made.table("marts.templates", ROWS)
    return made


def client(project: Activation) -> Iterable:
    return quick_client(project.settings, project.said.append)


def there(project: Activation, code: str, medium: str = "email") -> dict[str, Any]:
    (found,) = templates_of(client(project), code)
    return read_template(client(project), medium, found["templateId"]) or {}


def outcomes(project: Activation, name: str = "templates") -> dict[str, tuple[str, str]]:
    rows = project.published(
        f"select pk, outcome, code from activation.sync_rows where sync = '{name}' and run_id = "
        f"(select arg_max(run_id, started_at) from activation.sync_runs where sync = '{name}')"
    )
    return {pk: (outcome, code) for pk, outcome, code in rows}


def test_only_mapped_columns_are_sent_and_the_second_run_sends_nothing(project: Activation) -> None:
    project.sync("templates", SYNC.format(mode="upsert"))
    project.run("templates")
    assert sorted(project.requests(), key=str) == [
        {"clientTemplateId": "goodbye", "html": "<p>Bye</p>", "name": "Goodbye", "subject": "Bye"},
        {"clientTemplateId": "welcome", "html": "<p>Hi</p>", "name": "Welcome", "subject": "Hello"},
    ]
    assert there(project, "welcome")["subject"] == "Hello"
    project.run("templates")
    assert len(project.requests()) == 2


def test_what_iterable_has_beside_the_mapping_stays(project: Activation) -> None:
    project.sync("templates", SYNC.format(mode="upsert"))
    project.run("templates")
    quick_client(project.settings, print).write(
        "POST", "/api/templates/email/upsert", b'{"clientTemplateId": "welcome", "fromName": "Ada"}'
    )
    project.table("marts.templates", ROWS.replace("Hello", "Hello again"))
    project.run("templates")
    found = there(project, "welcome")
    assert (found["fromName"], found["subject"]) == ("Ada", "Hello again")


def make_theirs(project: Activation) -> None:
    """Make the template that the first row is about, as somebody else."""
    template = b'{"clientTemplateId": "welcome", "subject": "theirs"}'
    client(project).write("POST", "/api/templates/email/upsert", template)


def test_insert_makes_only_what_is_not_there(project: Activation) -> None:
    make_theirs(project)
    project.sync("templates", SYNC.format(mode="insert"))
    project.run("templates")
    assert outcomes(project) == {"1": ("skipped", "already_exists"), "2": ("acked", "")}
    assert there(project, "welcome")["subject"] == "theirs"


def test_update_changes_only_what_is_there(project: Activation) -> None:
    make_theirs(project)
    project.sync("templates", SYNC.format(mode="update"))
    project.run("templates")
    assert outcomes(project) == {"1": ("acked", ""), "2": ("skipped", "not_in_iterable")}
    assert templates_of(client(project), "goodbye") == []


def test_update_by_iterables_own_id_goes_to_the_update_endpoint(project: Activation) -> None:
    make_theirs(project)
    (found,) = templates_of(client(project), "welcome")
    project.table("marts.templates", f"select 1 as id, {found['templateId']} as code, 'x' as title, 'new' as headline")
    project.sync(
        "templates",
        SYNC.format(mode="update").replace("client_template_id", "template_id").replace(", html: html", ""),
    )
    project.run("templates")
    assert project.requests()[-1] == {"templateId": found["templateId"], "name": "x", "subject": "new"}
    assert project.sandbox.requests("/api/templates/email/update")


@pytest.mark.parametrize("mode", ["update", "upsert"])
def test_a_client_template_id_that_several_share_is_ambiguous(project: Activation, mode: str) -> None:
    writer = quick_client(project.settings, print)
    writer.write("POST", "/api/templates/email/upsert", b'{"clientTemplateId": "welcome"}')
    writer.write("POST", "/api/templates/email/upsert", b'{"clientTemplateId": "other"}')
    (other,) = templates_of(writer, "other")
    writer.write(
        "POST",
        "/api/templates/email/update",
        f'{{"templateId": {other["templateId"]}, "clientTemplateId": "welcome"}}'.encode(),
    )
    before = len(project.requests())
    project.table("marts.templates", f"{ROWS} where id = 1")
    project.sync("templates", SYNC.format(mode=mode))
    project.run("templates")
    assert outcomes(project) == {"1": ("invalid", "ambiguous_template")}
    assert len(project.requests()) == before
    project.sync("templates", SYNC.format(mode=mode) + "update_all: true\n")
    project.run("templates")
    shared = templates_of(writer, "welcome")
    assert len(shared) == 2
    assert {(read_template(writer, "email", each["templateId"]) or {})["subject"] for each in shared} == {"Hello"}


def test_what_iterable_refuses_is_told_in_its_own_words(project: Activation) -> None:
    project.sync("templates", SYNC.format(mode="upsert") + "constants: {messageTypeId: 1}\nmax_failure_ratio: 1\n")
    project.run("templates")
    assert outcomes(project) == {"1": ("rejected", "iterable_error"), "2": ("rejected", "iterable_error")}
    ((message,), *_) = project.published("select message from activation.sync_rows")
    assert "Invalid messageTypeId: 1" in message


def test_every_medium_has_its_members_and_json_columns_become_objects(project: Activation) -> None:
    project.table(
        "marts.templates",
        """
        select 1 as id, 'p' as code, 'push' as medium, 'T' as title, '{"a": 1}' as payload, null as html, '0.5' as score
        union all select 2, 'i', 'InApp', null, '{"b": [1, 2]}', '<b>x</b>', null
        union all select 3, 's', 'sms', 'not for a text message', null, null, null
        union all select 4, 'e', 'telegram', null, null, null, null
        union all select 5, 'q', 'push', 'T', 'no object', null, null
        union all select 6, 'r', 'push', 'T', null, null, 'nan'
        """,
    )
    project.sync(
        "templates",
        """
object: template
source: marts.templates
primary_key: id
client_template_id: code
medium_column: medium
fields: {title: title, payload: payload, html: html, score: relevanceScore}
max_failure_ratio: 1
""",
    )
    project.run("templates")
    assert outcomes(project) == {
        "1": ("acked", ""),
        "2": ("acked", ""),
        "3": ("invalid", "unknown_member"),
        "4": ("invalid", "unknown_medium"),
        "5": ("invalid", "unserializable_value"),
        # it would have become null, which clears the member
        "6": ("invalid", "unserializable_value"),
    }
    assert there(project, "p", "push")["payload"] == {"a": 1} and there(project, "p", "push")["relevanceScore"] == 0.5
    assert there(project, "i", "inapp")["payload"] == {"b": [1, 2]}


def test_long_html_that_looks_like_anything_goes_as_it_is(project: Activation) -> None:
    html = "2026-11-01T09:30:00Z" + "x" * 40_000
    told = "2026-11-01T09:30:00Z"
    project.table("marts.templates", f"select 1 as id, 'long' as code, '{told}' as title, '{html}' as html")
    project.sync("templates", SYNC.format(mode="upsert").replace("headline: subject, ", ""))
    project.run("templates")
    assert there(project, "long")["html"] == html
    assert there(project, "long")["name"] == "2026-11-01T09:30:00Z"


def test_locales_of_a_template_are_contents_of_their_own(project: Activation) -> None:
    project.table(
        "marts.templates",
        "select 1 as id, 'welcome' as code, null as locale, 'Hello' as title "
        "union all select 2, 'welcome', 'de', 'Hallo' union all select 3, 'welcome', 'de', 'Moin'",
    )
    mapped = "title: name, headline: subject, html: html"
    text = SYNC.format(mode="upsert").replace(mapped, "locale: locale, title: subject")
    project.sync("templates", text + "max_failure_ratio: 1\n")
    project.run("templates")
    assert outcomes(project) == {
        "1": ("acked", ""),
        "2": ("invalid", "duplicate_template"),
        "3": ("invalid", "duplicate_template"),
    }
    project.table(
        "marts.templates",
        "select 1 as id, 'welcome' as code, null as locale, 'Hello' as title "
        "union all select 2, 'welcome', 'de', 'Hallo'",
    )
    project.run("templates")
    (found,) = templates_of(client(project), "welcome")
    german = read_template(client(project), "email", found["templateId"], "de") or {}
    assert (german["subject"], there(project, "welcome")["subject"]) == ("Hallo", "Hello")
