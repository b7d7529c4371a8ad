"""What clients write is what the next import reads: catalogs, templates, campaigns, snippets, metadata."""

import json

import pytest
import requests

from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.objects.conftest import Refresh


@pytest.fixture
def written(sandbox: Sandbox) -> Sandbox:
    def ask(method: str, path: str, **body: object) -> None:
        answer = requests.request(
            method, f"{sandbox.url}/api/{path}", json=body, headers={"Api-Key": sandbox.key}, timeout=30
        )
        assert answer.ok, answer.text

    ask("POST", "catalogs/shoes")
    for first in (0, 900):
        documents = {f"s-{nth}": {"n": nth} for nth in range(first, first + 900)}
        ask("POST", "catalogs/shoes/items", documents=documents, replaceUploadedFieldsOnly=False)
    ask("POST", "templates/email/upsert", clientTemplateId="c-1", subject="Hi")
    ask("POST", "campaigns/create", name="Sale", templateId=5000000, listIds=[949810])
    ask("POST", "campaigns/abort", campaignId=2200001)
    ask("PUT", "snippets/offer", content="Hi")
    ask("PUT", "metadata/Test/new", value={"n": 1})
    return sandbox


def test_the_next_import_has_it(written: Sandbox, refresh: Refresh, warehouse: Warehouse) -> None:
    names = ("campaigns", "templates", "template_contents", "catalogs", "catalog_items", "snippets", "metadata_tables")
    refresh(*names, "metadata_keys", "metadata_values")

    def stored(table: str, where: str) -> list[dict]:
        found = warehouse.read(f"select record from objects.{table} where {where} order by 1")
        return [json.loads(record) for (record,) in found]

    items = stored("catalog_items", "catalog = 'shoes'")
    assert {each["itemId"]: each["value"] for each in items} == {f"s-{nth}": {"n": nth} for nth in range(1800)}
    (sale,) = stored("campaigns", "id = 5000000")
    assert (sale["name"], sale["campaignState"]) == ("Sale", "Finished")
    (aborted,) = stored("campaigns", "id = 2200001")
    assert aborted["campaignState"] == "Aborted"
    assert {each["templateId"] for each in stored("templates", "id >= 5000000")} == {5000000, 5000001}
    contents = stored("template_contents", "id >= 5000000")
    assert [each["subject"] for each in contents] == ["Hi", "Hi"]
    assert [each["content"] for each in stored("snippets", "name = 'offer'")] == ["Hi"]
    assert [each["value"] for each in stored("metadata_values", "key = 'new'")] == [{"n": 1}]
