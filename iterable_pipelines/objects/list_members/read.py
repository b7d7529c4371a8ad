"""Read one list over the network, and say whether what came is the whole of it.

The answer is text, one address or user id a line, in no order and without a mark at its end (api.md 5.3). HTTP's own
framing is proved as it comes in; a list that was cut before it was framed is found by counting.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

from iterable_pipelines.api import Broken, Busy, IterableError, Patience
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.hours import now
from iterable_pipelines.objects.list_members.tables import State

# a million takes 80 minutes to come, and sometimes four hours (api.md 5.3); a second try is a later turn's
PATIENCE = Patience(
    attempts=1, first_byte=1800.0, deadline=6 * 3600.0, minimum_bytes_per_second=64.0, measured_over=300.0
)
# people come and go while a list is read and then counted; in lists of less than a hundred not one may be missing
_MAY_LACK = 0.01
_NO_END = "its last line has no end"
_CONTROL, _LONGEST = re.compile("[\\x00-\\x1f\\x7f]"), 10_000

# from a moment of the machine's clock to one of the project's: tests let a day pass in a minute
Clock = Callable[[datetime], datetime]


class NotWhole(Broken):
    """An answer came, but it is not, or not provably, the whole list."""


@dataclass(frozen=True)
class Reading:
    """A reading of a list: `lines` names in `file`, one a line; `ended` unless the answer's last line lacks its end.

    It was asked for at `read_at`; that it took `seconds` counts the wait for the answer, not that for the budget.
    Readings of the same people have the same `fingerprint`.
    """

    file: Path
    read_at: datetime
    seconds: float
    lines: int
    fingerprint: str
    ended: bool


def read_list(client: Client, before: State, project_type: str, to: Path, clock: Clock) -> Reading:
    """Ask for everybody on a list, as the file `to`. `before` is how the list stands.

    Raises IterableError: NotWhole where an answer came all the same. Then there is no file.
    """
    # projects of the other types answer with the address where there is one, as their user keys do (api.md 1.8)
    prefer = {"preferUserId": "true"} if project_type == "userid" else {}
    download = client.save_text("/api/lists/getUsers", to, {"listId": before.list_id, **prefer})
    read_at = clock(download.fetched_at)
    seconds = (clock(now()) - read_at).total_seconds()
    try:
        reading = Reading(to, read_at, seconds, *_look_at(to, before.list_id))
        _check_whole(client, before, reading)
    except IterableError:
        to.unlink()
        raise
    return reading


def is_gone(error: IterableError) -> bool:
    """Whether Iterable says that there is no such list; the code may be "Success" all the same (api.md 1.4)."""
    return error.status == 400 and "invalidListId" in str(error)


def names_sql(files: str) -> str:
    """What a FROM takes: `name`, each line without blanks around it, of answers, and the `path` of the answer.

    `files` is SQL for a path or a list of them.
    """
    # one column, whatever stands in it: no address or user id holds a control character
    return (
        "(select trim(line, E' \\t\\r') as name, filename as path from "
        f"read_csv({files}, columns = {{'line': 'VARCHAR'}}, auto_detect = false, header = false, "
        "delim = E'\\x1f', quote = '', escape = '', filename = true) where name <> '')"
    )


def _look_at(file: Path, list_id: int) -> tuple[int, str, bool]:
    """How many lines are not blank, their fingerprint, the same in any order, and whether the last one has its end.

    Leaves their names in `file`, one a line, so that no line's end or blank reaches who reads it next. Raises NotWhole
    for a line that cannot be a name.
    """
    lines, total, line = 0, 0, b"\n"
    names = file.with_suffix(".names")
    with file.open("rb") as content, names.open("wb") as to:
        for line in content:
            if name := _name(line, list_id, lines + 1).encode():
                lines += 1
                total += int.from_bytes(blake2b(name, digest_size=16).digest())
                to.write(name + b"\n")
    names.replace(file)
    return lines, f"{total % 2**128:032x}", line.endswith(b"\n")


def _name(line: bytes, list_id: int, number: int) -> str:
    """The line without what may stand around a name; "" for a blank one."""
    try:
        name = line.decode().strip("\ufeff \t\r\n")
    except UnicodeDecodeError:
        raise NotWhole(f"list {list_id}: line {number:,} of the answer is not UTF-8 text") from None
    if _CONTROL.search(name) or len(name) > _LONGEST:
        raise NotWhole(f"list {list_id}: line {number:,} of the answer is neither an address nor a user id")
    return name


def _check_whole(client: Client, before: State, reading: Reading) -> None:
    """Raise NotWhole unless the answer is as long as it should be, as far as that can be known.

    The same people as the last time need no further proof. Otherwise Iterable is asked how many there are, which has a
    budget of its own: a list that has grown may have been cut back to what it was. Where asking brings nothing, a list
    may not have shrunk by more than a hundredth; nothing proves a first reading then.
    """
    lines = reading.lines
    if reading.fingerprint == before.fingerprint:
        return
    # half an address counts as a line too; a second answer in a row that stops so is how Iterable writes them now
    if not reading.ended and before.lines and before.ended and _NO_END not in (before.trouble or ""):
        raise NotWhole(f"list {before.list_id}: {_NO_END}, and last time it had one: the answer may be cut inside it")
    if before.trusted:
        return
    size = _size(client, before.list_id)
    trust = f"iterable-pipelines lists --trust {before.list_id}"
    if size is None and not before.lines:
        raise NotWhole(
            f"list {before.list_id}: {lines:,} lines came, and Iterable does not count them: whether that is all is "
            f"not known. It is asked for again; to take it as it comes: {trust}"
        )
    expected = size if size is not None else before.lines or 0
    if lines < expected - int(expected * _MAY_LACK):
        counted = "that Iterable counts" if size is not None else "of last time, and Iterable does not count them"
        raise NotWhole(
            f"list {before.list_id}: {lines:,} lines came of the {expected:,} {counted}: the answer was cut. It is "
            f"asked for again; if the count is what is wrong: {trust}"
        )


def _size(client: Client, list_id: int) -> int | None:
    try:
        text = client.get_text(f"/api/lists/{list_id}/size").strip(' "\r\n')
    except Busy:
        raise
    except IterableError:
        return None
    return int(text) if text.isascii() and text.isdigit() else None
