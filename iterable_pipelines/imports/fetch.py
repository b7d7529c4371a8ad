"""What an import asks of Iterable, on disk as NDJSON: one record a line, its fields as Iterable spells them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from iterable_pipelines.api import Iterable, Ledger, Patience, Priority, Refused
from iterable_pipelines.api.address import REGIONS
from iterable_pipelines.api.metrics import WITHOUT_FIGURES, cell, read_metrics
from iterable_pipelines.api.selection import Selection
from iterable_pipelines.exporting import fetch_records
from iterable_pipelines.hours import Window, now
from iterable_pipelines.imports.file import Source
from iterable_pipelines.imports.people import fetch_people, people_of
from iterable_pipelines.imports.reading import resolved_key
from iterable_pipelines.moments import span_of
from iterable_pipelines.objects.list_members.read import PATIENCE, names_sql, read_list
from iterable_pipelines.objects.list_members.tables import READING, State
from iterable_pipelines.published import reading
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import WarehouseFailed

Said = Callable[[str], None]

_MOMENT = "%Y-%m-%d %H:%M:%S"
_CAMPAIGNS_OF_A_SAMPLE = _PEOPLE_OF_A_SAMPLE = 20
# how far back a sample looks, one after the other, until there is a record
_SAMPLES = (timedelta(days=1), timedelta(days=7), timedelta(days=30))


@dataclass(frozen=True)
class Fetched:
    """The records on disk, why Iterable has no metrics of some campaigns, by campaign, and of how many people it may
    have more than it shows.
    """

    parts: list[Path]
    refusals: dict[int, str] = field(default_factory=dict)
    cut_off: int = 0


def address_of(source: Source, settings: Settings) -> str:
    """The URL of the Iterable that an import asks."""
    return settings.base_url or REGIONS[source.region or settings.region]


def client_of(source: Source, settings: Settings, said: Said) -> Iterable:
    """The way to Iterable that an import describes, within the project's ledger of limits. Raises SettingsError."""
    usual, first, longest = Patience(), source.retry_initial_wait_millis, source.max_retry_wait_millis
    patience = replace(
        PATIENCE if source.data_type == "list" else usual,
        attempts=usual.attempts if source.retry_limit is None else source.retry_limit + 1,
        first_wait=usual.first_wait if first is None else first / 1000,
        longest_wait=usual.longest_wait if longest is None else longest / 1000,
    )
    ledger = Ledger.of(settings)
    return Iterable(
        resolved_key(source, settings),
        address_of(source, settings),
        ledger,
        log=said,
        patience=patience,
        priority=Priority.BACKFILL,
    )


def window_of(source: Source, settings: Settings, watermark: datetime | None) -> Window | None:
    """The span of the next run; None where it would be empty, or where there is none, as for lists.

    An incremental import goes on at its `watermark`; without one it begins at start_time, and ends at end_time. It
    stays minutes behind the present, as the hourly import does, because Iterable shows records late (api.md 3.6).
    """
    if not source.has_span:
        return None
    if source.use_date_range:
        try:
            return span_of(source.date_range or "today")
        except ValueError:
            # at midnight, today has no second yet
            return None
    whole = span_of("all")
    latest = whole.end - timedelta(minutes=settings.fresh_after_minutes) if source.incremental else whole.end
    start = watermark or source.start_time or whole.start
    end = latest if watermark or source.end_time is None else min(source.end_time, latest)
    return Window(start, end) if start < end else None


def fetch(
    client: Iterable, source: Source, settings: Settings, window: Window | None, folder: Path, said: Said
) -> Fetched:
    """Fetch everything that is asked for into `folder`, which is empty. Raises what the client does, and OSError."""
    if source.of_people:
        parts, cut_off = fetch_people(client, source, people_of(source, settings), folder, said)
        return Fetched(parts, cut_off=cut_off)
    if source.data_type == "list":
        return Fetched([_list_users(client, list_id, settings, folder, said) for list_id in source.list_id or ()])
    if window is None:
        return Fetched([])
    if source.data_type == "campaign":
        return _campaigns(client, source, window, folder, said, None)
    return Fetched(_export(client, source, window, folder, said))


