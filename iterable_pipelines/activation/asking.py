"""Iterable asked about many users, some at once: each thread has a client of its own, and they end with the asker."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import TypeVar

from iterable_pipelines.activation.requests import Change
from iterable_pipelines.api import Iterable, IterableError
from iterable_pipelines.api.user_reads import Person

_THREADS = 8

T = TypeVar("T")
R = TypeVar("R")


class Lookups:
    """Asks in a few threads; several of its users may do so at once."""

    def __init__(self, clients: Callable[[], Iterable]) -> None:
        """`clients` makes one for a thread."""
        self._clients, self._of_thread = clients, local()
        self._pool = ThreadPoolExecutor(_THREADS, "lookup")

    def ask(self, question: Callable[[Iterable, T], R], about: Sequence[T]) -> list[R | IterableError]:
        """The answers in order; where Iterable could not be asked, why."""
        return list(self._pool.map(lambda each: self._ask(question, each), about))

    def _ask(self, question: Callable[[Iterable, T], R], about: T) -> R | IterableError:
        try:
            if not hasattr(self._of_thread, "client"):
                self._of_thread.client = self._clients()
            return question(self._of_thread.client, about)
        except IterableError as error:
            return error


def person_of(change: Change) -> Person:
    """Whom a record is about."""
    return Person(email=change.identity) if change.identity_kind == "email" else Person(user_id=change.identity)


def not_asked(error: IterableError, what: str) -> str:
    """Why a record waits: it is neither taken for the one nor for the other."""
    return f"{what} could not be asked ({error.status or type(error).__name__})"
