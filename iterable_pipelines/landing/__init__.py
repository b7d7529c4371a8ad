"""Landing: what Iterable sent, as it came: a Parquet file per data type and hour, and the manifest of all of them."""

from iterable_pipelines.landing.accept import accept_loss
from iterable_pipelines.landing.exports import Exports
from iterable_pipelines.landing.fetch import LandingFailed, land_hours
from iterable_pipelines.landing.manifest import Manifest, Part, Quarantine
from iterable_pipelines.landing.window import Landed, Quarantined

__all__ = [
    "Exports",
    "Landed",
    "LandingFailed",
    "Manifest",
    "Part",
    "Quarantine",
    "Quarantined",
    "accept_loss",
    "land_hours",
]
