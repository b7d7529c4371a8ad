"""The worked examples of outbound.md 1.13, row by row."""

import json
from typing import Any

import pytest

from iterable_pipelines.activation.endpoints import ENDPOINTS
from iterable_pipelines.activation.records import Record, wire
from iterable_pipelines_tests.activation.compile.made import compiler
from iterable_pipelines_tests.activation.compile.worked_examples import EXAMPLES, Example


def request(record: Record) -> tuple[str, dict[str, Any]]:
    """Path and body of a request that holds this record only."""
    endpoint = ENDPOINTS[record.endpoint]
    sent = json.loads(wire(record.payload))
    return endpoint.path, {endpoint.envelope: [sent], **record.flags} if endpoint.envelope else sent


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name.replace(" ", "_"))
def test_each_example_gives_exactly_its_requests(example: Example) -> None:
    said = dict(example.sync)
    made = compiler(said.pop("object"), " ".join(example.row), example.project, **said)
    compiled = made.compile(example.row.get("pk", "1"), example.row)
    assert tuple(request(each) for each in compiled.records) == example.requests
    assert compiled.skipped == example.skipped
    found = {each.severity: (each.code, each.path) for each in reversed(compiled.issues)}
    assert found == {k: v for k, v in (("error", example.wrong), ("warning", example.warned)) if v}
    # B7: what depends on the user waits for it
    assert all(each.needs in ("", "user") for each in compiled.records)
