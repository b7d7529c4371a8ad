"""Templates and rows of a table: paired by clientTemplateId, followed by their own id, never deleted (Y1, Y4)."""

import pytest

from iterable_pipelines.settings import SettingsError
from iterable_pipelines.two_way.declaration import load_two_way
from iterable_pipelines_tests.two_way.conftest import TEMPLATES


@pytest.fixture
def mails(both_sides):
    """One template in Iterable, brought into the table by a first run."""
    both = both_sides(TEMPLATES)
    make(both, "welcome", name="Welcome", subject="Hi", html="<p>Hi</p>")
    both.run()
    both.writes()
    return both


def make(both, client_id=None, **fields):
    """Somebody makes a base template in Iterable; returns its id."""
    content = {"messageTypeId": 1} | fields | ({"clientTemplateId": client_id} if client_id else {})
    return both.sandbox.world.templates.make("Email", "Base", content).id


def there(both):
    """Templates in Iterable: clientTemplateId to name and subject."""
    found = [
        each.content for each in both.sandbox.world.templates.all() if each.medium == "Email" and each.type == "Base"
    ]
    return {each.get("clientTemplateId"): (each["name"], each["subject"]) for each in found}


def rows(both):
    return {key: rest for key, *rest in both.here("select client_template_id, name, subject from shop.mails")}


def ids(both):
    return dict(both.here("select client_template_id, template_id from shop.mails"))


def test_templates_come_with_the_ids_that_pair_them(mails):
    assert rows(mails) == {"welcome": ["Welcome", "Hi"]} and None not in ids(mails).values()
    assert mails.run().counts == {} and mails.writes() == 0


def test_edits_travel_both_ways(mails):
    """Y3."""
    second = make(mails, "bye", name="Bye", subject="So long", html="")
    mails.run()
    mails.sandbox.edit_template(second, subject="Bye bye")
    mails.here("update shop.mails set html = '<b>Hi</b>', subject = null where client_template_id = 'welcome'")
    assert mails.run().counts == {"to_local": {"done": 1}, "to_remote": {"acknowledged": 1}}
    assert there(mails) == {"welcome": ("Welcome", ""), "bye": ("Bye", "Bye bye")}
    assert rows(mails) == {"welcome": ["Welcome", None], "bye": ["Bye", "Bye bye"]}
    assert mails.run().counts == {} and mails.writes() == 1


def test_a_row_with_a_client_id_makes_a_template_and_gets_its_id(mails):
    mails.here("insert into shop.mails (client_template_id, name, subject) values ('new', 'New', 'Hello')")
    assert mails.run().counts == {"to_remote": {"acknowledged": 1}}
    assert there(mails)["new"] == ("New", "Hello")
    mails.run()
    assert ids(mails)["new"] is not None
    assert mails.run().counts == {} and mails.writes() == 1


def test_a_row_that_is_there_already_is_paired_and_not_copied(both_sides):
    """Y1: a first run makes no second template, and no second row."""
    both = both_sides(TEMPLATES)
    made = make(both, "welcome", name="Welcome", subject="Hi", html="")
    both.here(
        "create schema shop",
        "create table shop.mails (client_template_id text, name text, subject text, html text)",
        "insert into shop.mails values ('welcome', 'Welcome', 'Hello', null)",
    )
    both.run()
    assert rows(both) == {"welcome": ["Welcome", "Hello"]} and there(both) == {"welcome": ("Welcome", "Hello")}
    assert ids(both) == {"welcome": made}


def test_a_rename_is_an_edit_and_a_changed_client_id_is_followed(mails):
    """The template's own id keeps the pair, whatever it is called."""
    (template_id,) = ids(mails).values()
    mails.sandbox.edit_template(template_id, clientTemplateId="hello", name="Hello")
    assert mails.run().counts == {"to_local": {"done": 1}}
    assert rows(mails) == {"hello": ["Hello", "Hi"]} and ids(mails) == {"hello": template_id}
    mails.here("update shop.mails set client_template_id = 'hi', name = 'Hi'")
    assert mails.run().counts == {"to_remote": {"acknowledged": 1}}
    assert there(mails) == {"hi": ("Hi", "Hi")}
    assert mails.run().counts == {}


def test_a_template_without_a_client_id_is_followed_by_its_own(mails):
    """Y1."""
    made = make(mails, name="Loose", subject="A", html="")
    mails.run()
    assert mails.here("select client_template_id, name from shop.mails where template_id = ?".replace("?", str(made)))
    mails.here(f"update shop.mails set subject = 'B' where template_id = {made}")
    assert mails.run().counts == {"to_remote": {"acknowledged": 1}} and there(mails)[None] == ("Loose", "B")
    assert mails.run().counts == {}


def test_deletions_do_not_travel_and_nothing_comes_back(mails):
    """Y4: templates are never deleted in Iterable, and none that was deleted is made again for ever."""
    other = make(mails, "bye", name="Bye", subject="So long", html="")
    mails.run()
    mails.here("delete from shop.mails where client_template_id = 'welcome'")
    mails.sandbox.remove_template(other)
    assert mails.run().counts == {"keep": {"done": 2}}
    for _ in range(2):
        assert mails.run().counts == {}
    assert rows(mails) == {"bye": ["Bye", "So long"]} and set(there(mails)) == {"welcome"} and mails.writes() == 0


