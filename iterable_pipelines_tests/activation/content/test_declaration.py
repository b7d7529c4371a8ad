"""What a file of content may say: operations outside Iterable's are refused with those it has (outbound.md 4.1)."""

from pathlib import Path

import pytest

from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.settings import Settings, SettingsError

OF = {
    "template": "medium: email\nclient_template_id: code\n",
    "snippet": "snippet: title\nfields: {html: content}\n",
    "metadata": "table: Prices\nkey: sku\nvalue: price\n",
    "whole_list": "mode: insert\nlist_name: title\n",
    "campaign": "campaign_name: title\ntemplate_id: template\n",
    "in_app": "match: {column: email, field: email}\ncampaign_id: {constant: 5}\n",
}


def load(folder: Path, kind: str, more: str = "", text: str | None = None) -> None:
    (folder / "syncs").mkdir(exist_ok=True)
    declared = OF[kind] if text is None else text
    modes = declared.replace("mode: insert\n", "") if "mode:" in more else declared
    (folder / "syncs" / "it.yml").write_text(f"object: {kind}\nsource: marts.t\nprimary_key: id\n{modes}{more}")
    load_syncs(Settings(project_root=folder, data_dir=folder / "data"))


@pytest.mark.parametrize("kind", OF)
def test_each_loads_as_it_is(tmp_path: Path, kind: str) -> None:
    load(tmp_path, kind)


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("template", "mode: mirror\n", "`mode` of a template must be insert, update or upsert, not mirror"),
        ("template", "on_leave: delete\n", "`on_leave` of a template must be keep, not delete"),
        ("metadata", "mode: insert\n", "`mode` of a metadata must be upsert, mirror or remove, not insert"),
        ("whole_list", "mode: update\n", "`mode` of a whole_list must be insert or remove, not update"),
        ("campaign", "mode: update\n", "mode: it must be 'insert'"),
        ("in_app", "mode: upsert\n", "mode: it must be 'insert'"),
        ("snippet", "on_leave: delete\n", "`on_leave: delete` needs `mode: mirror`"),
        ("template", "fields: {x: subjekt}\n", "a template has no subjekt, did you mean subject?"),
        ("template", "fields: {x: updatedAt}\n", "updatedAt cannot be written as a field"),
        ("template", "fields: {x: deeplink}\n", "a email template has no deeplink"),
        ("template", "template_id: tid\n", "`template_id` is for mode update"),
        ("template", "medium_column: m\n", "write either `medium`"),
        ("snippet", "constants: {colour: red}\n", "a snippet has no colour; there are content, description"),
        ("metadata", "fields: {x: price}\n", "write either `value`"),
        ("whole_list", "list_id: id\n", "mode insert needs `list_name`"),
        ("campaign", "fields: {x: name}\n", "a campaign has no fields of your own"),
        ("campaign", "match: {column: e, field: email}\n", "`match` names a user"),
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(tmp_path: Path, kind: str, more: str, said: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        load(tmp_path, kind, more)
    assert said in str(wrong.value)
