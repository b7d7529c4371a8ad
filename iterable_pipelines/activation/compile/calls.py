"""Calls to records: identify, track, page, screen, alias, group, with ecommerce and devices (1.3–1.8)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from iterable_pipelines.activation.compile.call import Call
from iterable_pipelines.activation.compile.commerce import Items, total_of
from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.devices import browser, device, platform_of, token_of
from iterable_pipelines.activation.compile.events import attribution, event, event_id, event_name, generated_id
from iterable_pipelines.activation.compile.fields import Fields
from iterable_pipelines.activation.compile.identity import Who, email_of, user_id_of
from iterable_pipelines.activation.compile.loose_names import pick, spellings
from iterable_pipelines.activation.compile.moments import Moments
from iterable_pipelines.activation.compile.purchases import cart, commerce_user, purchase
from iterable_pipelines.activation.compile.rows import RowCompiler, Settled, wrong
from iterable_pipelines.activation.compile.users import OUTPUT as USER
from iterable_pipelines.activation.compile.users import email_change, user_payload
from iterable_pipelines.activation.declaration import IDENTIFIERS
from iterable_pipelines.activation.objects import CallsSync
from iterable_pipelines.activation.records import Compiled, Issue, Record

# both generations of the names, in lower case (1.7)
_ORDERS = {"order completed", "completed order"}
_CARTS = {"product added", "added product", "product removed", "removed product", "cart updated"}
_OF_EVENTS = ("campaign_id", "template_id", "event_id")


class CallsCompiler(RowCompiler[CallsSync]):
    """Rows of a calls sync."""

    def __init__(self, settled: Settled[CallsSync]) -> None:
        super().__init__(settled)
        sync = self.sync
        self._moments = Moments(self.as_of, self.zone, sync.allow_missing_created_at)
        self._any_moment = Moments(self.as_of, self.zone, may_miss=True)
        self._items = Items(self.fields, sync.item_id_from_sku, sync.split_categories_on)
        # NULL clears a field of a profile, and is left out of all else (V5)
        of_profile = replace(self.values, nulls=sync.null_policy != "omit")
        self._profile = Fields((), {}, of_profile, profile=True, allowed=sync.allow_managed_fields)
        self._flags = {} if sync.create_new_fields is None else {"createNewFields": sync.create_new_fields}
        self._types = {
            "identify": self._identify,
            "track": self._track,
            "page": self._page,
            "screen": self._page,
            "alias": self._alias,
            "group": self._group,
        }

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """What one call asks for."""
        issues: list[Issue] = []
        call = Call.of(row, self.sync.columns, issues)
        if not call.type:
            return Compiled(issues=(Issue("missing_call_type", "a call has a type", "type"),))
        if call.type not in self._types:
            known = ", ".join(self._types)
            return Compiled(issues=(Issue("unsupported_call", f"none of {known}", "type"),))
        return self._types[call.type](pk, call, issues)

    def _who(self, call: Call, issues: list[Issue]) -> Who | None:
        user_id = call.user_id(anonymous=self.sync.anonymous_id_as_user_id)
        return self.identifying.who(call.email(), user_id, issues)

    def _identify(self, pk: str, call: Call, issues: list[Issue]) -> Compiled:
        who = self._who(call, issues)
        moment = self._any_moment.created_at(call.members.get("timestamp"), [])
        data = self._context(call, issues) | self._profile_of(call.traits, issues)
        if self.sync.segment_classic_compat and (created := pick(call.traits, "created", "created_at")[1]) is not None:
            data["met"] = self.values.plain(created, "met", issues)
        tokens = self._tokens(pk, who, call, issues) if who else ()
        if who is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        data |= who.spare | self.kept(who)
        return Compiled((self._user(pk, who, data, self.sync.merge_nested_objects, moment), *tokens), tuple(issues))

    def _user(self, pk: str, who: Who, data: dict[str, Any], merge: bool | None, moment: int | None) -> Record:
        payload = user_payload(who, self.identifying.preference(who), data, merge)
        endpoint = "user" if self.sync.delivery == "single" else "users"
        volatile = self.sync.volatile
        return Record(USER, endpoint, payload, who.identity, pk, self._flags, moment=moment, volatile=volatile)

    def _profile_of(self, traits: Mapping[str, Any], issues: list[Issue]) -> dict[str, Any]:
        return self._profile.of_object(traits, (*IDENTIFIERS, "id"), issues)

    def _context(self, call: Call, issues: list[Issue]) -> dict[str, Any]:
        """What the sync takes over of the context (K2)."""
        named = {"timezone": "timeZone"}
        taken = {named.get(each, each): pick(call.context, each)[1] for each in self.sync.context_fields}
        given = {name: value for name, value in taken.items() if value is not None}
        return self._profile.of_object(given, (), issues, path="context")

    def _tokens(self, pk: str, who: Who, call: Call, issues: list[Issue]) -> tuple[Record, ...]:
        """The device that a call tells of, else the browser (1.8). One that is unknown keeps nobody from the rest."""
        devices = self.sync.devices
        if devices is None or not devices.enabled:
            return ()
        told, system = (_inner(call.context, each) for each in ("device", "os"))
        token = token_of(told.get("token"))
        if token is None:
            token = token_of(system.get("token"))
            return () if token is None else (browser(pk, who, token, needs=USER),)
        platform = platform_of(told.get("type") or system.get("name"), sandbox=False)
        if platform is None:
            issues.append(Issue("unknown_platform", "neither Apple's nor Android", "context.device.type", "warning"))
            return ()
        of_device = {"token": token, "platform": platform, "applicationName": devices.application_name}
        return (device(pk, who, self.identifying.preference(who), of_device, needs=USER),)

    def _track(self, pk: str, call: Call, issues: list[Issue]) -> Compiled:
        name = call.members.get("event")
        spoken = name.strip().lower() if isinstance(name, str) else ""
        if spoken in _ORDERS:
            return self._order(pk, call, issues)
        if spoken in _CARTS:
            if pick(call.properties, "products")[0]:
                return self._cart(pk, call, issues)
            if self.sync.cart_without_products == "error":
                issues.append(Issue("missing_products", "products are required", "properties.products"))
            else:
                message = "no products: sent as an event, the cart stays as it is"
                issues.append(Issue("cart_fallback", message, "properties.products", "warning"))
        return self._event(pk, call, name, issues)

    def _page(self, pk: str, call: Call, issues: list[Issue]) -> Compiled:
        name, category = call.named("name"), call.named("category")
        wanted = {"all": True, "named": bool(name), "categorised": bool(category), "none": False}
        if not wanted[self.sync.pages]:
            return Compiled(skipped="page_filtered")
        subject = "" if self.sync.single_event_name else name or category
        return self._event(pk, call, f"{subject} {call.type}" if subject else f"Loaded a {call.type.title()}", issues)

    def _event(self, pk: str, call: Call, name: Any, issues: list[Issue]) -> Compiled:
        who = self._who(call, issues)
        name = event_name(name, issues)
        created = self._moments.created_at(call.members.get("timestamp"), issues)
        known = self._id(pk, call, issues)
        of = self._attribution(call, issues)
        data = self._data(call, _OF_EVENTS, issues)
        if who is None or name is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        endpoint = "event" if self.sync.delivery == "single" else "events"
        data |= self.kept(who)
        record = event(endpoint, pk, who, name, known, created, data, {**of, **self._flags}, self.sync.volatile)
        return Compiled((record,), tuple(issues))

    def _order(self, pk: str, call: Call, issues: list[Issue]) -> Compiled:
        who = self._who(call, issues)
        created = self._moments.created_at(call.members.get("timestamp"), issues)
        known = event_id(pick(call.properties, "order_id")[1], issues) or self._id(pk, call, issues)
        items = self._items.of(pick(call.properties, "products")[1], issues, may_be_empty=False)
        fallback = self.sync.total_fallback
        instead = pick(call.properties, "revenue")[1] if fallback == "revenue" else fallback
        total = total_of(pick(call.properties, "total")[1], items, instead, issues)
        of = self._attribution(call, issues)
        data = self._data(call, ("products", "total", "campaign_id", "template_id"), issues)
        user = self._commerce_user(who, call, issues) if who else {}
        if who is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        data |= self.kept(who)
        order = purchase(pk, who, user, known, total, items, created, data, of, self.sync.volatile)
        return Compiled((order,), tuple(issues))

    def _cart(self, pk: str, call: Call, issues: list[Issue]) -> Compiled:
        who = self._who(call, issues)
        moment = self._any_moment.created_at(call.members.get("timestamp"), issues)
        items = self._items.of(pick(call.properties, "products")[1], issues, may_be_empty=True)
        user = self._commerce_user(who, call, issues) if who else {}
        if who is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        return Compiled((cart(pk, who, user, items, moment),), tuple(issues))

    def _commerce_user(self, who: Who, call: Call, issues: list[Issue]) -> dict[str, Any]:
        """Identifiers, and data of the profile only where the sync says so (C2)."""
        user = commerce_user(who, self.identifying.preference(who), self.sync.create_new_fields)
        if not self.sync.purchase_updates_profile:
            return user
        data = self._profile_of({**call.of_context, **call.traits}, issues) | who.spare
        merge = self.sync.merge_nested_objects
        return {
            **user,
            **({} if merge is None else {"mergeNestedObjects": merge}),
            **({"dataFields": data} if data else {}),
        }

    def _alias(self, pk: str, call: Call, issues: list[Issue]) -> Compiled:
        """A new address for somebody known by the old one, or by userId (1.6)."""
        previous = call.members.get("previous_id")
        is_address = isinstance(previous, str) and "@" in previous and self.project != "userid"
        longest = self.sync.longest_user_id
        old = email_of(previous, issues) if is_address else user_id_of(previous, issues, longest, "previousId")
        new = email_of(call.members.get("user_id"), issues, "userId")
        found = {each.path for each in issues}
        if old is None and not found & {"email", "previousId"}:
            issues.append(Issue("missing_previous_id", "previousId is required", "previousId"))
        if new is None and "userId" not in found:
            issues.append(Issue("missing_new_email", "userId is the new address, and required", "userId"))
        if old is None or new is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        if old == new:
            return Compiled(skipped="noop", issues=tuple(issues))
        if self.project == "email":
            return Compiled((email_change(pk, {"email" if is_address else "userId": old}, new),), tuple(issues))
        who = Who(old, None) if is_address else Who(None, old)
        moment = self._any_moment.created_at(call.members.get("timestamp"), [])
        return Compiled((self._user(pk, who, {"email": new}, None, moment),), tuple(issues))

    def _group(self, pk: str, call: Call, issues: list[Issue]) -> Compiled:
        """Iterable has no groups: skipped, unless the sync names a field for them (1.6)."""
        if self.sync.group is None:
            return Compiled(skipped="unsupported_call:group")
        who = self._who(call, issues)
        told = {"groupId": call.members.get("group_id"), **call.traits}
        company = self.fields.of_object(told, (), issues)
        if who is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        moment = self._any_moment.created_at(call.members.get("timestamp"), [])
        return Compiled((self._user(pk, who, {self.sync.group.field: company}, True, moment),), tuple(issues))

    def _id(self, pk: str, call: Call, issues: list[Issue]) -> str:
        """A property event_id, the call's own id, or one made of the row's key (T4)."""
        own = event_id(pick(call.properties, "event_id")[1], issues)
        return own or event_id(call.members.get("message_id"), issues) or generated_id(self.ids, pk)

    def _attribution(self, call: Call, issues: list[Issue]) -> dict[str, int]:
        campaign, template = (pick(call.properties, name)[1] for name in ("campaign_id", "template_id"))
        return attribution(campaign, template, issues)

    def _data(self, call: Call, without: tuple[str, ...], issues: list[Issue]) -> dict[str, Any]:
        """The properties that are data (1.4, C6)."""
        without_these = {*IDENTIFIERS, *spellings(call.properties, *without)}
        return self.fields.of_object(call.properties, without_these, issues)


def _inner(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = given.get(name)
    return found if isinstance(found, Mapping) else {}
