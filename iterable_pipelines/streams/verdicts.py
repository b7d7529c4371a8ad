"""What `streams.completeness` says of an hour, as outcomes of two checks, and which of them the UI has yet to hear."""

from collections.abc import Sequence
from datetime import UTC, datetime

import duckdb

from iterable_pipelines.hours import HOUR, hour_key
from iterable_pipelines.streams.completeness import MISSING, SILENT, UNTOUCHED, Trouble
from iterable_pipelines.streams.outcomes import Check, Outcome

COMPLETE = Check(
    "complete",
    "Every data type of the hour has landed, its file is there, and rows exported = rows landed = rows loaded.",
    False,
)
IN_BAND = Check(
    "volume_in_band",
    "The rows of each data type lie in the band of the same hour of the week over eight weeks, or of the same hour of "
    "the day over four while there are not four such weeks.",
    False,
)
# so many at once keep the UI's own storage quick; the others follow with the next refresh
_TOLD_AT_ONCE = 1000
_OUTSIDE = "rows_landed not between rows_low and rows_high"

Found = tuple[str, str | None, int | None, int | None, int, float | None, float | None]


def verdicts(con: duckdb.DuckDBPyConnection, stream: str, hours: Sequence[datetime]) -> dict[Check, list[Outcome]]:
    """The outcome of both checks for each of `hours`, as of the last refresh."""
    by_hour: dict[datetime, list[Found]] = {}
    naive = [hour.replace(tzinfo=None) for hour in hours]
    for hour, *found in con.execute(
        "select hour, data_type, trouble, rows_exported, rows_landed, rows_loaded, rows_low, rows_high "
        "from streams.completeness where stream = $1 and hour between $2 and $3 order by data_type",
        [stream, min(naive), max(naive)],
    ).fetchall():
        by_hour.setdefault(hour.replace(tzinfo=UTC), []).append(tuple(found))
    return {
        COMPLETE: [_complete(stream, hour, by_hour.get(hour, [])) for hour in hours],
        IN_BAND: [_in_band(stream, hour, by_hour.get(hour, [])) for hour in hours],
    }


def note_told(con: duckdb.DuckDBPyConnection, stream: str, outcomes: Sequence[Outcome]) -> None:
    """Remember which hours the UI has been told are red."""
    hours = [each.hour.replace(tzinfo=None) for each in outcomes]
    names = [each.check.name for each in outcomes]
    con.execute(
        "delete from streams.red_hours using (select unnest($2::TIMESTAMP[]) as hour, unnest($3::VARCHAR[]) as name) "
        "as told where stream = $1 and red_hours.hour = told.hour and check_name = told.name",
        [stream, hours, names],
    )
    red = [each for each in outcomes if not each.passed]
    con.execute(
        "insert into streams.red_hours select $1, unnest($2::TIMESTAMP[]), unnest($3::VARCHAR[])",
        [stream, [each.hour.replace(tzinfo=None) for each in red], [each.check.name for each in red]],
    )


def untold(con: duckdb.DuckDBPyConnection, moment: datetime) -> dict[str, list[Outcome]]:
    """Outcomes by stream that differ from what the UI was told last: hours that turned red, and that are mended.

    Hours of which nothing ever landed are left to Dagster, which shows them as not materialized.
    """
    last = (moment - UNTOUCHED - HOUR).astimezone(UTC).replace(tzinfo=None)
    found = con.execute(
        "with judged as (select stream, hour, bool_or(trouble is not null and trouble <> $2) as lacking, "
        f"bool_or({_OUTSIDE}) as outside from streams.completeness where hour <= $1 group by all "
        "having bool_or(trouble is distinct from $3)), "
        "red as (select stream, hour, $4 as check_name from judged where lacking "
        "union all select stream, hour, $5 from judged where outside), "
        "differing as ((from red except from streams.red_hours) union all "
        "(from streams.red_hours where hour in (select hour from streams.completeness) except from red)) "
        f"select stream, check_name, hour from differing order by hour desc, stream, check_name limit {_TOLD_AT_ONCE}",
        [last, SILENT, MISSING, COMPLETE.name, IN_BAND.name],
    ).fetchall()
    wanted: dict[tuple[str, str], list[datetime]] = {}
    for stream, name, hour in found:
        wanted.setdefault((stream, name), []).append(hour.replace(tzinfo=UTC))
    told: dict[str, list[Outcome]] = {}
    for (stream, name), hours in wanted.items():
        for check, outcomes in verdicts(con, stream, hours).items():
            if check.name == name:
                told.setdefault(stream, []).extend(outcomes)
    return told


def _complete(stream: str, hour: datetime, found: list[Found]) -> Outcome:
    lacks: dict[str, list[Found]] = {}
    for each in found:
        if each[1] and each[1] != SILENT:
            lacks.setdefault(each[1], []).append(each)
    text = "; ".join(
        f"{hour_key(hour)} {kind}: {', '.join(map(_counted, those))}. "
        f"Next: {Trouble(stream, hour, kind, tuple(each[0] for each in those)).command}"
        for kind, those in lacks.items()
    )
    numbers = {
        "exported": sum(each[2] if each[2] is not None else each[3] or 0 for each in found),
        "landed": sum(each[3] or 0 for each in found),
        "loaded": sum(each[4] for each in found),
        "types_lacking": sum(map(len, lacks.values())),
    }
    if not found:
        return Outcome(COMPLETE, hour, False, f"{hour_key(hour)} is not over, or lies before the start", numbers, True)
    return Outcome(COMPLETE, hour, not lacks, text or "all is there: rows exported = landed = loaded", numbers, True)


def _in_band(stream: str, hour: datetime, found: list[Found]) -> Outcome:
    silent = tuple(each[0] for each in found if each[1] == SILENT)
    judged = [each for each in found if each[3] is not None and each[5] is not None and each[6] is not None]
    outside = [
        f"{name}: {landed} rows, {low:.0f} to {high:.0f} are usual"
        for name, _, _, landed, _, low, high in judged
        if not (low or 0) <= (landed or 0) <= (high or 0)
    ]
    numbers = {"outside": len(outside), "silent": len(silent), "without_history": len(found) - len(judged)}
    if not outside:
        text = "every data type lies in its band" if judged else "not enough history for a band"
        return Outcome(IN_BAND, hour, True, text, numbers, False)
    text = f"{hour_key(hour)} {'; '.join(outside)}"
    if silent:
        text = f"{text}. {', '.join(silent)} fell silent. Next: {Trouble(stream, hour, SILENT, silent).command}"
    return Outcome(IN_BAND, hour, False, text, numbers, bool(silent))


def _counted(found: Found) -> str:
    name, _, _, landed, loaded, _, _ = found
    return name if landed is None else f"{name} ({landed} rows landed, {loaded} loaded)"
