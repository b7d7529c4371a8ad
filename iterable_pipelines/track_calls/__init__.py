"""Out to other tools: Iterable's events as track calls of Segment's shape, to an HTTP endpoint or NDJSON files."""

from iterable_pipelines.track_calls.declaration import Destination, load_destinations
from iterable_pipelines.track_calls.errors import TrackCallsFailed, TrackCallsRefused
from iterable_pipelines.track_calls.send import Preview, Sent, preview, send

__all__ = [
    "Destination",
    "Preview",
    "Sent",
    "TrackCallsFailed",
    "TrackCallsRefused",
    "load_destinations",
    "preview",
    "send",
]
