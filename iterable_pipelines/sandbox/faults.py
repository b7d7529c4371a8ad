"""Scripted faults: which request meets which fault, and what becomes of its answer (catalogue: tables H, D and T).

A fault answers in the application's stead, changes the body of a true answer, breaks the wire it is sent on, or changes
what there is to answer.
"""

import gzip
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from iterable_pipelines.sandbox.errors import in_shape, too_many

HTML = "<html><head><title>Maintenance</title></head><body><h1>We will be back soon</h1></body></html>"
ERROR = {"msg": "An error occurred. Please try again later.", "code": "GenericError", "params": None}


@dataclass
class Fault:
    """One scripted fault.

    kind: a name from KINDS. path: prefix of the request's path. match: query parameters, or members of a JSON body,
    that must be equal. times: how often it strikes, None for ever. after: how many matching requests pass unharmed
    first. options: what the kind needs, e.g. status, shape, retry_after, bytes, share, lines; of every kind,
    probability (of striking a request that matches, otherwise 1), seed (of its chance, otherwise 0) and holds (a text
    that must stand in the body).
    """

    kind: str
    path: str = "/api/"
    match: dict[str, str] = field(default_factory=dict)
    times: int | None = 1
    after: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no fault; known are {', '.join(sorted(KINDS))}")
        self.chance = Random(self.options.get("seed", 0))


class Faults:
    """The faults still to strike; the first that matches a request strikes it."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Let `fault` wait for its requests."""
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Call off every fault."""
        with self._lock:
            self._waiting.clear()

    def take(self, path: str, params: list[tuple[str, str]], body: bytes = b"") -> Fault | None:
        """The fault that strikes this request, used up by one; None for none."""
        with self._lock:
            for fault in self._waiting:
                if not path.startswith(fault.path) or fault.options.get("holds", "").encode() not in body:
                    continue
                if fault.match and not fault.match.items() <= {
                    (key, str(value)) for key, value in params + _members(body)
                }:
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.chance.random() >= fault.options.get("probability", 1):
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                return fault
        return None


def _members(body: bytes) -> list[tuple[str, Any]]:
    """The members of a JSON body, so that a fault can match them like parameters."""
    try:
        read = json.loads(body) if body else {}
    except ValueError:
        return []
    return list(read.items()) if isinstance(read, dict) else []


def _too_many(options: dict[str, Any]) -> Response:
    return too_many(options.get("retry_after"))


def status_answer(options: dict[str, Any]) -> Response:
    if "body" in options:
        return JSONResponse(options["body"], options.get("status", 500))
    return in_shape(options.get("status", 500), options.get("shape", "envelope"))


def _redirect(options: dict[str, Any]) -> Response:
    location = options.get("location", "http://127.0.0.1:9/elsewhere")
    return Response(status_code=options.get("status", 302), headers={"location": location})


def _empty(options: dict[str, Any]) -> Response:
    return Response(status_code=options.get("status", 200), media_type="application/x-json-stream")


ANSWERS: dict[str, Callable[[dict[str, Any]], Response]] = {
    "429": _too_many,
    "status": status_answer,
    "redirect": _redirect,
    "empty": _empty,
    "html200": lambda options: HTMLResponse(HTML),
    "error200": lambda options: JSONResponse(ERROR),
}


def _middle(body: bytes) -> tuple[bytes, bytes, bytes]:
    """What stands before the middle line, that line, and what stands after it."""
    lines = body.splitlines(keepends=True) if b"\n" in body else [body]
    half = len(lines) // 2
    return b"".join(lines[:half]), lines[half], b"".join(lines[half + 1 :])


def _bad_utf8(body: bytes, options: dict[str, Any]) -> bytes:
    before, line, after = _middle(body)
    return before + line.replace(b'":"', b'":"\xff\xfe', 1) + after


def _bad_json(body: bytes, options: dict[str, Any]) -> bytes:
    before, line, after = _middle(body)
    return before + line[: len(line) // 2].rstrip() + b"\n" + after


def _half_record(body: bytes, options: dict[str, Any]) -> bytes:
    last = body.rstrip(b"\n").rfind(b"\n") + 1
    return body[: last + (len(body) - last) // 2]


def _drop_tail(body: bytes, options: dict[str, Any]) -> bytes:
    lines = body.split(b"\n")[:-1]
    dropped = max(1, int(len(lines) * options.get("share", 0.01)))
    return b"".join(line + b"\n" for line in lines[:-dropped])


def _duplicate_lines(body: bytes, options: dict[str, Any]) -> bytes:
    return b"".join((line + b"\n") * 2 for line in body.split(b"\n")[:-1])


def _more_lines(body: bytes, options: dict[str, Any]) -> bytes:
    return body + b"".join(line.encode("utf-8", "surrogatepass") + b"\n" for line in options["lines"])


def _unwrapped(body: bytes, options: dict[str, Any]) -> bytes:
    """A catalog's answer without its envelope, as some versions have it (api.md 5.8)."""
    return json.dumps(json.loads(body)["params"]).encode()


