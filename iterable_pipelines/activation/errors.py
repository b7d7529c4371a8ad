"""What stops a sync. The texts say what was sent, whether the state is safe, and the next command."""


class ActivationFailed(Exception):
    """A sync could not go on; what was acknowledged is noted, and the next run goes on from there."""


class ActivationRefused(ActivationFailed):
    """A guard, or something in the file of the sync, says no: trying again gives the same answer."""


class AlreadyRunning(ActivationFailed):
    """Another run of the same sync is at work (S1)."""


class InDoubt(ActivationRefused):
    """Something that must not be repeated may have happened: a person or a reading has to settle it (S7, R12)."""
