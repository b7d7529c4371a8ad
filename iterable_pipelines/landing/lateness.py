"""How late the records of each data type come, learned from every pass, and what that means for the settled pass."""

from datetime import timedelta

from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.settings import Settings


def settle_delay(manifest: Manifest, settings: Settings, data_type: str) -> timedelta:
    """How old an hour of a data type must be for its settled pass."""
    return timedelta(hours=settings.settle_after_hours)
