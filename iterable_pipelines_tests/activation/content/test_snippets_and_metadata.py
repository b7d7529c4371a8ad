"""Snippets and keys of metadata tables, to the sandbox and back (outbound.md 4.1, api.md 5.9, 6.5)."""

from collections.abc import Callable

import pytest

from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.api.content_reads import read_metadata, read_snippet
from iterable_pipelines_tests.activation.content.conftest import Content

SNIPPETS = """
object: snippet
source: marts.snippets
primary_key: id
snippet: title
fields: {html: content, used: variables}
mode: mirror
on_leave: delete
verify_after_seconds: 0
max_failure_ratio: 1
guards: {remove_at_least: 2}
"""
ROWS = """
    select * from (values (1, 'footer', '<p>Bye</p>', '["firstName"]'), (2, 'header', '<p>Hi</p>', null),
    (3, 'a/b', 'x', null), (4, '77', 'x', null), (5, 'empty', null, null)) t(id, title, html, used)
"""
METADATA = """
object: metadata
source: marts.prices
primary_key: sku
table: Prices
key: sku
value: price
mode: mirror
on_leave: delete
verify_after_seconds: 0
max_failure_ratio: 1
"""
Make = Callable[..., Content]


def test_snippets_come_change_are_renamed_and_go(content: Make) -> None:
    made = content()
    made.project.table("marts.snippets", ROWS)
    made.project.sync("snippets", SNIPPETS)
    made.project.run("snippets")
    assert made.outcomes("snippets") == {
        "1": ("acked", ""),
        "2": ("acked", ""),
        "3": ("invalid", "invalid_snippet_name"),
        "4": ("invalid", "invalid_snippet_name"),
        "5": ("invalid", "missing_content"),
    }
    assert (read_snippet(made.client, "footer") or {})["variables"] == ["firstName"]
    assert made.verify("snippets").verified == 2
    asked = len(made.project.requests())
    made.project.run("snippets")
    assert len(made.project.requests()) == asked
    # a name is for ever: another one is another snippet, and the former one goes
    made.project.table("marts.snippets", ROWS.replace("'footer'", "'footer two'").replace("Hi", "Hello"))
    made.project.run("snippets")
    assert read_snippet(made.client, "footer") is None
    assert (read_snippet(made.client, "footer two") or {})["content"] == "<p>Bye</p>"
    assert (read_snippet(made.client, "header") or {})["content"] == "<p>Hello</p>"
    made.client.write("PUT", "/api/snippets/header", b'{"content": "somebody else"}')
    found = made.verify("snippets")
    assert (found.verified, [(each.pk, each.fields) for each in found.wrong]) == (2, [("2", "content")])


def test_two_rows_of_one_name_are_both_refused_and_an_empty_table_stops(content: Make) -> None:
    made = content()
    made.project.table("marts.snippets", f"{ROWS} where id < 3")
    made.project.sync("snippets", SNIPPETS)
    made.project.run("snippets")
    made.project.table("marts.snippets", f"{ROWS.replace('footer', 'header')} where id < 3")
    made.project.run("snippets")
    assert {code for _, code in made.outcomes("snippets").values()} == {"duplicate_snippet_name"}
    assert (read_snippet(made.client, "header") or {})["content"] == "<p>Hi</p>"
    made.project.table("marts.snippets", f"{ROWS} where false")
    with pytest.raises(ActivationRefused, match="empty_source"):
        made.project.run("snippets")
    assert read_snippet(made.client, "header") is not None


def test_metadata_takes_objects_of_thirty_kilobytes(content: Make) -> None:
    made = content()
    made.project.table(
        "marts.prices",
        """
        select 'mug' as sku, '{"eur": 12.50, "tags": ["a"]}' as price union all select 'tea', '[1]'
        union all select 'big', '{"text": "' || repeat('x', 30_000) || '"}' union all select 'a/b', '{}'
        """,
    )
    made.project.sync("prices", METADATA)
    made.project.run("prices")
    assert made.outcomes("prices") == {
        "mug": ("acked", ""),
        "tea": ("invalid", "invalid_metadata_value"),
        "big": ("invalid", "metadata_value_too_large"),
        "a/b": ("invalid", "invalid_metadata_key"),
    }
    assert (read_metadata(made.client, "prices", "mug") or {})["value"] == {"eur": 12.5, "tags": ["a"]}
    assert made.verify("prices").verified == 1
    made.project.table("marts.prices", "select 'Mug' as sku, '{\"eur\": 1}' as price")
    made.project.run("prices")
    # keys are case-sensitive
    assert read_metadata(made.client, "prices", "mug") is None
    assert (read_metadata(made.client, "Prices", "Mug") or {})["value"] == {"eur": 1}
    assert made.verify("prices").verified == 2
