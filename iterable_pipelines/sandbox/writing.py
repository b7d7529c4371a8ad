"""Write endpoints, applied to the world in memory: what is written shows in the next read (api.md 6.1 to 6.3)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from iterable_pipelines.sandbox.errors import refusal
from iterable_pipelines.sandbox.oddities import stamp
from iterable_pipelines.sandbox.user_reads import field_types, type_of
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.written import FORGOTTEN_EMAILS, FORGOTTEN_USER_IDS

LARGEST_BODY = 4_000_000
FAILURES = ("invalid", "notFound", "invalidData", "conflict", "forgotten")
TYPED, NUMBERS = ("string", "boolean", "long", "double"), {"long", "double"}
DRIFTING = ("score",)  # the seeded world's own fields that never had one type
Asked = dict[str, Any]


@dataclass
class Outcome:
    """The answer of a bulk write: counts, and failures by identifier, never by position (api.md 6.1)."""

    done: int = 0
    failed: dict[str, list[str]] = field(default_factory=dict)
    filtered: set[str] = field(default_factory=set)
    created: set[str] = field(default_factory=set)

    def fail(self, reason: str, email: str | None, user_id: str | None) -> None:
        """Note one failure."""
        kind, name = ("Emails", email) if email else ("UserIds", user_id)
        self.failed.setdefault(reason + kind, []).append(name or "")

    def as_json(self) -> Asked:
        """The body: 200 even with failures inside."""
        names = [reason + kind for reason in FAILURES for kind in ("Emails", "UserIds")]
        return {
            "successCount": self.done,
            "failCount": sum(map(len, self.failed.values())),
            "invalidEmails": self.failed.get("invalidEmails", []),
            "invalidUserIds": self.failed.get("invalidUserIds", []),
            "filteredOutFields": sorted(self.filtered),
            "createdFields": sorted(self.created),
            "failedUpdates": {name: self.failed.get(name, []) for name in names},
        }


def named(asked: Asked) -> tuple[str | None, str | None]:
    """The identifiers of one row."""
    return asked.get("email"), asked.get("userId")


def wrong_name(email: str | None, user_id: str | None) -> str | None:
    """Why a person so named cannot be written: invalid or forgotten; None if nothing is wrong."""
    if (email is None and not user_id) or (email is not None and "@" not in email.strip("@")):
        return "invalid"
    if (email or "").strip().lower() in FORGOTTEN_EMAILS or user_id in FORGOTTEN_USER_IDS:
        return "forgotten"
    return None


def success(message: str = "", params: Asked | None = None) -> Response:
    """The envelope of a write that went well."""
    return JSONResponse({"msg": message, "code": "Success", "params": params})


class Writer:
    """Applies writes to one world and answers as Iterable does."""

    def __init__(self, world: World):
        self.world = world
        self._types: dict[str, str] | None = None

    @property
    def types(self) -> dict[str, str]:
        """The type of every user field; the first one ever seen stays (api.md 1.9)."""
        if self._types is None:
            self._types = field_types(self.world.all_records("user"))
        return self._types

    def mismatches(self, rows: Iterable[Asked]) -> Asked:
        """Values whose type is not their field's: one of them refuses a whole batch (api.md 1.4)."""
        wrong: Asked = {}
        for row in rows:
            for name, value in (row.get("dataFields") or {}).items():
                incoming, expected = type_of(name, value), self.types.get(name)
                if value is None or name in DRIFTING or expected not in TYPED or {incoming, expected} <= NUMBERS:
                    continue
                if incoming != expected:
                    wrong[f"sandbox:::{name}"] = {
                        "incomingTypes": [incoming],
                        "expectedType": expected,
                        "category": "user",
                        "offendingValue": value,
                        "_type": "UnexpectedType",
                    }
        return wrong

    def update(self, row: Asked, outcome: Outcome, create_fields: bool, must_exist: bool = False) -> bool:
        """Write one person's fields; False, and noted in `outcome`, if that cannot be."""
        email, user_id = named(row)
        reason = wrong_name(email, user_id)
        if reason is None and must_exist and self.world.find_user(email, user_id) is None:
            reason = "notFound"
        if reason:
            outcome.fail(reason, email, user_id)
            return False
        fields = dict(row.get("dataFields") or {})
        unknown = {name for name in fields if name not in self.types}
        if create_fields:
            outcome.created |= unknown
            self.types.update({name: type_of(name, fields[name]) for name in unknown if fields[name] is not None})
        else:
            outcome.filtered |= unknown
            fields = {name: value for name, value in fields.items() if name not in unknown}
        self.world.write_user(email, user_id, fields, merge=bool(row.get("mergeNestedObjects")))
        outcome.done += 1
        return True

    def track(self, data_type: str, row: Asked, record: Asked) -> str:
        """Write one event; returns its id."""
        created = int(row.get("createdAt") or self.world.now().timestamp())
        created = created // 1000 if created > 10**11 else created  # both seconds and milliseconds are in use
        names = {key: row[key] for key in ("email", "userId", "campaignId", "templateId") if row.get(key) is not None}
        return self.world.write_event(data_type, {"createdAt": stamp(created)} | names | record, created, row.get("id"))

    def users_update(self, asked: Asked) -> Response:
        """POST users/update: one person; 409 if forgotten, 400 if the name or a type is wrong."""
        wrong = self.mismatches([asked])
        if wrong:
            return _mismatched(wrong)
        outcome = Outcome()
        if not self.update(asked, outcome, asked.get("createNewFields", True)):
            return _single_failure(asked, outcome)
        return success()

    def users_bulk_update(self, asked: Asked) -> Response:
        """POST users/bulkUpdate: 200 with failures inside, or 400 for all if one value has a wrong type."""
        wrong = self.mismatches(asked["users"])
        if wrong:
            return _mismatched(wrong)
        outcome = Outcome()
        for row in asked["users"]:
            self.update(row, outcome, asked.get("createNewFields", True))
        return JSONResponse(outcome.as_json())

    def update_subscriptions(self, asked: Asked) -> Response:
        """POST users/updateSubscriptions: every array given overwrites the one before."""
        outcome = Outcome()
        keys = ("emailListIds", "unsubscribedChannelIds", "unsubscribedMessageTypeIds", "subscribedMessageTypeIds")
        fields = {key: asked[key] for key in keys if asked.get(key) is not None}
        if not self.update(asked | {"dataFields": fields}, outcome, create_fields=True):
            return _single_failure(asked, outcome)
        return success()

    def events_track(self, asked: Asked) -> Response:
        """POST events/track: the same id updates, no id adds."""
        reason = wrong_name(*named(asked))
        if reason:
            outcome = Outcome()
            outcome.fail(reason, *named(asked))
            return _single_failure(asked, outcome)
        name = self.track("customEvent", asked, {"eventName": asked["eventName"]} | (asked.get("dataFields") or {}))
        return success(f"Event with id: {name} tracked.", {"id": name})

    def events_track_bulk(self, asked: Asked) -> Response:
        """POST events/trackBulk: as events/track, 200 with failures inside."""
        outcome = Outcome()
        for row in asked["events"]:
            reason = wrong_name(*named(row))
            if reason:
                outcome.fail(reason, *named(row))
            else:
                self.track("customEvent", row, {"eventName": row["eventName"]} | (row.get("dataFields") or {}))
                outcome.done += 1
        answer = outcome.as_json() | {"disallowedEventNames": []}
        kept = ("invalid", "notFound", "forgotten")
        answer["failedUpdates"] = {
            key: value
            for key, value in answer["failedUpdates"].items()
            if key.removesuffix("Emails").removesuffix("UserIds") in kept
        }
        return JSONResponse(answer)

    def track_purchase(self, asked: Asked) -> Response:
        """POST commerce/trackPurchase: makes the user if unknown and empties the cart."""
        user = asked["user"]
        outcome = Outcome()
        if not self.update(
            user | {"dataFields": (user.get("dataFields") or {}) | {"shoppingCartItems": []}}, outcome, True
        ):
            return _single_failure(user, outcome)
        own = {"eventName": "purchase", "total": asked["total"], "shoppingCartItems": asked["items"]}
        name = self.track(
            "purchase",
            asked | dict(zip(("email", "userId"), named(user), strict=True)),
            own | (asked.get("dataFields") or {}),
        )
        return success("", {"id": name})

    def subscribe(self, asked: Asked) -> Response:
        """POST lists/subscribe: makes unknown people unless updateExistingUsersOnly."""
        return self._members(
            asked, lambda lists, list_id: sorted({*lists, list_id}), asked.get("updateExistingUsersOnly", False)
        )

    def unsubscribe(self, asked: Asked) -> Response:
        """POST lists/unsubscribe: unknown people are failures."""
        return self._members(asked, lambda lists, list_id: [each for each in lists if each != list_id], True)

    def _members(self, asked: Asked, change: Callable[[list[int], int], list[int]], must_exist: bool) -> Response:
        list_id = asked["listId"]
        if self.world.members(list_id) is None:
            return refusal(
                400, "Success", f"error.lists.invalidListId({list_id})", {"projectId": 9079, "listId": list_id}
            )
        outcome = Outcome()
        key = "emailListIds" if self.world.project_type == "email" else "userListIds"
        for row in asked["subscribers"]:
            before = (self.world.find_user(*named(row)) or {}).get(key, [])
            after = change(before, list_id)
            fields = (row.get("dataFields") or {}) | {key: after}
            if self.update(row | {"dataFields": fields}, outcome, True, must_exist) and before != after:
                kind = "emailSubscribe" if len(after) > len(before) else "emailUnSubscribe"
                source = {"signupSource": "ListAPI"} if kind == "emailSubscribe" else {"unsubSource": "ListAPI"}
                self.track(
                    kind,
                    {key: row.get(key) for key in ("email", "userId")},
                    source | {"emailListIds": [list_id], "channelIds": []},
                )
        return JSONResponse(outcome.as_json())


