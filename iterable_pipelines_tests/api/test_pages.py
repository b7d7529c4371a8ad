"""Pages are turned by number, never by following an address, and never for ever (api.md 1.7; faults.md H34)."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from iterable_pipelines.api import Broken, Refused
from iterable_pipelines.api.paging import Ask, pages_by_marker, pages_by_number, pages_by_offset
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


def asking(*answers: dict[str, Any]) -> tuple[Ask, list[dict[str, Any]]]:
    """A function that answers in turn, and the parameters it was asked with."""
    waiting, asked = list(answers), list[dict[str, Any]]()

    def ask(params: dict[str, Any]) -> dict[str, Any]:
        asked.append(params)
        answer = waiting.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask, asked


def test_pages_go_on_while_the_total_is_not_reached_even_without_a_next() -> None:
    first, second = {"x": [1, 2], "totalItemsCount": 3}, {"x": [3], "totalItemsCount": 3}
    ask, asked = asking({"params": first}, {"params": second, "msg": "", "code": "Success"})
    assert [page.items for page in pages_by_number(ask, "x", 2, "x")] == [[1, 2], [3]]
    assert [each["page"] for each in asked] == [1, 2]


def test_a_total_that_counts_more_than_is_listed_ends_with_an_empty_page() -> None:
    ask, asked = asking({"x": [1, 2], "total": 9}, {"x": [], "total": 9})
    assert [page.total for page in pages_by_number(ask, "x", 2, "x")] == [9, 9]
    assert len(asked) == 2


def test_a_page_size_that_is_refused_is_made_smaller_once() -> None:
    ask, asked = asking(Refused("too many", 400), {"x": [1]})
    assert [page.items for page in pages_by_number(ask, "x", 1000, "x")] == [[1]]
    assert [each["pageSize"] for each in asked] == [1000, 100]
    ask, asked = asking(Refused("no", 400), Refused("no", 400))
    with pytest.raises(Refused):
        list(pages_by_number(ask, "x", 1000, "x"))


def test_a_listing_too_deep_ends_where_it_is_refused_and_the_total_tells() -> None:
    ask, _ = asking({"x": [1], "nextPageUrl": "/2", "total": 2}, Refused("too deep", 400))
    assert [(page.items, page.total) for page in pages_by_number(ask, "x", 1, "x")] == [([1], 2)]
    ask, _ = asking({"x": [1], "nextPageUrl": "/2"}, Refused("why", 400))
    with pytest.raises(Refused):
        list(pages_by_number(ask, "x", 1, "x"))


@pytest.mark.parametrize(
    "answers",
    [
        [{"x": [1, 2], "pagination": {"total": 3}}, {"x": [3], "pagination": {"total": 3}}],
        [{"x": [1, 2], "totalCount": 3}, {"x": [3], "totalCount": 3}],
        # fewer than asked for, because the server allows no more
        [{"x": [1], "totalCount": 3}, {"x": [2], "totalCount": 3}, {"x": [3], "totalCount": 3}],
        [{"x": [1, 2]}, {"x": [3]}],
    ],
)
def test_pages_by_offset(answers: list[dict[str, Any]]) -> None:
    ask, asked = asking(*answers)
    assert [item for page in pages_by_offset(ask, "x", 2, "x") for item in page.items] == [1, 2, 3]
    assert [each["offset"] for each in asked] == [
        sum(len(each["x"]) for each in answers[:n]) for n in range(len(asked))
    ]


def test_pages_by_marker() -> None:
    ask, asked = asking({"x": [1], "nextMarker": "a"}, {"x": [], "nextMarker": "b"}, {"x": [2], "nextMarker": None})
    assert [item for page in pages_by_marker(ask, "x", "x") for item in page.items] == [1, 2]
    assert asked == [{}, {"nextMarker": "a"}, {"nextMarker": "b"}]
