"""From the files of an export job to a committed table, and from landing to the table once more, beside the floor.

    python benchmarks/replay.py [--records 500000] [--hours 168] [--markdown FILE]

The files lie on disk already, 10 MB each, as a job leaves them. Each way runs in a fresh process, in turn:

- files: verify, cut into a Parquet file per hour, note in the manifest, load into the stream's table
- replay: load the landed hours into an empty warehouse; what `rebuild` does
- floor: one `create table as` from the same files
"""

import argparse
import os
import platform
import random
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
STREAM = "iterable_activity"


def write_files(folder: Path, count: int, hours: int) -> None:
    """The job's answer: emailSend records in no order, about 400 bytes each."""
    chance, part, size = random.Random(1), None, 0
    for number in range(count):
        if part is None or size > 10_000_000:
            if part:
                part.close()
            part, size = (folder / f"{number:09d}.ndjson").open("w"), 0
        moment = START + timedelta(seconds=chance.randrange(hours * 3600))
        size += part.write(
            f'{{"createdAt":"{moment:%Y-%m-%d %H:%M:%S} +00:00","email":"user{chance.randrange(100_000)}@example.com",'
            f'"campaignId":{2220229 + chance.randrange(50)},"templateId":{3043605 + chance.randrange(50)},'
            f'"messageId":"{chance.getrandbits(128):032x}","messageTypeId":47258,"channelId":39582,"contentId":12029221,'
            f'"messageBusId":"01000178d1341a2f-{chance.getrandbits(128):032x}-000000","espName":"Mandrill",'
            '"catalogLookupCount":0,"productRecommendationCount":0,"transactionalData":"{\\"plan\\":\\"pro\\"}"}\n'
        )
    if part:
        part.close()


def files(source: Path, folder: Path, hours: int) -> None:
    """Land the job's files and load what has landed."""
    from iterable_pipelines.hours import Window
    from iterable_pipelines.landing.cut import cut
    from iterable_pipelines.landing.keep import keep_parts
    from iterable_pipelines.landing.manifest import Manifest

    settings = _settings(folder)
    manifest, window = Manifest.of(settings), Window(START, START + hours * HOUR)
    cuts = cut(sorted(source.glob("*.ndjson")), window, "createdAt", settings.landing_dir / "cut", "1GB")
    manifest.add(keep_parts(manifest, settings, "emailSend", window, cuts, window.end, "benchmark"))
    _load(folder, hours)


def replay(source: Path, folder: Path, hours: int) -> None:
    """Load what `files` has landed into an empty warehouse."""
    settings = _settings(folder)
    settings.warehouse_path.unlink(missing_ok=True)
    _load(folder, hours)


def floor(source: Path, folder: Path, hours: int) -> None:
    """The least that can be done: one statement."""
    import duckdb

    (folder / "floor.duckdb").unlink(missing_ok=True)
    con = duckdb.connect(folder / "floor.duckdb")
    con.execute(
        "create table sends as select x[1] as created_at, x[2] as email, x[3] as campaign_id, x[4] as message_id, "
        "json as record from (select json, json_extract_string(json, ['$.createdAt', '$.email', '$.campaignId', "
        f"'$.messageId']) as x from read_ndjson_objects('{source}/*.ndjson'))"
    )
    con.close()


def _settings(folder: Path):  # type: ignore[no-untyped-def]
    from iterable_pipelines.settings import Settings

    return Settings(api_key="benchmark", data_dir=folder, start_date=START, data_types=("emailSend",), skip_users=True)


def _load(folder: Path, hours: int) -> None:
    from iterable_pipelines.landing.manifest import Manifest
    from iterable_pipelines.streams import Warehouse, load_hours

    settings = _settings(folder)
    warehouse = Warehouse.of(settings)
    warehouse.prepare()
    wanted = [START + n * HOUR for n in range(hours)]
    load_hours(warehouse, Manifest.of(settings), settings, STREAM, wanted, "benchmark")


WAYS = {"files": files, "replay": replay, "floor": floor}


def measure(way: str, source: Path, folder: Path, hours: int) -> tuple[float, int]:
    """Wall seconds and peak MiB of one way in a fresh process, its start included."""
    began = time.perf_counter()
    arguments = ["--way", way, "--source", str(source), "--folder", str(folder), "--hours", str(hours)]
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    return time.perf_counter() - began, int(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Measure, print the table, and add it to a file if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--hours", type=int, default=168)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.way:
        WAYS[given.way](given.source, given.folder, given.hours)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        return
    taken: dict[str, list[tuple[float, int]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="benchmark-replay-") as scratch:
        source = Path(scratch) / "files"
        source.mkdir()
        write_files(source, given.records, given.hours)
        for repeat in range(given.repeats):
            folder = Path(scratch) / str(repeat)
            folder.mkdir()
            for way in WAYS:
                taken[way].append(measure(way, source, folder, given.hours))
            shutil.rmtree(folder)
    best = {way: min(wall for wall, _ in each) for way, each in taken.items()}
    lines = [
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}: {given.records:,} records "
        f"of {given.hours} hours",
        "",
        "| way | seconds | records/s | peak MiB |",
        "|---|---|---|---|",
        *(
            f"| {way} | {best[way]:.1f} | {given.records / best[way]:,.0f} | {max(peak for _, peak in taken[way])} |"
            for way in WAYS
        ),
        "",
        f"from job files to the table at {best['floor'] / best['files']:.2f} of the floor's speed, from landing to the "
        f"table at {best['floor'] / best['replay']:.2f}",
    ]
    print("\n".join(lines))
    if given.markdown:
        with given.markdown.open("a") as file:
            file.write("\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
