"""Who people are: new addresses, merges, deletions, forgetting (api.md 6.1)."""

from typing import Any

from starlette.responses import Response

from iterable_pipelines.sandbox.errors import Refused, bad_params, refusal
from iterable_pipelines.sandbox.everybody import identity
from iterable_pipelines.sandbox.identify import ADDRESS, Failure, Row, trimmed
from iterable_pipelines.sandbox.pipelines import Effect
from iterable_pipelines.sandbox.profiles import Fields, Profile
from iterable_pipelines.sandbox.schema import MANAGED
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.writing.call import Call, single_failure, success

KEPT = {*MANAGED, "profileUpdatedAt", "signupDate", "signupSource", "itblUserId"}


def merged(source: Fields, destination: Fields, arrays: list[Row]) -> Fields:
    """What the destination gains: fields it has not got, and the arrays named, without what it has already.

    Raises Refused for a `dedupeBy` of an array that holds no objects, which fails the merge (the Swagger's ArrayMerge).
    """
    gained = {name: value for name, value in source.items() if name not in KEPT and destination.get(name) is None}
    for each in arrays:
        name, by = each["field"], each.get("dedupeBy")
        old, new = as_list(destination.get(name)), as_list(source.get(name))
        if by and not all(isinstance(item, dict) for item in old + new):
            raise Refused(bad_params(f"dedupeBy needs an array of objects: {name}"))
        seen = [item.get(by) for item in old] if by else old
        gained[name] = old + [item for item in new if (item.get(by) if by else item) not in seen]
    return gained


def as_list(value: Any) -> list[Any]:
    """The value as an array: alone in one, or none at all."""
    return value if isinstance(value, list) else [] if value is None else [value]


class Identities:
    """Renames, merges and removes people."""

    def __init__(self, world: World):
        self.world, self.everybody, self.written = world, world.everybody, world.written

    def update_email(self, call: Call) -> Response:
        """POST users/updateEmail: email-based projects only; the new address must be nobody's."""
        if self.world.project_type != "email":
            raise Refused(bad_params("This project is not identified by email: use users/update"))
        current, new = trimmed(call.asked.get("currentEmail")), trimmed(call.asked["newEmail"]) or ""
        for name, email in (("currentEmail", current), ("newEmail", new)):
            if email is not None and not ADDRESS.fullmatch(email):
                raise Refused(refusal(400, "InvalidEmailAddressError", f"Invalid {name} {email}"))
        # currentEmail takes precedence if both are there
        row: Row = {"email": current} if current else {"userId": call.asked.get("currentUserId")}
        profile = self._known(row)
        if new in self.written.forgotten_emails:
            raise Refused(single_failure(Failure("forgotten", "Emails", new)))
        if self.everybody.by_email(new):
            raise Refused(refusal(400, "EmailAlreadyExists", f"Email already exists: {new}"))

        def happen() -> None:
            self.written.move([identity(self.everybody.read(profile)).get("email", "")], {"email": new})
            self.everybody.change(profile, {"email": new})

        self._submit(call, {"email": current or new}, happen)
        return success()

    def merge(self, call: Call) -> Response:
        """POST users/merge: the source must exist; without a destination it is only renamed."""
        asked = call.asked
        source = self._known({"email": asked.get("sourceEmail"), "userId": asked.get("sourceUserId")})
        row = {"email": asked.get("destinationEmail"), "userId": asked.get("destinationUserId"), "preferUserId": True}
        who = self.world.identify(row)
        if isinstance(who, Failure):
            raise Refused(single_failure(who))
        if who.profile and who.profile.same(source):
            raise Refused(bad_params("Source and destination are the same user"))
        read, destination = self.everybody.read, who.profile
        gained = merged(read(source), read(destination), asked.get("arrayMerge") or []) if destination else who.names

        def happen() -> None:
            names = identity(read(source)).values()
            self.everybody.change(destination or source, gained)
            if destination:
                self.everybody.written.remove(source)
            self.written.move(names, identity(read(destination or source)))

        self._submit(call, row, happen)
        return success()

    def forget(self, call: Call) -> Response:
        """POST users/forget: the name is blocked at once; profile, events and whoever had the name before go."""
        row = self._by_type(call.asked)
        who = self.world.identify(row)
        if isinstance(who, Failure) and who.reason == "invalid":
            raise Refused(single_failure(who))
        email, user_id = row.get("email"), row.get("userId")
        if email:
            self.written.forgotten_emails[email] = None
        else:
            self.written.forgotten_user_ids[user_id or ""] = None

        def happen() -> None:
            present = self.everybody.find(email, user_id)
            former = self.everybody.former(email, user_id, int(self.world.start.timestamp()))
            for profile in (*filter(None, [present]), *former):
                self._erase(profile)
            self.written.move([email or user_id or ""], None)

        if not self.world.rules.forgotten_linger:
            self._submit(call, row, happen)
        return success()

    def unforget(self, call: Call) -> Response:
        """POST users/unforget: the name may be written again; what is gone stays gone."""
        row = self._by_type(call.asked)
        self.written.forgotten_emails.pop(row.get("email", ""), None)
        self.written.forgotten_user_ids.pop(row.get("userId", ""), None)
        return success()

    def delete(self, call: Call) -> Response:
        """DELETE users/{email} or users/byUserId/{id}, which deletes everybody who shares the id; asynchronous."""
        email, user_id = call.at.get("email"), call.at.get("user_id")
        if email and self.world.project_type == "userid":
            raise Refused(bad_params("This project is identified by userId"))
        if not self.everybody.find(trimmed(email), user_id):
            raise Refused(bad_params(f"User does not exist. Email: {email or ''} UserId: {user_id or ''}"))

        def happen() -> None:
            while profile := self.everybody.find(trimmed(email), user_id):
                self._erase(profile)

        self._submit(call, {"email": email, "userId": user_id}, happen)
        return success()

    def _erase(self, profile: Profile) -> None:
        names = identity(self.everybody.read(profile))
        self.everybody.written.remove(profile)
        self.written.move(names.values(), None)

    def _known(self, row: Row) -> Profile:
        who = self.world.identify(row, must_exist=True)
        if isinstance(who, Failure):
            raise Refused(single_failure(who))
        if who.profile is None:
            raise AssertionError("must_exist finds a profile or fails")
        return who.profile

    def _by_type(self, asked: Row) -> Row:
        """The identifier this type of project forgets by, alone. Raises Refused if it is missing."""
        email, user_id = trimmed(asked.get("email")), asked.get("userId")
        if email and self.world.project_type != "userid":
            return {"email": email}
        if user_id and self.world.project_type != "email":
            return {"userId": user_id}
        raise Refused(bad_params(f"A project of type {self.world.project_type} does not forget by this identifier"))

    def _submit(self, call: Call, row: Row, happen: Effect) -> None:
        if not call.is_dropped(self.world, row):
            self.world.submit("single", happen)
