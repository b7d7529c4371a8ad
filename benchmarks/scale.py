"""What an hour costs when history is large, and what it takes on the disk: the figures of docs/scale.md.

    python benchmarks/scale.py [--millions 1 10 100] [--days 30] [--engine duckdb] [--markdown FILE]

For each size, in an empty folder: so many millions of events of four data types over the days, with a user for every
fifty events and a few users doing most of it. The first day is made as files of an export job, cut, landed and loaded;
with DuckDB the other days are its rows with other people, ids and times, put into the table by one statement a day,
since what an hour costs depends on what the table holds and not on how it came there. Then the first build, for which
DuckDB may take 1 GB for every ten million events, and in a process of its own, with `ITERABLE_MEMORY_LIMIT` as it is,
three more hours of the same rate, step by step, of which the middle figure counts: through the code that assets run.
Needs about 440 bytes of disk for every event, and for 100 millions most of an hour.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

import duckdb

from iterable_pipelines.hours import HOUR, Window
from iterable_pipelines.landing.cut import cut
from iterable_pipelines.landing.keep import keep_parts
from iterable_pipelines.profiles import run_models
from iterable_pipelines.resources import open_project
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines.streams.completeness import refresh
from iterable_pipelines.streams.tables import next_load_id

START = datetime(2026, 1, 1, tzinfo=UTC)
STREAM = "iterable_activity"
# what share of the events each data type has
MIX = {"emailSend": 0.5, "emailOpen": 0.3, "emailClick": 0.15, "emailBounce": 0.05}
EVENTS_PER_USER = 50
MORE_HOURS = 3


def write_events(file: Path, window: Window, events: int, users: int, seed: int) -> None:
    """A job's file of one data type: `events` records of about 400 bytes, spread over the window in no order."""
    seconds = int((window.end - window.start).total_seconds())
    with duckdb.connect() as con:
        con.execute("set memory_limit = '1GB'; set preserve_insertion_order = false")
        con.execute(
            f"""copy (select
                strftime(timestamp '{window.start:%Y-%m-%d %H:%M:%S}'
                    + to_seconds((hash(i, 1, {seed}) % {seconds})::int), '%Y-%m-%d %H:%M:%S +00:00') as "createdAt",
                'user' || floor(pow((hash(i, 2, {seed}) % 1000000007) / 1000000007.0, 2.2) * {users})::int
                    || '@example.com' as email,
                2220229 + (hash(i, 3, {seed}) % 50)::int as "campaignId",
                3043605 + (hash(i, 4, {seed}) % 50)::int as "templateId",
                md5(concat(i, 'm', {seed})) as "messageId", 47258 as "messageTypeId", 39582 as "channelId",
                12029221 as "contentId",
                concat('01000178d1341a2f-', md5(concat(i, 'b', {seed})), '-000000') as "messageBusId",
                'Mandrill' as "espName", 0 as "catalogLookupCount", 0 as "productRecommendationCount",
                '{{"plan":"pro"}}' as "transactionalData"
            from range({events}) as made(i)) to '{file}' (format json)"""
        )


def land(settings: Settings, window: Window, events: int, users: int) -> None:
    """Land so many events of the window, as the files of export jobs are landed."""
    _, manifest, _ = open_project(_unheard)
    for number, (data_type, share) in enumerate(MIX.items()):
        file = settings.data_dir / f"{data_type}.ndjson"
        write_events(file, window, max(1, int(events * share)), users, number + 7 * int(window.start.timestamp()))
        cuts = cut([file], window, "createdAt", settings.landing_dir / "cut", settings.memory_limit)
        file.unlink()
        manifest.add(keep_parts(manifest, settings, data_type, window, cuts, window.end, "benchmark"))


def repeat_first_day(warehouse: Warehouse, day: int, users: int) -> None:
    """Put the rows of the first day into the table once more, as those of a later day."""
    number = f"floor(pow((hash(event_id, {day}) % 1000000007) / 1000000007.0, 2.2) * {users})::int"
    person = f"'user' || {number} || '@example.com'"
    with warehouse.transaction() as con:
        load_id = next_load_id(con)
        first = f"_hour < timestamp '{START:%Y-%m-%d}' + interval 1 day"
        con.execute(
            f"insert into streams.{STREAM} select * replace ({person} as email, {person} as user_key, "
            f"md5(event_id || {day}) as event_id, created_at + interval {day} day as created_at, "
            f"_hour + interval {day} day as _hour, {load_id} as _load_id) from streams.{STREAM} where {first}"
        )
        con.execute(
            f"insert into streams.loads select * replace ({load_id} as load_id, hour + interval {day} day as hour) "
            f"from streams.loads where {first.replace('_hour', 'hour')}"
        )


def load(settings: Settings, window: Window) -> None:
    """What the asset of the stream does for the hours of a window."""
    project, manifest, warehouse = open_project(_unheard)
    warehouse.prepare()
    load_hours(warehouse, manifest, project, STREAM, window.hours(), "benchmark", log=_unheard)
    with warehouse.transaction() as con:
        refresh(con, project, manifest, window.end + HOUR, [STREAM], window.start)


def build(settings: Settings) -> None:
    """Profiles and marts."""
    _, _, warehouse = open_project(_unheard)
    run_models(settings, warehouse, log=_unheard)


