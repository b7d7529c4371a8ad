"""How fast the import is, as ratios in one run: against the naive way and against the floor of curl and DuckDB alone.

    python benchmarks/import.py [--records 500000] [--large 2000000] [--markdown FILE]

A plain server in a process of its own serves one hour of emailSend records on loopback. Three ways bring it into a
committed DuckDB table, each in a fresh process whose wall time and peak memory are taken:

- ours: the landing and the stream of this project: download, verification, Parquet, manifest, load, event ids
- naive: requests, json.loads, pandas.json_normalize, insert in batches of 50,000
- floor: curl to a file, then one `create table as` from it
"""

import argparse
import http.server
import json
import platform
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HOUR = "2026-11-01T03"


def write_records(path: Path, count: int) -> None:
    """An hour of emailSend as Iterable sends it, about 600 bytes a record, the same for the same count."""
    chance = random.Random(1)
    with path.open("w") as file:
        for number in range(count):
            record = {
                "createdAt": f"2026-11-01 03:{chance.randrange(60):02d}:{chance.randrange(60):02d} +00:00",
                "email": f"user{chance.randrange(100_000)}@example.com",
                "userId": f"u-{number % 100_000}",
                "campaignId": 2220229 + chance.randrange(50),
                "templateId": 3043605 + chance.randrange(50),
                "messageId": f"{chance.getrandbits(128):032x}",
                "messageTypeId": 47258,
                "channelId": 39582,
                "contentId": 12029221,
                "messageBusId": f"01000178d1341a2f-{chance.getrandbits(128):032x}-000000",
                "espName": "Mandrill",
                "catalogLookupCount": 0,
                "catalogCollectionCount": 0,
                "productRecommendationCount": 0,
                "transactionalData": json.dumps({"first": "Ann", "plan": "pro", "number": number}),
                "itblInternal": {
                    "documentCreatedAt": "2026-11-01 03:25:56 +00:00",
                    "documentUpdatedAt": "2026-11-01 03:25:56 +00:00",
                },
            }
            file.write(json.dumps(record, separators=(",", ":")) + "\n")


def serve(path: Path) -> http.server.ThreadingHTTPServer:
    """Serve `path` for emailSend and nothing for every other type, until shutdown."""

    class Export(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-json-stream")
            size = path.stat().st_size if "dataTypeName=emailSend" in self.path else 0
            self.send_header("Content-Length", str(size))
            self.end_headers()
            if size:
                with path.open("rb") as file:
                    # the kernel copies: serving costs the measured processes next to nothing
                    self.connection.sendfile(file)

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Export)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def ours(url: str, folder: Path) -> None:
    """Land and load the hour, through the parts that the assets call."""
    from iterable_pipelines.api import Iterable, Ledger
    from iterable_pipelines.hours import parse_hour
    from iterable_pipelines.landing import Manifest, land_hours
    from iterable_pipelines.settings import Settings
    from iterable_pipelines.streams import Warehouse, load_hours

    settings = Settings(api_key="benchmark", base_url=url, data_dir=folder, data_types=("emailSend",), skip_users=True)
    client = Iterable("benchmark", settings.url, Ledger(settings.ledger_path, relaxed=True))
    manifest, warehouse = Manifest.of(settings), Warehouse.of(settings)
    warehouse.prepare()
    hours = [parse_hour(HOUR)]
    land_hours(client, manifest, settings, "iterable_activity", hours, "benchmark")
    load_hours(warehouse, manifest, settings, "iterable_activity", hours, "benchmark")


