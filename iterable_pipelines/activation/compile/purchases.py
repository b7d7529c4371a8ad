"""Rows that are an order, or a cart, each: its items in a list, struct or JSON column (C1–C5, C7, C9)."""

from typing import Any

from iterable_pipelines.activation.compile.commerce import Items, total_of
from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.events import attribution, event_id, generated_id, given
from iterable_pipelines.activation.compile.identity import Who
from iterable_pipelines.activation.compile.moments import Moments
from iterable_pipelines.activation.compile.rows import RowCompiler, Settled, wrong
from iterable_pipelines.activation.objects import CartSync, PurchaseSync
from iterable_pipelines.activation.records import Compiled, Issue, Record

PURCHASE, CART = "purchase", "cart"


class PurchaseCompiler(RowCompiler[PurchaseSync]):
    """Rows of a purchase sync."""

    def __init__(self, settled: Settled[PurchaseSync]) -> None:
        super().__init__(settled)
        sync = self.sync
        self._moments = Moments(self.as_of, self.zone, sync.allow_missing_created_at)
        self._items = Items(self.fields, sync.item_id_from_sku, sync.split_categories_on)

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One order."""
        issues: list[Issue] = []
        sync = self.sync
        who = self.who(row, issues)
        created = self._moments.created_at(row.get(sync.created_at) if sync.created_at else None, issues)
        own = row.get(sync.id) if sync.id else None
        known = event_id(own, issues, required=sync.mode == "update") or generated_id(self.ids, pk)
        items = self._items.of(row.get(sync.items), issues, may_be_empty=False)
        fallback = row.get("revenue") if sync.total_fallback == "revenue" else sync.total_fallback
        total = total_of(row.get(sync.total) if sync.total else None, items, fallback, issues)
        of = attribution(given(sync.campaign_id, row), given(sync.template_id, row), issues)
        data, _ = self.fields.of_row(row, issues)
        if who is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        user = commerce_user(who, self.identifying.preference(who), sync.create_new_fields)
        data |= self.kept(who)
        order = purchase(pk, who, user, known, total, items, created, data, of, sync.volatile)
        return Compiled((order,), tuple(issues))


class CartCompiler(RowCompiler[CartSync]):
    """Rows of a cart sync."""

    def __init__(self, settled: Settled[CartSync]) -> None:
        super().__init__(settled)
        self._moments = Moments(self.as_of, self.zone, may_miss=True)
        self._items = Items(self.fields, self.sync.item_id_from_sku, self.sync.split_categories_on)

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One cart, which replaces the one that the user has (C7)."""
        issues: list[Issue] = []
        who = self.who(row, issues)
        moment = self._moments.created_at(row.get(self.sync.created_at) if self.sync.created_at else None, issues)
        items = self._items.of(row.get(self.sync.items), issues, may_be_empty=True)
        if who is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        user = commerce_user(who, self.identifying.preference(who), self.sync.create_new_fields)
        return Compiled((cart(pk, who, user, items, moment),), tuple(issues))

    def leave(self, acknowledged: Acknowledged) -> Record | None:
        """The cart is emptied, where the sync says so."""
        identity = acknowledged.identity
        if self.sync.on_leave != "clear" or identity is None:
            return None
        # of a cart that was there before the first run no more is known
        payload = {"user": acknowledged.payload.get("user", {identity.kind: identity.value}), "items": []}
        return Record(CART, "cart", payload, acknowledged.identity, acknowledged.key)


def commerce_user(who: Who, preference: dict[str, bool], create_new_fields: bool | None) -> dict[str, Any]:
    """The user of an order: identifiers only (C2)."""
    user = {**who.top, **preference}
    return user if create_new_fields is None else {**user, "createNewFields": create_new_fields}


def purchase(
    pk: str,
    who: Who,
    user: dict[str, Any],
    known: str,
    total: Any,
    items: list[dict[str, Any]],
    created: int | None,
    data: dict[str, Any],
    of: dict[str, int],
    volatile: tuple[str, ...] = (),
) -> Record:
    """POST commerce/trackPurchase: sent again under its id it replaces itself (S8)."""
    payload = {"id": known, "user": user, "total": total, "items": items, **of}
    if created is not None:
        payload["createdAt"] = created
    if data:
        payload["dataFields"] = data
    return Record(PURCHASE, "purchase", payload, who.identity, pk, moment=created, volatile=volatile)


def cart(pk: str, who: Who, user: dict[str, Any], items: list[dict[str, Any]], moment: int | None) -> Record:
    """POST commerce/updateCart."""
    return Record(CART, "cart", {"user": user, "items": items}, who.identity, pk, moment=moment)
