"""The export endpoints: data.json, data.csv, userEvents (api.md 3.2 to 3.4)."""

import csv
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.hours import Window
from iterable_pipelines.sandbox.dates import BEGINNING, read_window
from iterable_pipelines.sandbox.errors import bad_params
from iterable_pipelines.sandbox.world import World

JSON_STREAM = "application/x-json-stream"
BLOCK = 64 * 1024
SPELLING = {name.lower(): name for name in DATA_TYPE}  # peers send emailUnsubscribe, which works (api.md 3.1)


def selected(lines: Iterable[bytes], only: set[str], omit: set[str], campaign_id: str | None) -> Iterator[bytes]:
    """The lines of one campaign, if one is asked for, reduced to the fields asked for."""
    if not (only or omit or campaign_id):
        yield from lines
        return
    for line in lines:
        record = json.loads(line)
        if campaign_id and str(record.get("campaignId")) != campaign_id:
            continue
        kept = {key: value for key, value in record.items() if (not only or key in only) and key not in omit}
        yield json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()


def blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines with their newlines, in blocks large enough that streaming costs little."""
    block = bytearray()
    for line in lines:
        block += line + b"\n"
        if len(block) >= BLOCK:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def as_csv(lines: Iterable[bytes], delimiter: str = ",") -> Iterator[bytes]:
    """The records as CSV; the columns are those that occur in this window, so two windows differ (api.md 3.3)."""
    records: list[dict[str, Any]] = [json.loads(line) for line in lines]
    columns = list(dict.fromkeys(key for record in records for key in record))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    for record in records:
        writer.writerow([_cell(record.get(column)) for column in columns])
    yield text.getvalue().encode()


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list, bool)) else value


def zipped(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes as one gzip stream."""
    packer = zlib.compressobj(wbits=31)
    for part in parts:
        yield packer.compress(part)
    yield packer.flush()


def _names(request: Request, key: str) -> set[str]:
    return {name for value in request.query_params.getlist(key) for name in value.split(",") if name}


def export_routes(world: World, gzip: bool) -> list[Route]:
    """GET export/data.json, data.csv, userEvents. With `gzip`, answers are compressed for those who accept it."""

    def stream(request: Request, parts: Iterator[bytes], kind: str) -> Response:
        if gzip and "gzip" in request.headers.get("accept-encoding", ""):
            return StreamingResponse(zipped(parts), media_type=kind, headers={"content-encoding": "gzip"})
        return StreamingResponse(parts, media_type=kind)

    def lines_asked_for(request: Request) -> Iterator[bytes]:
        query = request.query_params
        data_type = SPELLING.get(query.get("dataTypeName", "").lower())
        if data_type is None:
            raise ValueError(f"Invalid dataTypeName: {query.get('dataTypeName', '')}")
        window = read_window(query.get("startDateTime"), query.get("endDateTime"), query.get("range"), world.now())
        lines = world.records(data_type, window, world.now())
        return selected(lines, _names(request, "onlyFields"), _names(request, "omitFields"), query.get("campaignId"))

    def data_json(request: Request) -> Response:
        try:
            return stream(request, blocks(lines_asked_for(request)), JSON_STREAM)
        except ValueError as wrong:
            return bad_params(str(wrong))

    def data_csv(request: Request) -> Response:
        try:
            return stream(
                request, as_csv(lines_asked_for(request), request.query_params.get("delimiter", ",")), "text/csv"
            )
        except ValueError as wrong:
            return bad_params(str(wrong))

    def user_events(request: Request) -> Response:
        query = request.query_params
        email, user_id = query.get("email"), query.get("userId")
        if not email and not user_id:
            return bad_params("Either email or userId is required")
        custom = query.get("includeCustomEvents", "false") == "true"
        types = [name for name in DATA_TYPE if name != "user" and (custom or name != "customEvent")]
        window = Window(min(world.start, BEGINNING), world.now())
        return stream(request, blocks(events_of(world, types, email, user_id, window)), JSON_STREAM)

    return [
        Route("/api/export/data.json", data_json),
        Route("/api/export/data.csv", data_csv),
        Route("/api/export/userEvents", user_events),
    ]


def events_of(
    world: World,
    types: Iterable[str],
    email: str | None,
    user_id: str | None,
    window: Window,
    written_since: datetime | None = None,
) -> Iterator[bytes]:
    """What one person did in the window; records carry `_type`, as only this export does (api.md 3.4).

    written_since: where the window begins for what clients wrote, if not with it.
    """
    email, user_id = (email or "").strip().lower(), user_id or ""
    begin, end, now = (written_since or window.start).timestamp(), window.end.timestamp(), world.now().timestamp()
    world.settle()
    # by identity: an event may name the person twice, and two events may be equal
    written = {id(each): each for name in (email, user_id) for each in world.written.events_of(name)}
    mine = [each for each in written.values() if each.visible <= now and begin <= each.created < end]
    wanted = set(types)
    for event in (*world.seeded_events_of({email, user_id} - {""}, window), *mine):
        record = json.loads(event.line)
        is_theirs = (email and (record.get("email") or "").strip().lower() == email) or (
            user_id and record.get("userId") == user_id
        )
        if event.data_type in wanted and is_theirs:
            line = json.dumps({"_type": event.data_type} | record, ensure_ascii=False, separators=(",", ":"))
            yield line.encode()
