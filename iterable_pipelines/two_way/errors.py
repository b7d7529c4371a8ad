"""What stops a two-way synchronization. The texts say whether stored data is safe, and the next command."""


class TwoWayFailed(Exception):
    """It could not go on; what was done is noted, and the next run goes on from there."""


class TwoWayRefused(TwoWayFailed):
    """A guard, the table, or something in its file says no: trying again gives the same answer."""
