"""A day of imports by four processes keeps the limit on exports, by the sandbox's own count and log (faults.md H04)."""

import multiprocessing
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from iterable_pipelines.api import LIMITS, Iterable, Ledger, Patience, Priority
from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.hours import HOUR, Window, iterate_hours, parse_hour
from iterable_pipelines.sandbox import World, running_sandbox

START = parse_hour("2026-11-01")
HOURS = list(iterate_hours(START, START + 24 * HOUR))
SETTLED_AFTER = 3
# how long a second of the simulated day lasts: a minute, the span of the limit, is over in 30 ms, an hour in 1.8 s
PACE = 0.0005
SCALED = {name: replace(limit, seconds=limit.seconds * PACE) for name, limit in LIMITS.items()}


def import_a_day(priority: Priority, hours_late: int, share: list[str], key: str, url: str, folder: Path) -> None:
    """What each process does: whenever an hour is over, or has settled, export its share of the data types."""
    client = Iterable(
        key,
        url,
        Ledger(folder / "ledger.db", limits=SCALED),
        patience=Patience(attempts=1, busy_wait=0.1),
        priority=priority,
    )
    to = folder / f"{priority.name}-{share[0]}.ndjson"
    begun = time.monotonic()
    for number, hour in enumerate(HOURS, start=hours_late):
        time.sleep(max(0.0, begun + number * HOUR.total_seconds() * PACE - time.monotonic()))
        for data_type in share:
            client.export_events(data_type, Window.of_hour(hour), to)


def test_a_day_of_53_types_and_4_processes_sees_no_429(tmp_path: Path) -> None:
    types = list(DATA_TYPE)
    assert len(types) == 53
    context = multiprocessing.get_context("spawn")
    world = World(users=5, activity=0.02, start=START - timedelta(days=1), end=START + 30 * HOUR)
    with running_sandbox(world=world, pace=PACE) as sandbox:
        processes = [
            context.Process(target=import_a_day, args=(priority, late, share, sandbox.key, sandbox.url, tmp_path))
            for priority, late in ((Priority.HOURLY, 0), (Priority.SETTLED, SETTLED_AFTER))
            for share in (types[::2], types[1::2])
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        requests = sandbox.requests("/api/export/")
    assert Counter(each.status for each in requests) == {200: 2 * 24 * 53}
    assert [process.exitcode for process in processes] == [0] * 4

    asked = Counter((dict(each.params)["startDateTime"], dict(each.params)["dataTypeName"]) for each in requests)
    assert asked == {(f"{hour:%Y-%m-%d %H:%M:%S} +00:00", name): 2 for hour in HOURS for name in types}

    # any five in a row take longer than the span in which four are allowed
    times = sorted(each.monotonic for each in requests)
    limit = SCALED["export"]
    assert min(last - first for first, last in zip(times, times[limit.calls :], strict=False)) >= limit.seconds
