"""users/update and users/bulkUpdate, and the writing of profiles that other endpoints share (api.md 6.1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from iterable_pipelines.sandbox.everybody import identity
from iterable_pipelines.sandbox.identify import Failure, Row, trimmed
from iterable_pipelines.sandbox.profiles import Fields
from iterable_pipelines.sandbox.schema import MANAGED, Examination
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.writing.call import Call, Outcome, success


def nothing_more(row: Row, before: Fields) -> Fields:
    """A change of nothing but the row's own fields."""
    return {}


@dataclass(frozen=True)
class Change:
    """How rows change profiles beside their dataFields.

    fields: what else is laid over a profile, given the row and the profile before. must_exist: unknown people are
    failures. source: signupSource of those who are created. after: called with the row and the profile before, once
    it was changed.
    """

    fields: Callable[[Row, Fields], Fields] = nothing_more
    must_exist: bool = False
    source: str = "API"
    after: Callable[[Row, Fields], None] | None = None


AS_ASKED = Change()


class Users:
    """Writes profiles of one world."""

    def __init__(self, world: World):
        self.world = world

    def update(self, call: Call) -> Response:
        """POST users/update: one person; 400 or 409 with the reason's code if that cannot be."""
        self.write(call, "single", [call.asked], call.asked.get("createNewFields")).raise_single()
        return success()

    def bulk_update(self, call: Call) -> Response:
        """POST users/bulkUpdate: 200 with failures inside, or 400 for all if one value has a wrong type."""
        return self.write(call, "bulk", call.asked["users"], call.asked.get("createNewFields")).as_users()

    def write(
        self, call: Call, pipeline: str, rows: Sequence[Row], create: bool | None = None, change: Change = AS_ASKED
    ) -> Outcome:
        """Check every row, answer for each, and let the good ones happen when the pipeline's delay is over.

        create: whether unknown fields are new ones; None: as the project is set. Raises Refused if the types of one
        row refuse them all.
        """
        world, outcome, looked = self.world, Outcome(), Examination()
        create = world.rules.create_new_fields if create is None else create
        found = [looked.look(world.schema, row.get("dataFields") or {}, create) for row in rows]
        looked.finish()
        outcome.created, outcome.filtered = looked.created, looked.filtered
        delay = world.rules.delay(pipeline)
        accepted: list[tuple[Row, Fields]] = []
        for row, each in zip(rows, found, strict=True):
            email = trimmed(row.get("email"))
            if each.spoilt:
                kind = ("Emails", email) if email else ("UserIds", row.get("userId", ""))
                outcome.failed.append(Failure("invalidData", *kind))
                continue
            changed = self._lay(row, each.fields, change, apply=not delay and call.fault is None)
            if isinstance(changed, Failure):
                outcome.failed.append(changed)
                continue
            outcome.done += 1
            if not changed:
                outcome.no_op.append(("Emails", email) if email else ("UserIds", row["userId"]))
            if (delay or call.fault) and not (changed and call.is_dropped(world, row)):
                accepted.append((row, each.fields))
        if accepted:

            def happen() -> None:
                # whoever was renamed or forgotten meanwhile is left out, and nobody is told
                for row, fields in accepted:
                    self._lay(row, fields, change, apply=True)

            world.submit(pipeline, happen)
        return outcome

    def _lay(self, row: Row, fields: Fields, change: Change, apply: bool) -> bool | Failure:
        """Lay the row over whom it means; whether that changes anything, or why it cannot be."""
        world = self.world
        who = world.identify(row, change.must_exist)
        if isinstance(who, Failure):
            return who
        if who.profile is None:
            if apply:
                fields = {name: value for name, value in fields.items() if name not in MANAGED}
                world.everybody.create(who.names | fields | change.fields(row, {}), change.source)
                if change.after:
                    change.after(row, {})
            return True
        before = world.everybody.read(who.profile)
        known = identity(before)
        merge = bool(row.get("mergeNestedObjects"))
        laid: Fields = {name: value for name, value in who.names.items() if known.get(name) != value}
        for name, value in (fields | change.fields(row, before)).items():
            old = before.get(name)
            new = old | value if merge and isinstance(value, dict) and isinstance(old, dict) else value
            if name not in MANAGED and old != new:
                laid[name] = new
        if laid and apply:
            if "email" in laid and "email" in known:
                world.written.move([known["email"]], {"email": laid["email"]})
            world.everybody.change(who.profile, laid)
            if change.after:
                change.after(row, before)
        return bool(laid)
