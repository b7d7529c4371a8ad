"""No key and no person in a log or an error: the one place that decides what of a request or an answer may be shown."""

import re
from collections.abc import Mapping
from typing import Any

# parameters whose values say nothing about a person; all others are shown by name only
_SHOWN = {
    "campaignId",
    "campaignState",
    "endDateTime",
    "experimentId",
    "jobState",
    "listId",
    "messageMedium",
    "page",
    "pageSize",
    "sort",
    "startDateTime",
    "state",
    "templateId",
    "templateType",
}
_EMAIL = re.compile(r"[^\s\"'<>/=&?(,:]+(?:@|%40)[^\s\"'<>/=&?),]+")
_IDENTITY = re.compile(
    r"(\b(?:userId|email|phoneNumber|phone)s?\b[\"']?\s*[:=]\s*[\"']?)(?!\w+:)[^\s,;\"')}&]+", re.IGNORECASE
)
_PHONE = re.compile(r"\+\d{7,}")
# what follows these in a path is somebody, or something somebody named (api.md 2.1)
_NAMED_PATH = re.compile(
    r"(/api/(?:users|events)/(?:byUserId/)?)(?!byUserId\b|get|forgotten)([^/?]*@[^/?]*|[^/?]*%40[^/?]*)"
)
_METADATA_KEY = re.compile(r"(/api/metadata/[^/?]+/)[^/?]+")
_BY_USER_ID = re.compile(r"(/byUserId/)[^/?]+")


def redacted(text: str, key: str = "") -> str:
    """`text` without the key, email addresses, phone numbers and user ids."""
    if key:
        text = text.replace(key, "[key]")
    text = _EMAIL.sub("[email]", text)
    text = _PHONE.sub("[phone]", text)
    return _IDENTITY.sub(r"\1[hidden]", text)


def shown(method: str, path: str, params: Mapping[str, Any] | None = None) -> str:
    """A request as it may be logged: values of parameters that may name a person are left out."""
    path = _METADATA_KEY.sub(r"\1[key]", path)
    path = _NAMED_PATH.sub(r"\1[email]", _BY_USER_ID.sub(r"\1[hidden]", path))
    parts = []
    for name, value in (params or {}).items():
        many = isinstance(value, list | tuple) and len(value) > 3
        value = f"[{len(value)} values]" if many else value
        parts.append(f"{name}={value}" if name in _SHOWN else f"{name}=[hidden]")
    return f"{method} {path}" + ("?" + "&".join(parts) if parts else "")
