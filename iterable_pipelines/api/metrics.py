"""Figures of campaigns and experiments as Iterable counts them: CSV whose columns depend on who is asked about."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from iterable_pipelines.api.client import Iterable
from iterable_pipelines.api.errors import Broken, Refused

CAMPAIGNS = "/api/campaigns/metrics"
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
AT_ONCE = 20
# campaigns that have no figures: nothing was sent yet, or the children of a recurring one have them (api.md 5.2)
WITHOUT_FIGURES = ("Draft", "Scheduled", "Recurring", "Starting")


@dataclass(frozen=True)
class Figures:
    """What one request brought: the campaigns asked about, a dict for each row, blank cells left out.

    `refusal` is why a campaign, then the only one, has no rows.
    """

    campaigns: list[int]
    rows: list[dict[str, str]]
    refusal: str = ""


def read_metrics(
    client: Iterable,
    campaigns: Sequence[int],
    start: datetime,
    end: datetime,
    path: str = CAMPAIGNS,
    inclusive_end: bool = False,
) -> Iterator[Figures]:
    """The figures from `start` up to but not including `end`, of at most 20 campaigns a request.

    Campaigns that Iterable refuses are asked about by halves, so that one that is gone hides no other. Both ends are
    always named, because the defaults may be a month of 2018; `inclusive_end` is for endpoints whose last second is
    part of the answer (api.md 5.2, 5.7). Raises IterableError otherwise, and Broken for an answer that is no table.
    """
    last = end - timedelta(seconds=1) if inclusive_end else end
    span = {"startDateTime": f"{start:%Y-%m-%d %H:%M:%S}", "endDateTime": f"{last:%Y-%m-%d %H:%M:%S}"}
    for at in range(0, len(campaigns), AT_ONCE):
        yield from _read(client, path, list(campaigns[at : at + AT_ONCE]), span)


def _read(client: Iterable, path: str, campaigns: list[int], span: dict[str, str]) -> Iterator[Figures]:
    try:
        text = client.get_text(path, {"campaignId": campaigns, **span})
    except Refused as refused:
        # without a code of Iterable's own, a 404 says that there is no such endpoint
        if refused.status not in (400, 404, 414) or (refused.status == 404 and not refused.code):
            raise
        if len(campaigns) == 1:
            yield Figures(campaigns, [], f"HTTP {refused.status} {refused.code or ''}".rstrip())
            return
        half = len(campaigns) // 2
        yield from _read(client, path, campaigns[:half], span)
        yield from _read(client, path, campaigns[half:], span)
    else:
        yield Figures(campaigns, rows_of(text, path))


def rows_of(text: str, path: str = CAMPAIGNS) -> list[dict[str, str]]:
    """The rows of an answer, without blank cells: CSV, nothing at all, or {headers, rows} (api.md 5.7)."""
    if text.lstrip().startswith("{"):
        lines = _lines_of(text)
        if lines is None:
            raise Broken(f"GET {path}: JSON came instead of a table")
        text = "\n".join(lines)
    try:
        header, *table = csv.reader(io.StringIO(text), strict=True) if text else [[]]
    except csv.Error as error:
        raise Broken(f"GET {path}: the answer is no whole table: {error}") from None
    if header and not {plain(name) for name in header} & {"id", "campaignid"}:
        raise Broken(f"GET {path}: the answer is no table of campaigns: it has no column for their id")
    if len(set(header)) < len(header):
        raise Broken(f"GET {path}: the answer has two columns of one name")
    found = []
    for cells in table:
        if cells and len(cells) != len(header):
            raise Broken(f"GET {path}: a row has {len(cells)} cells under {len(header)} columns")
        if row := {name: value for name, value in zip(header, cells, strict=True) if value.strip()} if cells else {}:
            found.append(row)
    return found


def plain(heading: str) -> str:
    """A heading as it is compared."""
    return "".join(letter for letter in heading.lower() if letter.isalnum())


def cell(row: dict[str, str], name: str) -> str:
    """The cell under a heading whose spelling is not certain: case, blanks and underscores do not count."""
    return next((value for heading, value in row.items() if plain(heading) == name), "")


def _lines_of(text: str) -> list[str] | None:
    try:
        answer = json.loads(text)
    except ValueError:
        return None
    if set(answer) != {"headers", "rows"} or not isinstance(answer["rows"], list):
        return None
    lines = [answer["headers"], *answer["rows"]]
    # each is a line of CSV, or a list of cells: the document shows the one, its name the other
    return [line if isinstance(line, str) else _as_line(line) for line in lines]


def _as_line(cells: list[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(["" if each is None else each for each in cells])
    return text.getvalue()
