"""An answer on its way to disk: bytes only, proved to be whole, and exports to be records (faults.md M1, H13–25)."""

import json
import mmap
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import requests

from iterable_pipelines.api.body import PIECE, read_body
from iterable_pipelines.api.error_body import error_object, error_of_object, plain_text
from iterable_pipelines.api.errors import Broken, TooMuch
from iterable_pipelines.api.patience import Patience

_LONGEST_ERROR_LINE = 65536


@dataclass(frozen=True)
class Download:
    """A finished download.

    `bytes` is the size of the file, `requests` how many it took, `waited` the seconds spent waiting for the budget,
    `fetched_at` the moment the successful request started, `server_date` the server's own clock in its answer.
    """

    path: Path
    bytes: int
    requests: int
    waited: float
    fetched_at: datetime
    server_date: datetime | None


def save_export(
    response: requests.Response, to: Path, what: str, started: float, patience: Patience, key: str = ""
) -> int:
    """Write the records of an export to `to`, decoded, and make them durable. Returns the file's size in bytes.

    Raises Broken, or what an error object inside the answer stands for; then there is no file. OSError is the disk's.
    """
    return _save(response, to, what, started, patience, key, _records, _check_records)


def save_text(
    response: requests.Response, to: Path, what: str, started: float, patience: Patience, key: str = ""
) -> int:
    """`save_export` for lines of text: what its own last line cannot tell, a cut in the middle of it, is not seen."""
    return _save(response, to, what, started, patience, key, _text)


def _save(
    response: requests.Response,
    to: Path,
    what: str,
    started: float,
    patience: Patience,
    key: str,
    checked: Callable[[Iterator[bytes], str, str], Iterator[bytes]],
    check_end: Callable[[bytes, bool, int, str], None] | None = None,
) -> int:
    parts = read_body(response, what, started, patience, patience.largest_export)
    try:
        with to.open("wb", buffering=PIECE) as file:
            if "html" in response.headers.get("Content-Type", "").lower():
                raise Broken(f"{what}: a page came instead of records: {_beginning(parts, key)}", response.status_code)
            for part in checked(parts, what, key):
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        last, ended = _last_line(to)
        error = error_object(last) if len(last) <= _LONGEST_ERROR_LINE else None
        if error:
            raise error_of_object(what, *error, patience, key)
        if check_end:
            check_end(last, ended, to.stat().st_size, what)
    except BaseException:
        to.unlink(missing_ok=True)
        raise
    return to.stat().st_size


def _records(parts: Iterator[bytes], what: str, key: str) -> Iterator[bytes]:
    """The same parts, once the first one turned out to begin with a record."""
    for part in parts:
        start = part.removeprefix(b"\xef\xbb\xbf").lstrip()
        yield part
        if start:
            if not start.startswith(b"{"):
                shown = f": {plain_text(part, key)}" if start.startswith(b"<") else f", its first byte is {start[:1]!r}"
                raise Broken(f"{what}: the answer does not begin with a record{shown}")
            break
    yield from parts


def _text(parts: Iterator[bytes], what: str, key: str) -> Iterator[bytes]:
    """The same parts, unless the first one begins a page, which some proxies send as plain text."""
    for part in parts:
        if part.lstrip()[:14].lower().startswith((b"<html", b"<!doctype html")):
            raise Broken(f"{what}: a page came instead of text: {plain_text(part, key)}")
        yield part
        break
    yield from parts


def _beginning(parts: Iterator[bytes], key: str) -> str:
    collected = b""
    for part in parts:
        collected += part
        if len(collected) > _LONGEST_ERROR_LINE:
            break
    return plain_text(collected, key)


def _last_line(file: Path) -> tuple[bytes, bool]:
    """The last line that is not blank, without white space after it, and whether the file ends with a line's end."""
    if not file.stat().st_size:
        return b"", True
    with file.open("rb") as written, mmap.mmap(written.fileno(), 0, access=mmap.ACCESS_READ) as content:
        end = len(content)
        while end and content[end - 1 : end].isspace():
            end -= 1
        return content[content.rfind(b"\n", 0, end) + 1 : end], content[-1:] == b"\n"


def _check_records(last: bytes, ended: bool, size: int, what: str) -> None:
    # whether Iterable ends its last line is not known: a whole record says as much (faults.md D17)
    if not ended and not _is_record(last):
        raise TooMuch(f"{what}: the last of {size:,} bytes is not the end of a line: the answer stops inside a record")


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
