"""Landing: what Iterable sent, as it came: a Parquet file per data type and hour, and the manifest of all of them."""

from iterable_pipelines.landing.fetch import Landed, LandingFailed, land_hours
from iterable_pipelines.landing.manifest import Manifest, Part

__all__ = ["Landed", "LandingFailed", "Manifest", "Part", "land_hours"]