def _mismatched(wrong: Asked) -> Response:
    return refusal(400, "RequestFieldsTypesMismatched", "Request fields types mismatched", {"validationErrors": wrong})


def _single_failure(row: Asked, outcome: Outcome) -> Response:
    reason = next(iter(outcome.failed))
    if reason.startswith("forgotten"):
        return refusal(409, "ForgottenUserError", "User has been forgotten")
    return refusal(400, "InvalidEmailAddressError", f"Invalid email: {row.get('email')}")


def write_routes(world: World) -> list[Route]:
    """The POST routes of users, events, purchases and list members."""
    writer = Writer(world)
    writes: dict[str, Callable[[Asked], Response]] = {
        "/api/users/update": writer.users_update,
        "/api/users/bulkUpdate": writer.users_bulk_update,
        "/api/users/updateSubscriptions": writer.update_subscriptions,
        "/api/events/track": writer.events_track,
        "/api/events/trackBulk": writer.events_track_bulk,
        "/api/commerce/trackPurchase": writer.track_purchase,
        "/api/lists/subscribe": writer.subscribe,
        "/api/lists/unsubscribe": writer.unsubscribe,
    }

    def route(path: str, write: Callable[[Asked], Response]) -> Route:
        async def answer(request: Request) -> Response:
            if len(await request.body()) > LARGEST_BODY:
                return refusal(413, "BatchTooLarge", "Request body is larger than 4 MB")
            try:
                return await run_in_threadpool(write, await request.json())
            except (ValueError, KeyError, TypeError, AttributeError) as wrong:
                return refusal(400, "BadJsonBody", f"[{path}] Invalid JSON body", {"obj": repr(wrong)})

        return Route(path, answer, methods=["POST"])

    return [route(path, write) for path, write in writes.items()]
