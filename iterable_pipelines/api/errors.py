"""What can go wrong when Iterable is asked: Refused (never ask again), Busy (ask later), Broken (ask again now)."""


class IterableError(Exception):
    """An answer that cannot be used. `status` is HTTP's and `code` Iterable's own, where there were any."""

    def __init__(self, message: str, status: int | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Refused(IterableError):
    """Iterable, or a rule of ours, says no. Asking the same again gives the same answer."""


class Busy(IterableError):
    """Too many requests. `retry_after` is the number of seconds to stay away."""

    def __init__(
        self, message: str, status: int | None = None, code: str | None = None, retry_after: float = 0
    ) -> None:
        super().__init__(message, status, code)
        self.retry_after = retry_after


class NotToday(Busy):
    """What Iterable allows in a day is used up: nothing was sent, and nobody waits so long in a queue."""


class Broken(IterableError):
    """Network, server or transfer failed, and nothing of the answer was kept. Asking again is right."""


class TooMuch(Broken):
    """The answer broke off, came too slowly, or stopped inside a record: asking for less at once may help."""


class TooLarge(TooMuch):
    """The answer outgrew what is accepted. Only asking for less helps, so it is not asked for again as it was."""


class Truncated(TooLarge):
    """An export job that gave up at 100 GB. Nothing of it is kept; only shorter windows bring what it would hold."""
