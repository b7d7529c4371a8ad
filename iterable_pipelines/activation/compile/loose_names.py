"""Members of a call by name, however it is spelled: product_id, productId, Product ID (K4)."""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

_BETWEEN = re.compile(r"[_\-\s]")


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """What equal spellings have in common."""
    # the keys of a MAP may be of any type
    return _BETWEEN.sub("", str(name)).lower()


@lru_cache(maxsize=4096)
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def spelled(given: Collection[str], name: str) -> str | None:
    """The key of `given` that means `name` (in snake case): that spelling first, then camel case, then any."""
    if name in given:
        return name
    if (camel := _camel(name)) in given:
        return camel
    wanted = plain_name(name)
    return next((key for key in given if plain_name(key) == wanted), None)


def spellings(given: Mapping[str, Any], *names: str) -> set[str]:
    """All keys that mean one of `names`."""
    wanted = {plain_name(name) for name in names}
    return {key for key in given if plain_name(key) in wanted}


def pick(given: Mapping[str, Any], *names: str) -> tuple[str, Any]:
    """Key and value of the first of `names` that has one; "" and None if none has. In a STRUCT, NULL is none."""
    there = {key: value for key, value in given.items() if value is not None}
    key = next((key for name in names if (key := spelled(there, name)) is not None), "")
    return key, there.get(key)
