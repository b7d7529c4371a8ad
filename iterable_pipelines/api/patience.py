"""What the client puts up with: how often it tries, how long it waits, how slow and how large an answer may be."""

from collections.abc import Callable
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from iterable_pipelines.api.errors import Broken, Busy, TooLarge


@dataclass(frozen=True)
class Patience:
    """Times in seconds, sizes in bytes; the figures follow faults.md (M3, M5, H04 to H06, H20, H39)."""

    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 30.0
    # after a 429: where Retry-After says nothing usable, and the most that is believed of it
    busy_wait: float = 60.0
    longest_busy_wait: float = 600.0
    connect: float = 20.0
    # an export is made while it is sent, so the first byte may take minutes (api.md 1.5)
    first_byte: float = 300.0
    # the whole of one request
    deadline: float = 1800.0
    # less than this over this long, and the transfer is given up
    minimum_bytes_per_second: float = 1024.0
    measured_over: float = 60.0
    # decoded sizes: of an export, which goes to disk, and of any other answer, which is held in memory
    largest_export: int = 20 * 2**30
    largest_answer: int = 256 * 2**20


def retrying(
    patience: Patience, log: Callable[[str], None], repeatable: bool = True, wait_when_busy: bool = False
) -> Retrying:
    """Attempts until one succeeds, is Refused, or was the last; the error of the last one is raised as it is.

    What is not `repeatable` is tried again only after a 429, when nothing was done. `wait_when_busy` is for whoever has
    no ledger that would hold it back then.
    """
    backoff = wait_exponential_jitter(
        multiplier=patience.first_wait, max=patience.longest_wait, jitter=patience.first_wait
    )

    def again(error: BaseException) -> bool:
        return isinstance(error, Busy) or (repeatable and isinstance(error, Broken) and not isinstance(error, TooLarge))

    def wait(state: RetryCallState) -> float:
        cause = _cause(state)
        if not isinstance(cause, Busy):
            return float(backoff(state))
        # after a 429 the ledger holds everybody back, this one included: waiting here too would be twice
        return min(cause.retry_after, patience.longest_busy_wait) if wait_when_busy else 0.0

    def say(state: RetryCallState) -> None:
        pause = state.next_action.sleep if state.next_action else 0.0
        when = f"in {pause:.1f} s" if pause else "when the limit allows it"
        log(f"{_cause(state)}; attempt {state.attempt_number + 1} of {patience.attempts} {when}")

    return Retrying(
        retry=retry_if_exception(again),
        stop=stop_after_attempt(patience.attempts),
        wait=wait,
        before_sleep=say,
        reraise=True,
    )


def _cause(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