def fetch_sample(
    client: Iterable, source: Source, settings: Settings, window: Window | None, folder: Path, said: Said
) -> list[Path]:
    """Fetch something of what would be asked for: the newest day, week or month that has any, twenty campaigns,
    twenty people, or one list.
    """
    if source.of_people:
        return fetch_people(client, source, people_of(source, settings)[:_PEOPLE_OF_A_SAMPLE], folder, said)[0]
    if source.data_type == "list":
        return [_list_users(client, (source.list_id or ())[0], settings, folder, said)]
    if window is None:
        return []
    if source.data_type == "campaign":
        return _campaigns(client, source, window, folder, said, _CAMPAIGNS_OF_A_SAMPLE).parts
    for number, back in enumerate(_SAMPLES):
        start = max(window.start, window.end - back)
        files = _export(client, source, Window(start, window.end), _made(folder / str(number)), said)
        if start == window.start or any(path.stat().st_size for path in files):
            return files
    return _export(client, source, window, _made(folder / "whole"), said)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _export(client: Iterable, source: Source, window: Window, folder: Path, said: Said) -> list[Path]:
    asked = Selection(str(source.export_data_type), window, source.only_fields, source.omit_fields, source.campaign_id)
    return fetch_records(client, asked, "auto", folder, said)


def _list_users(client: Iterable, list_id: int, settings: Settings, folder: Path, said: Said) -> Path:
    """The users of one list: an email address each, or the user id of one who has none (api.md 5.3); user ids first in
    projects of that type. Raises NotWhole if some are missing.
    """
    said(f"users of list {list_id}")
    text, to = folder / f"{list_id}.txt", folder / f"{list_id}.ndjson"
    state = State(list_id, READING, now(), trusted=_is_trusted(list_id, settings))
    read_list(client, state, settings.project_type, text, lambda moment: moment)
    with duckdb.connect() as con:
        con.execute(
            f'copy (select {list_id} as "listId", name as "user" from {names_sql(literal(str(text)))}) '
            f"to {literal(str(to))} (format json)"
        )
    text.unlink()
    return to


def _is_trusted(list_id: int, settings: Settings) -> bool:
    """Whether a list is taken as it comes, whatever Iterable counts: `iterable-pipelines lists --trust` has said so."""
    try:
        with reading(settings) as con:
            found = con.execute("select trusted from objects.list_states where list_id = ?", [list_id]).fetchone()
    except (WarehouseFailed, duckdb.CatalogException):
        return False
    return bool(found and found[0])


def _campaigns(client: Iterable, source: Source, window: Window, folder: Path, said: Said, most: int | None) -> Fetched:
    """Campaigns with their metrics in the span, and the span itself as startDateTime and endDateTime (api.md 5.2).

    Raises Refused if Iterable refuses the metrics of all of them.
    """
    chosen = set(source.campaign_ids or ())
    listed = islice(client.get_pages("/api/campaigns", "campaigns"), None if chosen else most)
    # by id: a page that shifts while it is read brings a campaign twice
    campaigns = {int(each["id"]): each for each in listed if not chosen or each["id"] in chosen}
    if missing := chosen - campaigns.keys():
        raise Refused(f"campaign_ids: Iterable lists no campaign {', '.join(map(str, sorted(missing)))}")
    sampled = dict(islice(campaigns.items(), most))
    span = {"startDateTime": window.start.strftime(_MOMENT), "endDateTime": window.end.strftime(_MOMENT)}
    figures: dict[int, dict[str, Any]] = {}
    refusals: dict[int, str] = {}
    ids = [number for number, each in sampled.items() if each.get("campaignState") not in WITHOUT_FIGURES]
    # a sample is one request: there are ten a minute
    at_once = most or source.number_of_ids_for_each_request
    for at in range(0, len(ids), at_once):
        said(f"metrics of campaigns, {at:,} of {len(ids):,}")
        some = ids[at : at + at_once]
        for found in read_metrics(client, some, window.start, window.end):
            if found.refusal:
                refusals |= dict.fromkeys(found.campaigns, found.refusal)
            for row in found.rows:
                figures[int(float(cell(row, "id")))] = {name: _number(text) for name, text in row.items()}
    if ids and len(refusals) == len(ids):
        raise Refused(f"metrics of {len(ids):,} campaigns: all refused, the first, {ids[0]}, with {refusals[ids[0]]}")
    to = folder / "campaigns.ndjson"
    # a lone surrogate is valid JSON and not valid UTF-8
    with to.open("w", encoding="utf-8", errors="replace") as file:
        for number, campaign in sampled.items():
            record = {**figures.get(number, {}), **campaign, **span}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return Fetched([to], refusals)


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text
