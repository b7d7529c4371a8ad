"""What is said of settings that nothing can be done with: each is named with its place, and no secret is shown."""

import re
from typing import Any

from pydantic import SecretStr, ValidationError

from iterable_pipelines.settings_sources import PREFIX, SECRETS, YAML, Found

# Iterable's keys are 32 hexadecimal digits: one pasted into the wrong line must not come back in an error
KEY_SHAPED = re.compile(r"[0-9a-fA-F]{32,}")
_PLAIN = {
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "int_parsing": "write a whole number",
    "int_type": "write a whole number",
}


class SettingsError(Exception):
    """Settings that nothing can be done with. The text names each, what was given, and what is allowed."""


def explained(error: ValidationError, found: Found) -> list[str]:
    """A line for each value that the model refuses."""
    lines = []
    for each in error.errors(include_input=False, include_url=False):
        if each["type"] == "default_factory_not_called":
            # a default that waits for another setting to be right
            continue
        message = _PLAIN.get(each["type"], each["msg"].removeprefix("Value error, ").replace("Input should", "it must"))
        name = str(each["loc"][0]) if each["loc"] else ""
        if name not in found.places:
            lines.append(message)
            continue
        place = found.places[name]
        label = f"{name} in {YAML}" if place == YAML else f"{PREFIX}{name.upper()} in {place}"
        shown = "" if name in SECRETS else f" is {_short(found.given[name])}"
        lines.append(f"{label}{shown}: {message}")
    return lines


def refusal(problems: list[str], found: Found) -> SettingsError:
    """The error that tells all of them."""
    count = "A setting is" if len(problems) == 1 else f"{len(problems)} settings are"
    text = "\n".join(f"  {problem}" for problem in problems)
    for secret in _secrets(found.given):
        text = text.replace(secret, "(hidden)")
    text = KEY_SHAPED.sub("(hidden: it looks like a key)", text)
    return SettingsError(
        f"{count} wrong; nothing was started or changed.\n{text}\nNext: correct that, then iterable-pipelines check"
    )


def _secrets(given: dict[str, Any]) -> list[str]:
    """The keys and tokens that were given; shorter ones might be words of the text itself."""
    whole = [given[name].get_secret_value() for name in SECRETS if isinstance(given.get(name), SecretStr)]
    parts = [part.strip() for each in whole for part in (each, *each.split(","))]
    return [part for part in parts if len(part) >= 16]


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:79] + "…"
