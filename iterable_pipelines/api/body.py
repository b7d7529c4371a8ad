"""Reading an answer's body so that every way of ending early is noticed (faults.md M1, M3, M5)."""

import http.client
import re
import time
import zlib
from collections.abc import Iterator, Mapping

import requests
import urllib3

from iterable_pipelines.api.errors import Broken, TooLarge, TooMuch
from iterable_pipelines.api.patience import Patience

PIECE = 1024 * 1024
_GZIP = 31
_ERROR_BYTES, _ERROR_SECONDS = 64 * 1024, 10.0
_UNZIPPED_AT_ONCE = 4 * 1024 * 1024


def read_body(
    response: requests.Response, what: str, started: float, patience: Patience, largest: int
) -> Iterator[bytes]:
    """The decoded body in pieces, none empty; it is complete when this ends without an error.

    `started` is the time.monotonic() at which the request began, `largest` the most decoded bytes accepted. Raises
    Broken when the end cannot be proved, was not reached, or did not come in time, TooLarge beyond `largest`.
    """
    if response.status_code == 204:
        return
    parts = _raw_parts(response, what, started, patience)
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("gzip", "x-gzip"):
        parts = _unzipped(parts, what)
    elif encoding not in ("identity", ""):
        raise Broken(f"{what}: the answer is encoded as {encoding[:20]!r}, which was not asked for")
    total = 0
    for part in parts:
        total += len(part)
        if total > largest:
            raise TooLarge(
                f"{what}: the answer is larger than {largest:,} bytes, the most accepted; ask for a shorter window"
            )
        yield part


def read_error_body(response: requests.Response) -> bytes:
    """What can be had of an error's body, decoded: at most 64 KiB within seconds, and never an error of its own."""
    _limit_silence(response, _ERROR_SECONDS)
    begun, body = time.monotonic(), b""
    try:
        while len(body) < _ERROR_BYTES and time.monotonic() - begun < _ERROR_SECONDS:
            part = response.raw.read1(8192, decode_content=True)
            if not part:
                break
            body += part
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError):
        pass
    return body[:_ERROR_BYTES]


def _raw_parts(response: requests.Response, what: str, started: float, patience: Patience) -> Iterator[bytes]:
    """The body as it is on the wire, one piece per read of the socket, so that a drip cannot hide inside a read."""
    left = _declared_length(response.headers, what)
    _limit_silence(response, patience.measured_over)
    raw: urllib3.HTTPResponse = response.raw
    received, mark, received_at_mark = 0, time.monotonic(), 0
    while left is None or left > 0:
        try:
            part = raw.read1(PIECE if left is None else min(PIECE, left), decode_content=False)
        except (urllib3.exceptions.TimeoutError, TimeoutError):
            raise TooMuch(f"{what}: silence after {received:,} bytes") from None
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as cause:
            raise TooMuch(f"{what}: cut off after {received:,} bytes ({type(cause).__name__})") from None
        if not part:
            break
        received += len(part)
        left = None if left is None else left - len(part)
        moment = time.monotonic()
        if moment - started > patience.deadline:
            raise TooMuch(f"{what}: not complete after {patience.deadline:,.0f} s, {received:,} bytes came")
        if moment - mark > patience.measured_over:
            if (received - received_at_mark) / (moment - mark) < patience.minimum_bytes_per_second:
                raise TooMuch(f"{what}: too slow, {received - received_at_mark:,} bytes in {moment - mark:.0f} s")
            mark, received_at_mark = moment, received
        yield part
    if left:
        raise TooMuch(f"{what}: cut off after {received:,} bytes, {left:,} are missing")


def _declared_length(headers: Mapping[str, str], what: str) -> int | None:
    """The length the answer promises in bytes, None if it is chunked. Raises Broken if its end cannot be known."""
    if headers.get("Transfer-Encoding", "").strip().lower() == "chunked":
        return None
    length = headers.get("Content-Length", "").strip()
    if not re.fullmatch(r"\d{1,18}", length):
        raise Broken(f"{what}: the answer has neither a length nor chunks, so that it is complete cannot be verified")
    return int(length)


def _limit_silence(response: requests.Response, seconds: float) -> None:
    # the wait for the first byte is long; once bytes flow, silence is a fault sooner
    sock = getattr(getattr(response.raw, "connection", None), "sock", None)
    if sock is not None:
        sock.settimeout(seconds)


def _unzipped(parts: Iterator[bytes], what: str) -> Iterator[bytes]:
    """Decoded gzip, one member or several. Raises Broken unless the last one's trailer, with its checksum, came."""
    unzip = zlib.decompressobj(_GZIP)
    begun = False
    try:
        for part in parts:
            begun = True
            while part:
                if unzip.eof:
                    unzip = zlib.decompressobj(_GZIP)
                # a bounded step at a time: a small piece may hold a gigabyte of zeros
                plain = unzip.decompress(part, _UNZIPPED_AT_ONCE)
                if plain:
                    yield plain
                part = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
        while begun and not unzip.eof and (plain := unzip.decompress(unzip.unconsumed_tail, _UNZIPPED_AT_ONCE)):
            yield plain
    except zlib.error:
        raise Broken(f"{what}: the compressed answer is damaged") from None
    if begun and not unzip.eof:
        raise TooMuch(f"{what}: the compressed answer ends before its trailer")
