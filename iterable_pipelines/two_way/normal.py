"""A record's content in the one form that is compared: what Iterable takes for empty is left out."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from iterable_pipelines.activation.compile.values import read_json
from iterable_pipelines.activation.records import canonical
from iterable_pipelines.two_way.declaration import TemplateTwoWay, TwoWay


def normal(two_way: TwoWay, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content without empty members: a NULL of an item; a template shows texts and arrays that nobody set as ''."""
    if isinstance(two_way, TemplateTwoWay):
        return {name: value for name, value in content.items() if not _is_empty(value)}
    return {name: value for name, value in content.items() if value is not None}


def content_hash(two_way: TwoWay, content: str) -> str:
    """The fingerprint of the content, however it is written. Raises ValueError for what is no JSON."""
    return sha256(canonical(normal(two_way, read_json(content))).encode()).hexdigest()[:32]


def _is_empty(value: Any) -> bool:
    # 0 is a number that somebody set
    return value is None or value is False or (isinstance(value, str | list | dict) and not value)
