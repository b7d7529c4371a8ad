"""What keeps a procedure from being called. The texts say what was sent, and the next command."""

from iterable_pipelines.activation.errors import ActivationFailed, ActivationRefused, InDoubt


class CallRefused(ActivationRefused):
    """A rule of ours, or Iterable, says no: nothing has happened, and the same call gives the same answer."""


class GateClosed(CallRefused):
    """A check of the campaign's gate has not passed. Nothing was sent."""


class CallAtWork(ActivationFailed):
    """Another process makes the same call just now. Nothing was sent by this one."""


class CallInDoubt(InDoubt):
    """The call may have happened, and must not be repeated (R12, S8)."""
