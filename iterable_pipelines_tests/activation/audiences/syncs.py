"""Syncs as the tests of audiences and lists write them: text of YAML in, a validated sync out."""

from datetime import UTC, datetime
from typing import Any

import yaml

from iterable_pipelines.activation.compile.compiler import Acknowledged
from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.objects import OBJECTS
from iterable_pipelines.activation.records import Record

AS_OF = datetime(2026, 11, 1, 12, tzinfo=UTC)
NOON = int(AS_OF.timestamp())

WIN_BACK = """
object: audience
audience_name: Win Back 90 Days
source: warehouse.members
primary_key: id
match: {column: email, field: email}
as: [identify, track, list]
"""
VIPS = """
object: list
source: warehouse.members
primary_key: id
match: {column: email, field: email}
mode: mirror
list: {id: 7}
"""


def sync_of(text: str, called: str = "win_back", /, **changes: Any) -> Sync:
    """The sync of a file called `name`, with some fields otherwise."""
    given = {"name": called, **yaml.safe_load(text), **changes}
    return OBJECTS[given["object"]].model_validate(given)


def acknowledged(record: Record, pk: str = "1", seq: int = 0) -> Acknowledged:
    """What the state holds of a record that Iterable took."""
    return Acknowledged(record.key, pk, record.output, record.identity, record.payload, seq)
