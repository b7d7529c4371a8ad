"""Items of catalogs, read back: one by one, or where there are many, page by page; and catalogs themselves."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from iterable_pipelines.activation.catalogs import item_of
from iterable_pipelines.activation.verify import people
from iterable_pipelines.activation.verify.notebook import COLUMNS, Notebook, promise_of
from iterable_pipelines.activation.verify.promises import MISSING, VERIFIED, Finding, Promise
from iterable_pipelines.activation.verify.sameness import differing
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api.catalog_reads import ITEMS_A_PAGE, count_items, read_field_types, read_item, read_items
from iterable_pipelines.quoting import literal

OF_ITEMS = "identity_kind = 'item'"
OF_CATALOGS = "identity_kind = 'catalog'"

Found = tuple[Promise, Finding]
Value = dict[str, Any]


@dataclass
class Items:
    """Reads items and catalogs. `lookups` counts the requests so far."""

    notebook: Notebook
    client: Client
    lookups: int = 0
    _begun: float = field(default_factory=time.monotonic)

    def look_for(self) -> Iterator[Found]:
        """What became of every chosen promise of an item or a catalog. Raises IterableError."""
        for catalog, chosen in self.notebook.con.execute(
            f"select split_part(identity, '/', 1) as catalog, count(*) from promises where chosen and {OF_ITEMS} "
            "group by all order by all"
        ).fetchall():
            if chosen > ITEMS_A_PAGE:
                yield from self._by_pages(catalog)
        for group in self.notebook.groups(f"chosen and {OF_ITEMS}"):
            yield from self._by_itself(group)
        for group in self.notebook.groups(f"chosen and {OF_CATALOGS}"):
            there = self._ask(read_field_types, str(group[0].identity)) is not None
            for promise in group:
                yield promise, VERIFIED if there != _is_gone(promise) else Finding("mismatch") if there else MISSING

    def _by_pages(self, catalog: str) -> Iterator[Found]:
        """All items of a catalog, and what they say. Of what they do not show, deletions alone are proved by that."""
        con = self.notebook.con
        of_catalog = f"chosen and {OF_ITEMS} and split_part(identity, '/', 1) = {literal(catalog)}"
        if self._ask(read_field_types, catalog) is None:
            for row in self.notebook.rows(f"select {', '.join(COLUMNS)} from promises where {of_catalog}"):
                promise = promise_of(row)
                yield promise, judge_item(promise, None)
            return
        con.execute("create or replace table shown (identity text)")
        before = self._ask(count_items, catalog)
        items = read_items(self.client, catalog)
        while page := list(islice(items, ITEMS_A_PAGE)):
            self.lookups += 1
            values = {f"{catalog}/{each['itemId']}": each.get("value") for each in page}
            # an item that moved stands on two pages
            rows = con.execute(
                f"select {', '.join(COLUMNS)} from promises where {of_catalog} and identity in (select unnest(?)) "
                "and identity not in (from shown)",
                [list(values)],
            ).fetchall()
            con.execute("insert into shown select unnest(?)", [list(values)])
            for promise in map(promise_of, rows):
                yield promise, judge_item(promise, values[str(promise.identity)] or {})
        ((read,),) = con.execute("select count(distinct identity) from shown").fetchall()
        # how deep paging goes is not documented, and items move between pages while others come and go
        if before == read == self._ask(count_items, catalog):
            gone = self.notebook.rows(
                f"select {', '.join(COLUMNS)} from promises where {of_catalog} and endpoint = 'catalog_items_gone' "
                "and identity not in (from shown)"
            )
            yield from ((promise_of(row), VERIFIED) for row in gone)

    def _by_itself(self, promises: list[Promise]) -> Iterator[Found]:
        value = self._ask(read_item, *item_of(promises[0].identity))
        yield from ((each, judge_item(each, value)) for each in promises)

    def _ask(self, read: Callable[..., Any], *question: Any) -> Any:
        self.lookups += 1
        # the ledger lets more pass; the rest is left to others
        time.sleep(max(0.0, self._begun + self.lookups / people.A_SECOND - time.monotonic()))
        return read(self.client, *question)


def judge_item(promise: Promise, value: Value | None) -> Finding:
    """Whether an item has every field that was sent, and after a replacement no other; `value` is None for none."""
    if _is_gone(promise):
        return VERIFIED if value is None else Finding("mismatch", ("itemId",))
    if value is None:
        return MISSING
    sent = promise.payload.get("value", promise.payload.get("update", {}))
    # a field that is sent becomes what is sent, an object wholly
    replaced = promise.endpoint == "catalog_item" or promise.flags.get("replaceUploadedFieldsOnly") is False
    found = value if replaced else {name: value.get(name) for name in sent}
    names = differing(sent, found, whole=True)
    if not names:
        return VERIFIED
    tops = {each.partition(".")[0] for each in names}
    return Finding("mismatch", tuple(names), {top: value.get(top) for top in sorted(tops)})


def _is_gone(promise: Promise) -> bool:
    return promise.endpoint in ("catalog_items_gone", "whole_catalog_gone")
