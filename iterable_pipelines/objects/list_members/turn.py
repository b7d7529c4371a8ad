"""One turn: static lists follow the users, then as many of the others are read as the turn has time for."""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from iterable_pipelines.api import Busy, IterableError, Refused
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.hours import now
from iterable_pipelines.landing.scratch import scratch_folder, sweep
from iterable_pipelines.objects.list_members.from_users import follow_users
from iterable_pipelines.objects.list_members.intervals import Moved
from iterable_pipelines.objects.list_members.order import READERS, TURN, Queue
from iterable_pipelines.objects.list_members.read import Clock, NotWhole, Reading, is_gone, read_list
from iterable_pipelines.objects.list_members.store import Try, state_after, store_tries
from iterable_pipelines.objects.list_members.tables import MemberList, load_lists
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.warehouse import Warehouse, WarehouseLocked

# readings are stored together: opening the warehouse costs more than a list of a thousand
_AT_ONCE, _LINES_AT_ONCE, _UNSTORED_SECONDS = 25, 2_000_000, 60.0
_BUSY_IN_A_ROW, _UNREACHABLE_IN_A_ROW = 5, 3
# nobody waits that long for the budget alone
_LONG = timedelta(minutes=15)

Log = Callable[[str], None]


def take_turn(
    connect: Callable[[], Client],
    warehouse: Warehouse,
    settings: Settings,
    log: Log = print,
    clock: Clock = lambda moment: moment,
    length: timedelta = TURN,
) -> "Turn":
    """Bring `objects.list_members` as far as the budget allows. `connect` makes a client, one for each reading.

    No request begins after `length`; but while a long list is still coming, a turn that is over begins anew, so that
    the others do not wait for it. One list's trouble is noted with the list. What concerns all of them is raised, once
    everything that is there is stored: Refused for a key that may not read lists, Busy, or Broken where Iterable
    cannot be reached. WarehouseFailed says that nothing of the last lists is stored; that another process holds the
    warehouse is raised only when nothing is being read any more.
    """
    sweep(settings.landing_dir)
    with scratch_folder(settings.landing_dir, "lists-") as folder, ThreadPoolExecutor(READERS) as pool:
        turn = Turn(connect, warehouse, settings, log, clock, folder, pool)
        turn.run(length)
    moved = f"{turn.joined:,} joined and {turn.departed:,} left"
    log(f"objects/list_members: {turn.read:,} lists read, {turn.failed:,} tried in vain, {moved}")
    if turn.stopped_by:
        raise turn.stopped_by
    return turn


