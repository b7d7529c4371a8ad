"""Send what is new to a destination: deliver what waits, then look at the streams, slice by slice.

A batch is made durable in the outbox, written down in the ledger, delivered, and done: after a crash at any point the
same bytes go out again, or nothing that has arrived.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.file_store import sync
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.warehouse import Warehouse
from iterable_pipelines.track_calls.batches import Batch, fresh_calls
from iterable_pipelines.track_calls.declaration import FOLDER, Destination, ledger_path, outbox_path
from iterable_pipelines.track_calls.deliver import Receiver, receiver_of
from iterable_pipelines.track_calls.errors import TrackCallsFailed, TrackCallsRefused
from iterable_pipelines.track_calls.ledger import Ledger, Level
from iterable_pipelines.track_calls.select import begin, slices

# whoever sends already looks at everything that is new: the next one comes after it
_WAIT_SECONDS = 600.0

Log = Callable[[str], None]


@dataclass(frozen=True)
class Sent:
    """What one run did, in calls, and what the ledger says after it."""

    sent: int
    rejected: int
    level: Level

    def __str__(self) -> str:
        return f"{self.sent:,} sent, {self.rejected:,} rejected"


@dataclass
class Preview:
    """What a run would do: calls by event, calls that nobody takes, the newest ones as JSON, and what waits already.

    `reasons` are those of all calls rejected so far: event, reason, how many.
    """

    counts: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    newest: list[str] = field(default_factory=list)
    waiting: int = 0
    reasons: list[tuple[str, str, int]] = field(default_factory=list)


def send(settings: Settings, destination: Destination, log: Log = print) -> Sent:
    """Bring every event that is new to the destination, each once.

    Raises TrackCallsFailed where the receiver takes nothing now, TrackCallsRefused where it never will, SettingsError
    for a variable that is not set, and WarehouseFailed.
    """
    receiver = receiver_of(settings, destination, log)
    with _alone(settings, destination):
        ledger = Ledger(ledger_path(settings, destination.name))
        before = ledger.level()
        try:
            _send(settings, destination, ledger, receiver, Warehouse.of(settings, log))
        except TrackCallsFailed as error:
            level = ledger.level()
            oldest = f", the oldest of {level.oldest:%Y-%m-%d %H:%M} UTC" if level.oldest else ""
            raise type(error)(f"{destination.name}: {level.waiting:,} calls wait{oldest}. {error}") from None
        except OSError as error:
            raise TrackCallsFailed(
                f"{destination.name}: {error.filename} cannot be written ({error.strerror}). What waits is kept.\n"
                "Next: make it a folder that can be written, with room on its disk; then run this again"
            ) from error
        level = ledger.level()
    return Sent(level.sent - before.sent, level.rejected - before.rejected, level)


def _send(
    settings: Settings, destination: Destination, ledger: Ledger, receiver: Receiver, warehouse: Warehouse
) -> None:
    outbox = _Outbox(outbox_path(settings, destination), ledger, receiver)
    outbox.deliver()
    warehouse.prepare()
    looked_at = begin(destination, ledger.looked_at())
    # `since: now` is this moment, also for a run that finds nothing
    ledger.look_on(looked_at)
    for part in slices(settings, warehouse, destination, looked_at):
        with fresh_calls(settings, ledger, part.file, destination.limits) as fresh:
            for those in fresh.unsendable():
                ledger.reject(those.calls, those.ids)
            for batch in fresh.batches():
                outbox.write_down(batch)
            crashpoint("track_calls_slice_written")
            ledger.look_on(part.looked_at, fresh.exported())
        outbox.deliver()
    outbox.close()


def preview(settings: Settings, destination: Destination, show: int = 0) -> Preview:
    """What `send` would do. Nothing is sent, and nothing is noted but ids of events that were sent already."""
    warehouse = Warehouse.of(settings, log=lambda text: None)
    found = Preview()
    with _alone(settings, destination):
        ledger = Ledger(ledger_path(settings, destination.name))
        found.waiting, found.reasons = ledger.level().waiting, ledger.reasons()
        warehouse.prepare()
        for part in slices(settings, warehouse, destination, begin(destination, ledger.looked_at())):
            with fresh_calls(settings, ledger, part.file, destination.limits) as fresh:
                found.counts.update(fresh.counts())
                found.rejected += sum(each.count for each in fresh.unsendable())
                found.newest = [*fresh.newest(show), *found.newest][:show]
    return found


@contextmanager
def _alone(settings: Settings, destination: Destination) -> Iterator[None]:
    lock = ledger_path(settings, destination.name).with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=_WAIT_SECONDS, mode=0o600):
            yield
    except Timeout:
        raise TrackCallsFailed(
            f"{destination.name}: another run has been sending for more than {_WAIT_SECONDS:.0f} s. What waits is "
            "kept.\nNext: nothing; that run sends what is new"
        ) from None


class _Outbox:
    """The files of batches that wait, beside what the ledger says of them."""

    def __init__(self, folder: Path, ledger: Ledger, receiver: Receiver) -> None:
        self._folder, self._ledger, self._receiver = folder, ledger, receiver
        waiting = {self._file(each.number) for each in ledger.waiting()}
        if waiting and not folder.is_dir():
            # a file that is gone was moved to where it belongs; a folder that is gone is another one, or was lost
            raise TrackCallsRefused(
                f"{folder} is not there, in which they wait. Nothing was sent.\nNext: where `to` was changed, change "
                f"it back until nothing waits, or move the folder in which they do (data/{FOLDER}/NAME, or .NAME in "
                "the folder of before) to that path; then run this again"
            )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for file in folder.iterdir():
            # a process was killed before it wrote the batch down, or after it was done
            if file not in waiting:
                file.unlink()

    def write_down(self, batch: Batch) -> None:
        """Make the bytes of a batch durable, and then note it."""
        number = self._ledger.next_number()
        file = self._file(number)
        part = file.with_suffix(".part")
        batch.write(part)
        sync(part)
        os.replace(part, file)
        sync(self._folder)
        crashpoint("track_calls_file_written")
        self._ledger.write_down(number, batch.calls, batch.oldest, batch.ids)
        crashpoint("track_calls_written_down")

    def deliver(self) -> None:
        """Bring everything that waits to the receiver, the oldest first."""
        for each in self._ledger.waiting():
            file = self._file(each.number)
            rejected = self._receiver.deliver(file)
            crashpoint("track_calls_delivered")
            self._ledger.done(each.number, rejected)
            crashpoint("track_calls_done")
            file.unlink(missing_ok=True)

    def close(self) -> None:
        """Take the folder away, in which nothing waits any more."""
        with suppress(OSError):
            self._folder.rmdir()

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:09}.ndjson"
