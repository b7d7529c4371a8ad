"""A hundred people erased from millions of events: landing, warehouse and the copy for readers, all bytes of them.

    python benchmarks/erasure.py [--events 10000000] [--persons 100] [--hours 168] [--keep FOLDER]

The events are made as the files of an export job, then cut, landed, loaded and published as every import is; only the
erasure is measured, in a process of its own.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
TYPES = ("emailSend", "emailOpen", "emailClick", "pushSend", "pushOpen", "inAppSend", "customEvent", "purchase")
USERS = 100_000
# one record in a hundred thousand names somebody else
_EVENTS = f"""
select strftime(timestamp '2026-01-01' + to_seconds((hash(n) % $2)::bigint), '%Y-%m-%d %H:%M:%S +00:00') as createdAt,
    'user' || who || '@example.com' as email, 'itbl' || md5(who::varchar) as itblUserId,
    2220229 + n % 50 as campaignId, 'Newsletter' as campaignName, 3043605 + n % 50 as templateId,
    md5(n::varchar) as messageId, 47258 as messageTypeId, 39582 as channelId, 12029221 as contentId,
    '01000178d1341a2f-' || md5((n + 7)::varchar) as messageBusId, 0 as catalogLookupCount,
    case when n % 100000 = 0 then 'user' || (n // 100000) % 200 || '@example.com' end as invitedBy
from (select n, hash(n * 31 + {{nth}}) % {USERS} as who from range($1) as r(n))
"""


def lay_out(folder: Path, events: int, hours: int) -> None:
    """Land and load the events, a data type after the other, and publish the copy for readers."""
    import duckdb

    from iterable_pipelines.data_types import DATA_TYPE
    from iterable_pipelines.hours import Window
    from iterable_pipelines.landing.cut import cut
    from iterable_pipelines.landing.keep import keep_parts
    from iterable_pipelines.landing.manifest import Fetch, Manifest
    from iterable_pipelines.streams import Warehouse, load_hours
    from iterable_pipelines.streams.completeness import refresh

    settings = _settings(folder)
    manifest, warehouse = Manifest.of(settings), Warehouse.of(settings, log=lambda text: None)
    warehouse.prepare()
    window, each = Window(START, START + hours * HOUR), events // len(TYPES)
    for nth, data_type in enumerate(TYPES):
        download = folder / "download.ndjson"
        with duckdb.connect() as con:
            con.execute("set memory_limit = '1GB'")
            con.execute(f"copy ({_EVENTS.format(nth=nth)}) to '{download}' (format json)", [each, hours * 3600])
        cuts = cut([download], window, "createdAt", settings.landing_dir / "cut", "1GB")
        download.unlink()
        fetch = Fetch(data_type, window, "job", window.end, sum(one.rows for one in cuts), 0, 1, 0, 0, "benchmark")
        manifest.add(keep_parts(manifest, settings, data_type, window, cuts, window.end, "benchmark"), fetch)
        shutil.rmtree(settings.landing_dir / "cut")
    for stream in dict.fromkeys(DATA_TYPE[name].stream for name in TYPES):
        load_hours(warehouse, manifest, settings, stream, window.hours(), "benchmark", log=lambda text: None)
    with warehouse.transaction() as con:
        refresh(con, settings, manifest, window.end)
    warehouse.publish()


def erase(folder: Path, persons: int) -> None:
    """Erase the first so many users, and say what it took."""
    from iterable_pipelines.erasure.run import erase as run
    from iterable_pipelines.erasure.tombstones import Tombstones, hash_of

    settings = _settings(folder)
    Tombstones(settings).add("email", [hash_of(f"user{n}@example.com") for n in range(persons)], "request")
    begun, steps = time.perf_counter(), list[tuple[float, str]]()
    certificate = run(settings, lambda text: steps.append((time.perf_counter() - begun, text)))
    print(
        json.dumps(
            {
                "seconds": round(time.perf_counter() - begun, 1),
                "persons": certificate.persons,
                "rows": certificate.rows,
                "rows_of_others": certificate.mentions,
                "files": sum(each.place.startswith("landing") for each in certificate.erased),
                "megabytes_written": sum(each.bytes_after for each in certificate.erased) // 1_000_000,
                "left": certificate.left,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                "steps": [f"{moment:.1f} s: {text}" for moment, text in steps],
            },
            indent=1,
        )
    )


def _settings(folder: Path):  # type: ignore[no-untyped-def]
    from iterable_pipelines.settings import Settings

    return Settings(data_dir=folder / "data", start_date=START)


def main() -> None:
    """Make the project in `--keep` if it is not there, copy it, and erase from the copy."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--events", type=int, default=10_000_000)
    arguments.add_argument("--persons", type=int, default=100)
    arguments.add_argument("--hours", type=int, default=168)
    arguments.add_argument("--keep", type=Path, help="Where the project is made, and left for the next time.")
    arguments.add_argument("--erase", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.erase:
        erase(given.erase, given.persons)
        return
    with tempfile.TemporaryDirectory() as temporary:
        made = given.keep or Path(temporary) / "made"
        if not (made / "data").exists():
            made.mkdir(parents=True, exist_ok=True)
            lay_out(made, given.events, given.hours)
        copy = Path(temporary) / "copy"
        shutil.copytree(made, copy)
        os.sync()
        subprocess.run([sys.executable, __file__, "--erase", copy, "--persons", str(given.persons)], check=True)


if __name__ == "__main__":
    main()