def naive(url: str, folder: Path) -> None:
    """What a script of ten lines does: every record becomes a dict, a frame, and rows again."""
    import duckdb
    import pandas as pd
    import requests

    con = duckdb.connect(folder / "naive.duckdb")
    con.execute(
        "create table sends (createdAt varchar, email varchar, userId varchar, campaignId bigint, templateId bigint, "
        "messageId varchar, record varchar)"
    )
    batch: list[dict] = []

    def insert() -> None:
        frame = pd.json_normalize(batch)
        frame["record"] = [json.dumps(each) for each in batch]
        con.register("frame", frame)
        con.execute(
            "insert into sends select createdAt, email, userId, campaignId, templateId, messageId, record from frame"
        )
        batch.clear()

    with requests.get(f"{url}/api/export/data.json?dataTypeName=emailSend", stream=True, timeout=300) as answer:
        for line in answer.iter_lines():
            batch.append(json.loads(line))
            if len(batch) == 50_000:
                insert()
    if batch:
        insert()
    con.close()


def floor(url: str, folder: Path) -> None:
    """The least that can be done: the file as it comes, and one statement."""
    import duckdb

    file = folder / "floor.ndjson"
    subprocess.run(["curl", "-s", "-o", file, f"{url}/api/export/data.json?dataTypeName=emailSend"], check=True)
    con = duckdb.connect(folder / "floor.duckdb")
    con.execute(
        "create table sends as select x[1] as created_at, x[2] as email, x[3] as user_id, x[4] as campaign_id, "
        "x[5] as message_id, json as record from (select json, json_extract_string(json, ['$.createdAt', '$.email', "
        f"'$.userId', '$.campaignId', '$.messageId']) as x from read_ndjson_objects('{file}'))"
    )
    con.close()


WAYS = {"ours": ours, "naive": naive, "floor": floor}


def measure(way: str, url: str) -> tuple[float, int]:
    """Wall seconds and peak MiB of one way in a fresh process, everything it starts included."""
    folder = Path(tempfile.mkdtemp(prefix=f"benchmark-{way}-"))
    try:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, __file__, "--way", way, "--url", url, "--folder", str(folder)],
            check=True,
            capture_output=True,
            text=True,
        )
        return time.perf_counter() - began, int(done.stdout.strip().splitlines()[-1])
    finally:
        shutil.rmtree(folder)


def run(count: int, ways: list[str], repeats: int) -> dict[str, tuple[float, int]]:
    """The best of `repeats` measures of each way, taken in turn so that a busy machine is busy for all of them."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "records.ndjson"
        write_records(path, count)
        server = serve(path)
        url = f"http://127.0.0.1:{server.server_address[1]}"
        taken: dict[str, list[tuple[float, int]]] = {way: [] for way in ways}
        for _ in range(repeats):
            for way in ways:
                taken[way].append(measure(way, url))
        server.shutdown()
    return {way: (min(wall for wall, _ in each), max(peak for _, peak in each)) for way, each in taken.items()}


def main() -> None:
    """Measure, print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--large", type=int, default=2_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--url")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.way:
        WAYS[given.way](given.url, given.folder)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        return
    small = run(given.records, list(WAYS), given.repeats)
    large = run(given.large, ["ours", "floor"], 1)
    lines = [
        f"{platform.machine()}, {_cores()} cores, Python {platform.python_version()}",
        "",
        "| way | records | seconds | records/s | peak MiB |",
        "|---|---|---|---|---|",
    ]
    for count, measures in ((given.records, small), (given.large, large)):
        for way, (wall, peak) in measures.items():
            lines.append(f"| {way} | {count:,} | {wall:.1f} | {count / wall:,.0f} | {peak} |")
    lines += [
        "",
        f"ours is {small['naive'][0] / small['ours'][0]:.1f} times as fast as the naive way",
        f"ours has {small['floor'][0] / small['ours'][0]:.2f} of the floor's speed, "
        f"{large['floor'][0] / large['ours'][0]:.2f} at {given.large:,} records",
        f"ours needs {large['ours'][1] / small['ours'][1]:.2f} times the memory for "
        f"{given.large / given.records:.0f} times the records",
    ]
    print("\n".join(lines))
    if given.markdown:
        given.markdown.write_text("\n".join(lines) + "\n")


def _cores() -> int:
    import os

    return os.cpu_count() or 0


if __name__ == "__main__":
    main()