def test_what_was_deleted_there_and_is_edited_here_is_made_again_under_a_new_id(mails):
    """Y4: the change wins."""
    make(mails, "bye", name="Bye", subject="So long", html="")
    mails.run()
    before = ids(mails)["welcome"]
    mails.sandbox.remove_template(before)
    mails.here("update shop.mails set subject = 'Hello again' where client_template_id = 'welcome'")
    assert mails.run().counts == {"to_remote": {"acknowledged": 1}}
    assert there(mails)["welcome"] == ("Welcome", "Hello again")
    mails.run()
    after = ids(mails)["welcome"]
    assert after != before and mails.run().counts == {} and mails.writes() == 1


def test_a_client_id_of_several_templates_is_ambiguous(mails):
    for name in ("One", "Two"):
        make(mails, "twin", name=name, subject="", html="")
    mails.run()
    assert mails.here("select name from shop.mails where client_template_id = 'twin' order by name") == [
        ("One",),
        ("Two",),
    ]
    mails.here("update shop.mails set subject = 'x' where name = 'One'")
    mails.run()
    twins = [each.content for each in mails.sandbox.world.templates.sharing("twin")]
    assert [each["subject"] for each in twins] == ["x", ""]
    mails.here("delete from shop.mails where client_template_id = 'twin'")
    mails.here("insert into shop.mails (client_template_id, name) values ('twin', 'Which?')")
    assert "ambiguous_template" in mails.run().problems


def test_what_iterable_refuses_is_told_and_sent_again_when_it_changes(mails):
    mails.declare(TEMPLATES.replace("html: html", "html: html, sender: fromEmail"))
    mails.run()
    mails.here("update shop.mails set sender = 'nobody@nowhere.example'")
    assert mails.run().counts == {"to_remote": {"rejected": 1}}
    assert mails.problems() and mails.writes() == 1
    assert mails.run().problems == {"iterable_error": 1} or mails.run().problems == {"bad_params": 1}
    assert mails.writes() == 0
    mails.here("update shop.mails set sender = 'hello@example.com', subject = 'Now'")
    assert mails.run().problems == {} and there(mails)["welcome"] == ("Welcome", "Now")


def test_rows_that_make_no_template_are_told(mails):
    mails.here("insert into shop.mails (name) values ('nameless'), ('nameless too')")
    assert mails.run().problems == {"missing_key": 1} and mails.writes() == 0


def test_all_members_of_a_medium_travel_with_a_star(both_sides):
    both = both_sides("object: template\ntable: shop.mails\nmedium: push\n")
    both.here(
        "create schema shop",
        "create table shop.mails (client_template_id text, name text, message text, payload json, wake boolean)",
        """insert into shop.mails values ('p', 'P', 'Hi', '{"a": [1, null]}', true)""",
    )
    both.run()
    (made,) = both.sandbox.world.templates.sharing("p")
    assert made.content["payload"] == {"a": [1, None]} and made.content["wake"] is True
    # Iterable chose the message type
    both.run()
    ((kind, name),) = both.here("select messageTypeId, name from shop.mails")
    assert (kind, name) == (made.content["messageTypeId"], "P")
    assert both.run().counts == {} and both.writes() == 1


@pytest.mark.parametrize(
    "text, said",
    [
        (TEMPLATES.replace("subject: subject", "subjct: subjct"), "subjct: email templates have no such member"),
        (TEMPLATES + "propagate_deletes: true\n", "propagate_deletes: no such field"),
        (TEMPLATES.replace("email", "embedded"), "medium"),
        (TEMPLATES + "conflict: newest\n", "needs `modified_at`"),
        (TEMPLATES.replace("shop.mails", "objects.templates"), "written by other parts of this project"),
        (TEMPLATES.replace("object: template", "object: list"), "object: write one of catalog, template"),
    ],
)
def test_what_is_wrong_in_a_file_is_refused_by_line(both_sides, text, said):
    both = both_sides(text)
    with pytest.raises(SettingsError, match=said) as refused:
        load_two_way(both.settings)
    assert "two_way/shop.yml" in str(refused.value)


def test_templates_that_share_a_client_id_have_a_row_each(mails):
    """Iterable lets several templates have one: each is followed by its own id."""
    second = make(mails, "welcome", name="Welcome 2", subject="Ho", html="")
    assert mails.run().counts == {"to_local": {"done": 1}}
    assert mails.run().counts == {} and mails.problems() == {}
    mails.here(f"update shop.mails set subject = 'Hello' where template_id = {second}")
    assert mails.run().counts == {"to_remote": {"acknowledged": 1}}
    found = mails.here("select name, subject from shop.mails order by all")
    assert found == [("Welcome", "Hi"), ("Welcome 2", "Hello")] and there(mails)["welcome"] == ("Welcome 2", "Hello")
    assert mails.run().counts == {}
