"""What keeps track calls from being sent."""


class TrackCallsFailed(Exception):
    """A receiver could not be reached, or took nothing now. What waits is kept; worth trying again."""


class TrackCallsRefused(TrackCallsFailed):
    """The receiver, or a rule of ours, says no: the same again gives the same answer. What waits is kept."""
