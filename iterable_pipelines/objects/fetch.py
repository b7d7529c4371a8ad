"""Fetch one kind of object into a file of one JSON object a line (what the lines hold: lines.py)."""

from collections.abc import Sequence
from pathlib import Path

from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.objects.lines import Fetched
from iterable_pipelines.objects.listing import fetch_listing
from iterable_pipelines.objects.object_type import Listing, ObjectType
from iterable_pipelines.objects.piecemeal import fetch_piecemeal
from iterable_pipelines.objects.questions import Question


def fetch(client: Client, kind: ObjectType, questions: Sequence[Question], to: Path) -> Fetched:
    """Write every object the questions bring to `to`. Raises IterableError if nothing of it can be used."""
    if isinstance(kind.read, Listing):
        return fetch_listing(client, kind, kind.read, questions, to)
    return fetch_piecemeal(client, kind.read, questions, to)
