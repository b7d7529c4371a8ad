"""Tokens of devices and browsers (1.8)."""

from typing import Any

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.events import given
from iterable_pipelines.activation.compile.identity import Who, identifier
from iterable_pipelines.activation.compile.rows import RowCompiler, wrong
from iterable_pipelines.activation.objects import DeviceSync
from iterable_pipelines.activation.records import Compiled, Issue, Record

DEVICE, BROWSER = "device", "browser"
_APPLE = {"ios", "ipados", "tvos", "watchos", "apns"}
_ANDROID = {"android", "gcm"}


class DeviceCompiler(RowCompiler[DeviceSync]):
    """Rows of a device sync."""

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One token."""
        issues: list[Issue] = []
        sync = self.sync
        who = self.who(row, issues)
        token = token_of(row.get(sync.token))
        if token is None:
            issues.append(Issue("missing_token", "a token is required", "token"))
        if sync.browser:
            if who is None or token is None or wrong(issues):
                return Compiled(issues=tuple(issues))
            return Compiled((browser(pk, who, token),), tuple(issues))
        platform = platform_of(row.get(sync.platform) if sync.platform else None, given(sync.sandbox, row) is True)
        if platform is None:
            issues.append(Issue("unknown_platform", "neither Apple's nor Android", "platform"))
        application = identifier(given(sync.application_name, row))
        if not application or not application.strip():
            issues.append(Issue("missing_application_name", "applicationName is required", "applicationName"))
        data, _ = self.fields.of_row(row, issues)
        if who is None or token is None or platform is None or not application or wrong(issues):
            return Compiled(issues=tuple(issues))
        told: dict[str, Any] = {"token": token, "platform": platform, "applicationName": application.strip()}
        if data:
            told["dataFields"] = data
        return Compiled((device(pk, who, self.identifying.preference(who), told),), tuple(issues))

    def leave(self, acknowledged: Acknowledged) -> Record | None:
        """The device is switched off for its user, where the sync says so. Browsers cannot be."""
        told = acknowledged.payload
        # of a token that was there before the first run nothing is known
        if self.sync.on_leave != "disable" or acknowledged.output != DEVICE or not told:
            return None
        name = "email" if "email" in told else "userId"
        payload = {"token": told["device"]["token"], name: told[name]}
        return Record(DEVICE, "device_off", payload, acknowledged.identity, acknowledged.key)


def token_of(value: Any) -> str | None:
    """A token as text; None if it is blank."""
    text = identifier(value)
    return text.strip() or None if text is not None else None


def platform_of(system: Any, sandbox: bool) -> str | None:
    """Iterable's name for an operating system; None for one that it does not know."""
    name = system.strip().lower() if isinstance(system, str) else ""
    if name == "apns_sandbox":
        return "APNS_SANDBOX"
    if name in _APPLE:
        return "APNS_SANDBOX" if sandbox else "APNS"
    return "GCM" if name in _ANDROID else None


def device(pk: str, who: Who, preference: dict[str, bool], told: dict[str, Any], needs: str = "") -> Record:
    """POST users/registerDeviceToken."""
    payload = {**who.top, **preference, "device": told}
    return Record(DEVICE, "device", payload, who.identity, pk, needs=needs)


def browser(pk: str, who: Who, token: str, needs: str = "") -> Record:
    """POST users/registerBrowserToken."""
    return Record(BROWSER, "browser", {**who.top, "browserToken": token}, who.identity, pk, needs=needs)
