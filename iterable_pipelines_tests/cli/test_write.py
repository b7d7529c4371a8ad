"""`write`: rows of a file or a query into Iterable once, as a dry run unless it is said otherwise (outbound.md 4.3)."""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from iterable_pipelines.api.catalog_reads import read_item
from iterable_pipelines.api.content_reads import lists_named, read_snippet
from iterable_pipelines.api.user_reads import Person, read_user
from iterable_pipelines_tests.activation.conftest import Activation, activation_project, quick_client
from iterable_pipelines_tests.cli.command import CommandHere
from iterable_pipelines_tests.cli.test_sync import settings_of
from iterable_pipelines_tests.erasure.planted import naming

__all__ = ["activation_project"]


@pytest.fixture
def project(activation_project: Callable[..., Activation]) -> Activation:
    """A project without any import."""
    return activation_project()


@pytest.fixture
def here(project: Activation, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandHere:
    monkeypatch.setenv("DAGSTER_HOME", "")
    return CommandHere(project.settings.project_root, monkeypatch, capfd, **settings_of(project))


def written(project: Activation, name: str, *lines: str) -> str:
    path = project.settings.project_root / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def client(project: Activation):  # type: ignore[no-untyped-def]
    return quick_client(project.settings, project.said.append)


def test_a_dry_run_is_the_default_and_leaves_nothing(project: Activation, here: CommandHere) -> None:
    file = written(project, "footers.csv", "name,content", "footer,<p>Hi</p>")
    said = here("write", "snippets", "upsert", "--file", file)
    assert said.code == 2, said.err
    assert "nothing was sent" in said.out
    assert "Next: the same command with --yes" in said.out
    assert project.requests() == []
    assert not list((project.settings.data_dir / "activation").glob("once-*.duckdb"))


def test_skyvias_names_are_taken_and_the_row_says_what_became_of_it(project: Activation, here: CommandHere) -> None:
    file = written(project, "lists.csv", "Name,Description", "Skiers,All who ski", "Everybody,is there already")
    said = here("write", "Lists", "INSERT", "--file", file, "--yes")
    assert said.code == 3, said.err
    (made,) = lists_named(client(project), "Skiers")
    assert f'"listId": {made["id"]}' in said.out
    assert "already_exists" in said.out


def test_the_same_command_again_sends_nothing_twice(project: Activation, here: CommandHere) -> None:
    here("write", "lists", "insert", "--set", "name=Skiers", "--yes")
    said = here("write", "lists", "insert", "--set", "name=Skiers", "--yes")
    assert said.code == 0, said.err
    assert len(project.requests("/api/lists")) == 1


def test_a_file_that_holds_an_erased_person_brings_nothing_of_her_back(project: Activation, here: CommandHere) -> None:
    file = written(project, "people.csv", "email,first_name", "Ada@ex.com,Ada", "cy@ex.com,Cy")
    assert here("erase", "person", "--email", "ada@ex.com", "--yes").code == 0
    command = ("write", "users", "upsert", "--file", file, "--map", "first_name=firstName")
    assert "ada@ex.com" not in here(*command).out.lower()
    said = here(*command, "--yes")
    # her row is counted, and nothing says which it was
    assert (said.code, "user_forgotten: 1" in said.out, "None" in said.out) == (3, True, False)
    assert [each["email"] for each in project.requests("/api/users/bulkUpdate")[0]["users"]] == ["cy@ex.com"]
    assert "ada@ex.com" not in json.dumps(project.requests()).lower()
    # nor does the file of errors that lies beside it
    assert naming(project.settings.project_root, "ada@ex.com") == {"people.csv"}


def test_good_rows_go_through_and_the_others_stand_in_a_file_of_errors(project: Activation, here: CommandHere) -> None:
    file = written(
        project,
        "people.csv",
        "email,first_name,age",
        "ada@ex.com,=Ada,41",
        "nobody,Bob,12",
        "cy@ex.com,Cy,",
    )
    said = here(
        "write", "users", "upsert", "--file", file, "--map", "first_name=firstName", "--map", "age=age:long", "--yes"
    )
    assert said.code == 3, said.err
    (request,) = project.requests("/api/users/bulkUpdate")
    assert request["users"] == [
        {"dataFields": {"age": 41, "firstName": "=Ada"}, "email": "ada@ex.com"},
        {"dataFields": {"age": None, "firstName": "Cy"}, "email": "cy@ex.com"},
    ]
    with Path(f"{file}.errors.csv").open(encoding="utf-8", newline="") as wrong:
        (row,) = csv.DictReader(wrong)
    assert row == {
        "email": "nobody",
        "first_name": "Bob",
        "age": "12",
        "_error_line": "3",
        "_error_code": "invalid_email",
        "_error_message": "email: not an e-mail address",
    }
    # corrected, that file is all that is left to be written
    corrected = written(
        project,
        "corrected.csv",
        *Path(f"{file}.errors.csv").read_text(encoding="utf-8").replace("nobody", "bob@ex.com").splitlines(),
    )
    said = here(
        "write",
        "users",
        "upsert",
        "--file",
        corrected,
        "--map",
        "first_name=firstName",
        "--map",
        "age=age:long",
        "--yes",
    )
    assert said.code == 0, said.err
    assert (read_user(client(project), Person(email="bob@ex.com")) or {})["dataFields"]["firstName"] == "Bob"


def test_cells_get_the_types_that_the_fields_have_in_iterable(project: Activation, here: CommandHere) -> None:
    body = {
        "users": [
            {"email": "ada@ex.com", "dataFields": {"points": 1, "vip": False, "home": {"city": "Oslo"}, "zip": "01"}}
        ]
    }
    client(project).write("POST", "/api/users/bulkUpdate", json.dumps(body).encode())
    file = written(project, "people.csv", "email;points;vip;home;zip", 'ada@ex.com;7;true;"{""city"": ""Rome""}";02')
    said = here("write", "users", "update", "--file", file, "--delimiter", ";", "--yes")
    assert said.code == 0, said.err
    (sent,) = project.requests("/api/users/bulkUpdate")[-1]["users"]
    assert sent["dataFields"] == {"points": 7, "vip": True, "home": {"city": "Rome"}, "zip": "02"}


def test_an_export_that_is_imported_again_changes_nothing(project: Activation, here: CommandHere) -> None:
    writer = client(project)
    writer.write("PUT", "/api/snippets/hello", b'{"content": "=Hello", "variables": ["firstName"]}')
    writer.write("POST", "/api/catalogs/products", b"")
    value = {"name": "Mug", "price": 12.5, "tags": ["a", "b"], "at": "2026-11-01"}
    writer.write("PUT", "/api/catalogs/products/items/mug-1", json.dumps({"value": value}).encode())
    before = len(project.requests())
    snippet = {**(read_snippet(writer, "hello") or {})}
    project.table(
        "objects.snippets",
        f"select 1 as id, 'hello' as name, '{snippet['content']}' as content, '[\"firstName\"]'::json as variables, "
        "timestamp '2026-11-01' as created_at, null::timestamp as _gone_at",
    )
    project.table(
        "objects.catalog_items",
        f"select 'products' as catalog, 'mug-1' as item_id, 80 as size, '{json.dumps(value)}'::json as value, "
        "null::timestamp as _gone_at",
    )
    for what, table in (("snippets", "objects.snippets"), ("catalog_items", "objects.catalog_items")):
        file = str(project.settings.project_root / f"{what}.csv")
        assert here("query", f"from {table}", "--out", file).code == 0
        said = here("write", what, "upsert", "--file", file, "--yes")
        assert said.code == 0, said.err
        assert "as_it_is" in said.out or "noop" in said.out
    assert len(project.requests()) == before


def test_json_and_parquet_and_queries_are_rows_too(project: Activation, here: CommandHere) -> None:
    client(project).write("POST", "/api/catalogs/products", b"")
    items = [{"itemId": "a-1", "price": 12.50, "id64": 9007199254740993}, {"itemId": "b-1", "stock": {"oslo": 3}}]
    file = written(project, "items.json", json.dumps(items))
    said = here("write", "CatalogItems", "upsert", "--file", file, "--catalog", "products", "--yes")
    assert said.code == 0, said.err
    assert read_item(client(project), "products", "a-1") == {"price": 12.5, "id64": 9007199254740993}
    assert read_item(client(project), "products", "b-1") == {"stock": {"oslo": 3}}
    project.table("shop.items", "select 'c-1' as item_id, 5::hugeint as price union all select 'd-1', null")
    out = str(project.settings.project_root / "items.parquet")
    assert here("query", "from shop.items where item_id = 'd-1'", "--out", out).code == 0
    for rows in (("--sql", "from shop.items where item_id = 'c-1'"), ("--file", out)):
        assert here("write", "catalog_items", "upsert", *rows, "--catalog", "products", "--yes").code == 0
    assert read_item(client(project), "products", "c-1") == {"price": 5}
    said = here("write", "catalog_items", "delete", "--set", "itemId=a-1", "--catalog", "products", "--yes")
    assert said.code == 0, said.err
    assert read_item(client(project), "products", "a-1") is None


def test_events_go_with_ids_that_the_same_file_gives_again(project: Activation, here: CommandHere) -> None:
    client(project).write("POST", "/api/users/update", b'{"email": "ada@ex.com"}')
    file = written(
        project, "events.csv", "EventName,Email,CreatedAt,plan", "Signed Up,ada@ex.com,2026-11-01T10:00:00Z,pro"
    )
    assert here("write", "events", "insert", "--file", file, "--yes").code == 0
    (state,) = (project.settings.data_dir / "activation").glob("once-*.duckdb")
    state.unlink()
    assert here("write", "events", "insert", "--file", file, "--yes", "--approve", "lost_state").code == 0
    first, again = project.requests("/api/events")
    assert first == again
    assert first["events"][0]["dataFields"] == {"plan": "pro"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("events", "delete"), "events can be written by insert, not by 'delete'"),
        (("campaigns", "update"), "campaigns can be written by insert, not by 'update'"),
        (("templates", "delete"), "templates can be written by insert, update, upsert, not by 'delete'"),
        (("snippet", "upsert"), "a snippet has no contents, did you mean content?"),
        (("templats", "insert"), "did you mean templates?"),
        (("lists", "insert"), "mode insert needs `name`"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(
    here: CommandHere, project: Activation, arguments: tuple[str, str], said: str
) -> None:
    found = here("write", *arguments, "--set", "contents=x", "--set", "email=ada@ex.com", "--yes")
    assert found.code == 1
    assert said in found.err
    assert project.requests() == []


def test_a_query_that_cannot_be_read_says_where_to_look(here: CommandHere, project: Activation) -> None:
    project.table("shop.footers", "select 'footer' as name, '<p>Hi</p>' as content")
    found = here("write", "snippets", "upsert", "--sql", "select * from shop.headers")
    assert found.code == 1
    assert "Nothing was sent.\nNext: iterable-pipelines query 'show all tables'" in found.err
    assert project.requests() == []


@pytest.mark.parametrize(
    ("lines", "said"),
    [(("name,content", "a,b,c"), "line 2"), (("name,name", "a,b"), "name"), ((), "cannot be read")],
)
def test_a_file_that_cannot_be_read_says_where(
    here: CommandHere, project: Activation, lines: tuple[str, ...], said: str
) -> None:
    file = written(project, "broken.csv", *lines) if lines else str(project.settings.project_root / "none.csv")
    found = here("write", "snippets", "upsert", "--file", file, "--yes")
    assert found.code == 1
    assert said in found.err
    assert project.requests() == []


def test_a_lost_answer_is_in_doubt_until_it_is_settled(project: Activation, here: CommandHere) -> None:
    project.sandbox.fault("status", "/api/lists", holds="Skiers")
    said = here("write", "lists", "insert", "--set", "name=Skiers", "--yes")
    assert said.code == 3
    assert "--resolve" in said.out
    # within the first minute the list may yet appear
    said = here("write", "lists", "insert", "--set", "name=Skiers", "--yes")
    assert said.code == 1
    assert "the same command with --resolve resend, or --resolve drop" in said.err
    assert here("write", "lists", "insert", "--set", "name=Skiers", "--resolve", "resend").code == 0
    said = here("write", "lists", "insert", "--set", "name=Skiers", "--yes")
    assert said.code == 0, said.err
    assert len(lists_named(client(project), "Skiers")) == 1


def test_what_reaches_people_needs_an_approval_here_too(project: Activation, here: CommandHere) -> None:
    arguments = ("write", "InAppMessages", "insert", "--set", "campaignId=5", "--set", "email=ada@ex.com")
    assert here(*arguments).code == 4
    said = here(*arguments, "--yes")
    assert said.code == 1
    assert "1 in-app messages would be sent to 1 people" in said.err
    assert "the same command with --approve send" in said.err
    assert project.requests() == []


def test_a_state_is_kept_for_a_week_or_until_what_is_in_doubt_is_settled(
    project: Activation, here: CommandHere
) -> None:
    def states() -> set[Path]:
        return set((project.settings.data_dir / "activation").glob("once-*.duckdb"))

    assert here("write", "snippets", "upsert", "--set", "name=a", "--set", "content=x", "--yes").code == 0
    (well,) = states()
    project.sandbox.fault("status", "/api/lists", holds="Skiers")
    assert here("write", "lists", "insert", "--set", "name=Skiers", "--yes").code == 3
    (doubtful,) = states() - {well}
    assert here("write", "snippets", "upsert", "--set", "name=b", "--set", "content=x", "--yes").code == 0
    assert len(states()) == 3
    for each in states():
        os.utime(each, (0, 0))
    assert here("write", "snippets", "upsert", "--set", "name=c", "--set", "content=x", "--yes").code == 0
    assert well not in states()
    assert doubtful in states()
    assert len(states()) == 2