def _total_count(body: bytes, options: dict[str, Any]) -> bytes:
    """A listing of experiments in its older shape (api.md 5.7)."""
    answer = json.loads(body)
    return json.dumps({"experiments": answer["experiments"], "totalCount": answer["pagination"]["total"]}).encode()


def _headers_rows(body: bytes, options: dict[str, Any]) -> bytes:
    """A table as the document's model has it, {headers, rows}, each a line of CSV (api.md 5.7)."""
    lines = body.decode().splitlines()
    return json.dumps({"headers": "".join(lines[:1]), "rows": lines[1:]}).encode()


def _fail_count(body: bytes, options: dict[str, Any]) -> bytes:
    """A count of failures that is not the number of those named (outbound R3)."""
    answer = json.loads(body)
    if "failCount" not in answer:  # a request that was refused as a whole
        return body
    return json.dumps(answer | {"failCount": answer["failCount"] + options.get("by", 1)}).encode()


def _unnamed_failures(body: bytes, options: dict[str, Any]) -> bytes:
    """Failures are counted, and none is named (outbound R3)."""
    answer = json.loads(body)
    lists: dict[str, list[str]] = {name: [] for name in answer if name.startswith("invalid")}
    named: dict[str, list[str]] = {name: [] for name in answer.get("failedUpdates", {})}
    return json.dumps(answer | lists | ({"failedUpdates": named} if named else {})).encode()


BODIES: dict[str, Callable[[bytes, dict[str, Any]], bytes]] = {
    "half_record": _half_record,
    "duplicate_lines": _duplicate_lines,
    "bad_utf8": _bad_utf8,
    "bad_json": _bad_json,
    "drop_tail": _drop_tail,
    "more_lines": _more_lines,
    "no_last_newline": lambda body, options: body.rstrip(b"\n"),
    "blank_lines": lambda body, options: b"\xef\xbb\xbf" + body.replace(b"\n", b"\r\n\r\n"),
    "error_line": lambda body, options: body + json.dumps(ERROR).encode() + b"\n",
    "unwrapped": _unwrapped,
    "total_count": _total_count,
    "headers_rows": _headers_rows,
    "truncated_gzip": lambda body, options: gzip.compress(body)[: options.get("bytes", -9)],
    "fail_count": _fail_count,
    "unnamed_failures": _unnamed_failures,
    "not_json": lambda body, options: HTML.encode(),
    "gzip_bomb": lambda body, options: gzip.compress(b" " * (options.get("megabytes", 256) << 20)),
}
ZIPPED = {"truncated_gzip", "gzip_bomb"}

WIRES = {"reset", "cut", "cut_at_record", "short", "eof_framed", "drip", "stall", "hang", "lost_answer"}
JOBS = {
    *("job_requeue", "job_fail", "job_truncate", "job_stuck", "job_expire"),
    *("job_repeat_page", "job_endless_pages", "job_change_file"),
}
# a listing changes for good before the page is answered, so that rows move between pages (shifts.py)
SHIFTS = {"row_leaves", "row_comes"}
# what is answered is not what was applied: a share of the rows is left out in silence (faults.md R20)
LIES = {"lie"}
# the request is carried out; then the answer comes late, or says that it was not
AFTERWARDS = {"slow", "status_after"}
KINDS = {*ANSWERS, *BODIES, *WIRES, *JOBS, *SHIFTS, *LIES, *AFTERWARDS}