def publish() -> None:
    """The copy for readers."""
    _, _, warehouse = open_project(_unheard)
    warehouse.publish()


@dataclass
class History:
    """What the hours are added to, and what it took to make it."""

    events: int
    days: int
    landing_gigabytes: float
    loaded_a_second: float
    built_seconds: float


def users_of(events: int) -> int:
    """How many people have so many events."""
    return max(1, events // EVENTS_PER_USER)


def make_history(settings: Settings, warehouse: Warehouse, events: int, days: int) -> History:
    """Land and load so many events, and build the models."""
    users = users_of(events)

    def fill(numbers: range) -> None:
        for day in numbers:
            window = Window(START + 24 * day * HOUR, START + 24 * (day + 1) * HOUR)
            land(settings, window, events // days, users)
            load(settings, window)

    first_day = timed(lambda: fill(range(1)))
    landing = days * gigabytes(settings.landing_dir)
    if warehouse.lake:
        fill(range(1, days))
    else:
        for day in range(1, days):
            repeat_first_day(warehouse, day, users)
    roomy = settings.model_copy(update={"memory_limit": f"{max(1, events // 10_000_000)}GB"})
    built = timed(lambda: build(roomy))
    publish()
    return History(events, days, landing, events / days / first_day, built)


def measure_hours(settings: Settings, warehouse: Warehouse, history: History) -> list[str]:
    """More hours, one after another; the cells of the row."""
    steps, hours = [], 24 * history.days
    for number in range(hours, hours + MORE_HOURS):
        newest = Window(START + number * HOUR, START + (number + 1) * HOUR)
        land(settings, newest, history.events // hours, users_of(history.events))
        work = (partial(load, settings, newest), partial(build, settings), publish, partial(build, settings))
        steps.append([timed(step) for step in work])
        print(steps[-1], file=sys.stderr, flush=True)
    loading, building, publishing, nothing = (median(seconds) for seconds in zip(*steps, strict=True))
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    (profiles,) = warehouse.read("select count(*) from profiles.user_profiles")[0]
    sizes = [history.landing_gigabytes, gigabytes(settings.data_dir) - gigabytes(settings.landing_dir)]
    return [
        f"{history.events:,}", f"{profiles:,}", f"{history.events // hours:,}", f"{history.loaded_a_second:,.0f}",
        f"{history.built_seconds / 60:.1f}", f"{loading:.1f}", f"{building:.1f}", f"{nothing:.1f}",
        f"{publishing:.1f}", f"{loading + building + publishing:.1f}", *(f"{size:.2f}" for size in sizes),
        f"{peak // 1024:,}",
    ]  # fmt: skip


def measure(millions: float, days: int, engine: str, folder: Path) -> None:
    """History, if the folder has none yet; else the hours after it, printed as a row."""
    os.environ |= {
        "ITERABLE_PROJECT_ROOT": str(folder),
        **({"ITERABLE_ENGINE": engine} if engine != "duckdb" else {}),
        "ITERABLE_START_DATE": START.isoformat(),
        "ITERABLE_API_KEY": "benchmark",
        "ITERABLE_SKIP_USERS": "true",
        "ITERABLE_DATA_TYPES": ",".join(MIX),
    }
    settings, _, warehouse = open_project(_unheard)
    made = folder / "history.json"
    if made.exists():
        cells = measure_hours(settings, warehouse, History(**json.loads(made.read_text())))
        print("| " + " | ".join(cells) + " |")
    else:
        made.write_text(json.dumps(asdict(make_history(settings, warehouse, int(millions * 1_000_000), days))))


def timed(work: Callable[[], object]) -> float:
    """The seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def gigabytes(folder: Path) -> float:
    """What the files below a folder take; second names take nothing."""
    files = {found.st_ino: found.st_size for file in folder.rglob("*") if file.is_file() for found in [file.stat()]}
    return sum(files.values()) / 1e9


def _unheard(text: str) -> None:
    pass


HEADER = (
    "| events | profiles | an hour | landed and loaded a second | first build, min | hour: load s | build s "
    "| (with nothing to do s) | publish s | in all s | landing GB | all else GB | peak MiB |\n" + "|---" * 13 + "|"
)


def main() -> None:
    """Measure each size in a process of its own, print the table, and add it to a file if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 10, 100])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--engine", choices=["duckdb", "spark"], default="duckdb")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.folder:
        measure(given.millions[0], given.days, given.engine, given.folder)
        return
    lines = [
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"engine {given.engine}, {given.days} days"
    ]
    lines += ["", HEADER]
    print("\n".join(lines), flush=True)
    for millions in given.millions:
        folder = Path(tempfile.mkdtemp(prefix="benchmark-scale-"))
        try:
            arguments = ["--millions", str(millions), "--days", str(given.days), "--engine", given.engine]
            command = [sys.executable, __file__, *arguments, "--folder", str(folder)]
            for _ in ("history", "hours"):
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
                if done.returncode:
                    raise SystemExit(done.returncode)
        finally:
            shutil.rmtree(folder)
        lines.append(done.stdout.strip().splitlines()[-1])
        print(lines[-1], flush=True)
    if given.markdown:
        with given.markdown.open("a") as file:
            file.write("\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
