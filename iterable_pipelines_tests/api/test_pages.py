"""Pages are turned by number, never by following an address, and never for ever (api.md 1.7; faults.md H34)."""

from urllib.parse import parse_qs, urlsplit

import pytest

from iterable_pipelines.api import Broken
from iterable_pipelines_tests.api.conftest import MakeClient
from iterable_pipelines_tests.api.wire import as_json, serving


def page(*ids: int, more: str | None = None) -> bytes:
    """One page of campaigns."""
    body: dict[str, object] = {"campaigns": [{"id": each} for each in ids]}
    return as_json(body | ({"nextPageUrl": more} if more else {}))


def test_pages_follow_each_other_while_there_is_a_next(make_client: MakeClient) -> None:
    with serving(as_json({})) as elsewhere:
        answers = page(1, 2, more=f"{elsewhere.url}/x?page=2"), page(3, more="/api/campaigns?page=3"), page(4)
        with serving(*answers) as wire:
            found = list(make_client(wire.url).get_pages("/api/campaigns", "campaigns", {"sort": "id"}, page_size=2))
    assert [each["id"] for each in found] == [1, 2, 3, 4]
    asked = [parse_qs(urlsplit(each.target).query) for each in wire.requests]
    assert asked == [{"sort": ["id"], "page": [str(number)], "pageSize": ["2"]} for number in (1, 2, 3)]
    assert elsewhere.requests == []


def test_an_empty_first_page_is_nothing(make_client: MakeClient) -> None:
    with serving(page()) as wire:
        assert list(make_client(wire.url).get_pages("/api/campaigns", "campaigns")) == []


@pytest.mark.parametrize("answers", [[page(1, more="/2"), page(2, more="/1"), page(1, more="/2")], [page(more="/2")]])
def test_paging_that_loops_is_broken(answers: list[bytes], make_client: MakeClient) -> None:
    with serving(*answers) as wire, pytest.raises(Broken, match="repeats an earlier page"):
        list(make_client(wire.url).get_pages("/api/campaigns", "campaigns"))
    assert len(wire.requests) <= 3


def test_a_page_without_its_list_is_broken(make_client: MakeClient) -> None:
    with serving(as_json({"items": []})) as wire, pytest.raises(Broken, match="no list 'campaigns'"):
        list(make_client(wire.url).get_pages("/api/campaigns", "campaigns"))
