"""What stops an erasure. Identifiers never stand in these texts: only counts, files and hashes."""


class ErasureFailed(Exception):
    """An erasure could not go on. Tombstones are written; the next run finishes what this one began."""


class ErasureRefused(ErasureFailed):
    """A guard says no: trying again gives the same answer."""


class AlreadyErasing(ErasureFailed):
    """Another erasure of this project is at work."""


class StoreBusy(ErasureFailed):
    """Somebody holds this store: the others are erased, and the next run comes back to it."""
