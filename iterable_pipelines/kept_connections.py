"""Connections to PostgreSQL that a process keeps for its next transaction.

A new one costs a process on the server, several round trips, and a hash of the password that is slow by intent.
"""

import atexit
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from iterable_pipelines.postgres import TRANSACTION, Connection, explained, new_connection, url_parts

# the rest is closed: a server has few to give, and whoever nests transactions needs two
_KEPT = 2
# what is idle for longer may have been cut on the way, and not every proxy says so
_IDLE_SECONDS = 20.0


@dataclass(frozen=True, eq=False)
class _Kept:
    url: str
    con: Connection
    since: float

    def is_fresh(self) -> bool:
        return time.monotonic() - self.since < _IDLE_SECONDS


# by process: after a fork they are the parent's, who alone may use or close them. Threads take one out of the list
# or put one in with one step each, so that no lock can be held while somebody forks
_kept: defaultdict[int, list[_Kept]] = defaultdict(list)


@contextmanager
def kept_connection(url: str, variable: str, opening: str) -> Iterator[Connection]:
    """One transaction as `connect` makes it, on a connection that is kept afterwards unless its state is not known.

    `opening` is run first of all. Nothing stays on the server between two transactions, neither settings nor prepared
    statements, so a pooler may give each another session. Raises what `connect` raises.
    """
    import psycopg

    where, process, committing = url_parts(url, variable), os.getpid(), False
    try:
        con = _begun(url, where, opening)
        try:
            yield con
            committing = True
            if os.getpid() == process:
                con.commit()
        finally:
            # whoever forked within the block leaves the end of it to the parent
            if os.getpid() == process:
                _put_back(url, con)
    except psycopg.Error as error:
        raise explained(error, where, variable, committing) from None


def _begun(url: str, where: dict[str, str], opening: str) -> Connection:
    """A connection within a transaction: a kept one if that still answers, else a new one."""
    import psycopg

    begin = f"begin; {TRANSACTION}; {opening}"
    while kept := _taken(url):
        try:
            kept.execute(begin)
            return kept
        except psycopg.Error:
            # the server or a proxy ended it while nobody used it: nothing is lost with it
            kept.close()
        except BaseException:
            kept.close()
            raise
    con = new_connection(url, where)
    try:
        # "begin" goes with the statements behind it, and statements that are prepared would stay in a pooler's session
        con.autocommit, con.prepare_threshold = True, None
        con.execute(begin)
    except BaseException:
        con.close()
        raise
    return con


def _taken(url: str) -> Connection | None:
    """The connection that was used last; those that were idle for too long are closed, whatever their URL."""
    kept = _kept[os.getpid()]
    for each in kept.copy():
        if not each.is_fresh() and _take(kept, each):
            each.con.close()
    for each in reversed(kept.copy()):
        if each.url == url and _take(kept, each):
            return each.con
    return None


def _take(kept: list[_Kept], wanted: _Kept) -> bool:
    """Whether it is the caller's now: another thread may have been quicker."""
    try:
        kept.remove(wanted)
    except ValueError:
        return False
    return True


def _put_back(url: str, con: Connection) -> None:
    import psycopg
    from psycopg.pq import TransactionStatus

    if con.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
        with suppress(psycopg.Error):
            con.rollback()
    kept = _kept[os.getpid()]
    if con.info.transaction_status == TransactionStatus.IDLE and sum(each.url == url for each in kept) < _KEPT:
        kept.append(_Kept(url, con, time.monotonic()))
    else:
        con.close()


@atexit.register
def _close_all() -> None:
    while kept := _kept[os.getpid()]:
        kept.pop().con.close()
