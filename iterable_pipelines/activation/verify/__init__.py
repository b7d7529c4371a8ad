"""What was acknowledged is read back, field by field, event by event, list by list (outbound.md 6.6)."""

from iterable_pipelines.activation.verify.lists import ListCount
from iterable_pipelines.activation.verify.verify import Verified, Wrong, verify_sync

__all__ = ["ListCount", "Verified", "Wrong", "verify_sync"]
