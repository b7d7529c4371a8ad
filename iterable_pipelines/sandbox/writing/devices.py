"""Device and browser tokens on profiles: merged by token, at most 500 of a kind (outbound 1.8)."""

from typing import Any

from starlette.responses import Response

from iterable_pipelines.sandbox.errors import Refused, bad_params
from iterable_pipelines.sandbox.identify import Failure, Row
from iterable_pipelines.sandbox.profiles import Fields
from iterable_pipelines.sandbox.writing.call import Call, single_failure, success
from iterable_pipelines.sandbox.writing.users import Change, Users

MOST_TOKENS = 500
PLATFORMS = ("APNS", "APNS_SANDBOX", "GCM")


class Devices:
    """Where people can be pushed."""

    def __init__(self, users: Users):
        self.users, self.world = users, users.world

    def register(self, call: Call) -> Response:
        """POST users/registerDeviceToken: makes the user if unknown; missing fields of a known device stay."""
        asked = call.asked["device"]
        if asked["platform"] not in PLATFORMS:
            raise Refused(bad_params(f"Invalid platform: {asked['platform']}"))
        device = (asked.get("dataFields") or {}) | {
            "token": asked["token"],
            "platform": asked["platform"],
            "applicationName": asked["applicationName"],
            "endpointEnabled": True,
        }

        def devices(row: Row, before: Fields) -> Fields:
            known = before.get("devices") or []
            same = [each for each in known if each["token"] == device["token"]]
            if same:
                return {"devices": [each | device if each in same else each for each in known]}
            return {"devices": [*known, device]}

        return self._register(call, "devices", devices)

    def register_browser(self, call: Call) -> Response:
        """POST users/registerBrowserToken."""
        token = call.asked["browserToken"]

        def tokens(row: Row, before: Fields) -> Fields:
            known = before.get("browserTokens") or []
            return {"browserTokens": known if token in known else [*known, token]}

        return self._register(call, "browserTokens", tokens)

    def _register(self, call: Call, key: str, change: Any) -> Response:
        row = {name: call.asked.get(name) for name in ("email", "userId", "preferUserId")}
        who = self.world.identify(row)
        if not isinstance(who, Failure) and who.profile:
            before = self.world.everybody.read(who.profile)
            if len(change(row, before)[key]) > max(MOST_TOKENS, len(before.get(key) or ())):
                raise Refused(bad_params(f"A user has at most {MOST_TOKENS} {key}"))
        self.users.write(call, "single", [row], change=Change(change)).raise_single()
        return success()

    def disable(self, call: Call) -> Response:
        """POST users/disableDevice: of the person named, or of everybody who has the token."""
        token, everybody = call.asked["token"], self.world.everybody
        if call.asked.get("email") or call.asked.get("userId"):
            who = self.world.identify(call.asked, must_exist=True)
            if isinstance(who, Failure):
                raise Refused(single_failure(who))
            found = [who.profile] if who.profile else []
        else:
            found = everybody.with_device(token)
        owners = [each for each in found if _has(everybody.read(each), token)]
        if not owners:
            raise Refused(bad_params("No device with this token"))

        def happen() -> None:
            for each in owners:
                devices = everybody.read(each).get("devices") or []
                off = [one | {"endpointEnabled": False} if one["token"] == token else one for one in devices]
                everybody.change(each, {"devices": off})

        if not call.is_dropped(self.world, call.asked):
            self.world.submit("single", happen)
        return success()


def _has(profile: Fields, token: str) -> bool:
    return any(each.get("token") == token for each in profile.get("devices") or ())