class Turn:
    """A turn: threads read, the one that runs it decides, stores and counts.

    `lists` are all of the project by id, as they stand; `joined` and `departed` count people, `read` and
    `failed` tries.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        warehouse: Warehouse,
        settings: Settings,
        log: Log,
        clock: Clock,
        folder: Path,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.lists: dict[int, MemberList] = {}
        self.joined = self.departed = self.read = self.failed = 0
        self.stopped_by: IterableError | None = None
        self._connect, self._warehouse, self._settings, self._log = connect, warehouse, settings, log
        self._clock, self._folder, self._pool = clock, folder, pool
        self._running: dict[Future[Try], tuple[datetime, int]] = {}
        self._unstored: list[Try] = []
        self._busy = self._unreachable = 0

    def run(self, length: timedelta) -> None:
        """Take the turn."""
        queue, ends = self._begin(), self._now() + length
        while True:
            if self._now() >= ends and any(since < self._now() - _LONG for since, _ in self._running.values()):
                with self._patience():
                    self._store()
                    queue, ends = self._begin(), self._now() + length
            while not self.stopped_by and len(self._running) < READERS and self._now() < ends:
                each = queue.take(self._now())
                if each is None:
                    break
                if any(tried.each.id == each.id for tried in self._unstored):
                    # what it brought before comes first, and lies in the file it is read to
                    with self._patience():
                        self._store()
                    if self._unstored:
                        queue.put(each)
                        break
                self._running[self._pool.submit(self._try, each)] = (self._now(), each.id)
            if not self._running:
                break
            done, _ = wait(self._running, _UNSTORED_SECONDS, FIRST_COMPLETED)
            for future in done:
                del self._running[future]
                self._judge(future.result(), queue)
            lines = sum(each.result.lines for each in self._unstored if isinstance(each.result, Reading))
            enough = len(self._unstored) >= _AT_ONCE or lines >= _LINES_AT_ONCE
            if enough or not done or not self._running:
                with self._patience():
                    self._store()

    @contextmanager
    def _patience(self) -> Iterator[None]:
        """While lists are being read, let who holds the warehouse have it: what came is kept and stored with them."""
        try:
            yield
        except WarehouseLocked as locked:
            if not self._running:
                raise
            self._log(f"objects/list_members: {len(self._unstored):,} lists wait to be stored: {locked}")

    def _now(self) -> datetime:
        return self._clock(now())

    def _begin(self) -> Queue:
        """Let static lists follow the users, and queue up the others, but for those that are being read."""
        moment = self._now()
        with self._warehouse.transaction() as con:
            lists, moved = follow_users(con, load_lists(con, self._settings, moment), moment)
        self.lists = {each.id: each for each in lists}
        self._count(moved)
        named = self._settings.dynamic_lists
        if isinstance(named, tuple) and (unknown := sorted(set(named) - set(self.lists))):
            self._log(f"ITERABLE_DYNAMIC_LISTS names {', '.join(map(str, unknown))}, which Iterable does not list")
        being_read = {list_id for _, list_id in self._running.values()}
        return Queue(each for each in lists if each.id not in being_read)

    def _try(self, each: MemberList) -> Try:
        """In a thread: the network, and no warehouse."""
        to = self._folder / f"{each.id}.txt"
        try:
            reading = read_list(self._connect(), each.state, self._settings.project_type, to, self._clock)
        except IterableError as error:
            return Try(each, self._now(), error)
        return Try(each, self._now(), reading)

    def _judge(self, tried: Try, queue: Queue) -> None:
        """Keep what is to be stored; find out what is not the list's own trouble."""
        error = tried.result if isinstance(tried.result, IterableError) else None
        self._busy = self._busy + 1 if isinstance(error, Busy) else 0
        # without a status no answer came, or not to its end: several in a row are the network's doing
        broke_off = error and error.status is None and not isinstance(error, NotWhole)
        self._unreachable = self._unreachable + 1 if broke_off else 0
        forbidden = isinstance(error, Refused) and error.status in (401, 403)
        if forbidden or self._busy >= _BUSY_IN_A_ROW or self._unreachable >= _UNREACHABLE_IN_A_ROW:
            self.stopped_by = error
        if isinstance(error, Busy):
            queue.put(tried.each)
        elif not forbidden:
            self._unstored.append(tried)
            # its next turn does not depend on when it is stored
            queue.put(replace(tried.each, state=state_after(tried)))
            if error:
                became = "has no members any more" if is_gone(error) else "keeps the members it has"
                self._log(f"list {tried.each.id} {became}: {error}")

    def _store(self) -> None:
        if not self._unstored:
            return
        crashpoint("list_read")
        project_type, tombstones = self._settings.project_type, Tombstones(self._settings)
        stored = store_tries(self._warehouse, project_type, self._unstored, tombstones)
        for each in stored:
            self.lists[each.id] = each
            self._count(Moved(each.state.joined, each.state.departed))
        failed = sum(bool(each.state.failures) for each in stored)
        self.failed, self.read = self.failed + failed, self.read + len(stored) - failed
        for tried in self._unstored:
            (self._folder / f"{tried.each.id}.txt").unlink(missing_ok=True)
        self._unstored = []

    def _count(self, moved: Moved) -> None:
        self.joined, self.departed = self.joined + moved.joined, self.departed + moved.departed
