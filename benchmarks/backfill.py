"""A year of history by export jobs, while the hourly import and a reader go on beside it.

    python benchmarks/backfill.py [--days 365] [--events 10000000] [--markdown FILE]

A sandbox in a process of its own serves every data type of the email stream, within the real limits; its records are
made by arithmetic, so that serving costs little. One command backfills the year. Meanwhile the hour that has just
closed is imported again and again by another process, and a third one opens the readers' copy of the warehouse all the
time. Then streams and profiles are rebuilt from landing with the sandbox gone.
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
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from iterable_pipelines.hours import HOUR, Window, hour_key, hour_of, iterate_hours, now, parse_hour

STREAM = "iterable_activity"
# of a hundred email events; the rest of the stream's types share what is left
SHARES = {
    "emailSend": 60,
    "emailOpen": 28,
    "emailClick": 6,
    "emailBounce": 2,
    "emailSendSkip": 2,
    "emailUnSubscribe": 1,
}
START = parse_hour("2025-11-01")


def serve(port: int, days: int, events: int) -> None:
    """The sandbox, with the real limits, in this process until it is killed."""
    import uvicorn

    from iterable_pipelines.sandbox.faults import Faults
    from iterable_pipelines.sandbox.request_log import RequestLog
    from iterable_pipelines.sandbox.server import make_app
    from iterable_pipelines.sandbox.world import World

    class Arithmetic(World):
        """Every hour of a data type has as many events as every other."""

        def records(self, data_type: str, window: Window, visible_at: datetime | None = None) -> Iterator[bytes]:
            an_hour = events * SHARES.get(data_type, 0) // 100 // (days * 24)
            end = min(window.end, visible_at or window.end, START + timedelta(days=days + 3650))
            for hour in iterate_hours(max(window.start, START), end):
                stamp, base = hour.strftime("%Y-%m-%d %H"), int(hour.timestamp())
                for nth in range(an_hour):
                    user = (base // 3600 * 7919 + nth * 104729) % 200_000
                    yield (
                        b'{"createdAt":"%s:%02d:%02d +00:00","email":"user%d@example.com","campaignId":%d,'
                        b'"templateId":%d,"messageId":"%032x","messageTypeId":47258,"channelId":39582,'
                        b'"contentId":12029221,"userAgent":"Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 '
                        b'(via ggpht.com GoogleImageProxy)","ip":"74.125.%d.%d"}'
                        % (
                            stamp.encode(), nth * 7 % 60, nth * 13 % 60, user, 2220229 + nth % 50, 3043605 + nth % 50,
                            base * 1_000_003 + nth, nth % 256, user % 256,
                        )
                    )  # fmt: skip

    app = make_app(Arithmetic(users=5), RequestLog(), Faults(), relaxed=False)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


@contextmanager
def process(*arguments: str, **more: object) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive the block."""
    with subprocess.Popen(arguments, text=True, **more) as child:  # type: ignore[call-overload]
        try:
            yield child
        finally:
            child.kill()


def read_all_the_while(copy: Path, stop: threading.Event, seen: list[str]) -> None:
    """Open the copy for readers in a fresh process each time, as a BI tool would; note what it answers."""
    question = f"import duckdb; print(duckdb.connect('{copy}', read_only=True).execute('{_COUNT}').fetchall())"
    while not stop.wait(1):
        if copy.exists():
            done = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=False)
            seen.append("ok" if done.returncode == 0 else done.stderr.strip().splitlines()[-1])


_COUNT = f"select count(*) from streams.{STREAM}"


def import_each_hour(command: list[str], environment: dict[str, str], stop: threading.Event, took: list[float]) -> None:
    """Import the newest hour again and again beside the backfill."""
    while not stop.wait(20):
        hour = hour_of(now()) - HOUR
        begun = time.monotonic()
        span = ["--from", hour_key(hour), "--to", hour_key(hour + HOUR), "--stream", STREAM, "--refetch"]
        done = subprocess.run([*command, "backfill", *span], env=environment, capture_output=True, check=False)
        if not stop.is_set():
            took.append(time.monotonic() - begun if done.returncode == 0 else -1.0)


def requests_of(url: str) -> dict[str, int]:
    """How often the sandbox was asked, by kind."""
    import urllib.request

    with urllib.request.urlopen(f"{url}/_sandbox/requests") as answer:
        asked = json.load(answer)["requests"]
    kinds = {"jobs": "/api/export/start", "exports": "/api/export/data.json", "files": "/files/"}
    found = {name: sum(each["path"].startswith(path) for each in asked) for name, path in kinds.items()}
    return found | {"refused with 429": sum(each["status"] == 429 for each in asked)}


def main() -> None:
    """Measure, print, and add to the markdown file if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--serve", type=int)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.days, given.events)
        return
    folder = Path(tempfile.mkdtemp(prefix="benchmark-backfill-"))
    try:
        lines = measure(folder, given.days, given.events)
    finally:
        shutil.rmtree(folder)
    print("\n".join(lines))
    if given.markdown:
        with given.markdown.open("a") as file:
            file.write("\n" + "\n".join(lines) + "\n")


def measure(folder: Path, days: int, events: int) -> list[str]:
    """The whole of it; a list of lines for people."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = int(listening.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "iterable_pipelines.cli"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ITERABLE_", "DAGSTER_"))}
    environment |= {
        "ITERABLE_PROJECT_ROOT": str(folder),
        "ITERABLE_API_KEY": "sandbox",
        "ITERABLE_BASE_URL": url,
        "ITERABLE_START_DATE": hour_key(START),
        "ITERABLE_SKIP_USERS": "true",
    }
    stop, seen, took = threading.Event(), list[str](), list[float]()
    copy = folder / "data" / "iterable.read.duckdb"
    span = ["--from", hour_key(START), "--to", hour_key(START + timedelta(days=days)), "--stream", STREAM]
    server = [sys.executable, __file__, "--serve", str(port), "--days", str(days), "--events", str(events)]
    with process(*server):
        time.sleep(5)
        # the readers' copy is there from the first hour on
        hour = hour_of(now()) - HOUR
        first = ["--from", hour_key(hour), "--to", hour_key(hour + HOUR), "--stream", STREAM]
        subprocess.run([*command, "backfill", *first], env=environment, check=True, capture_output=True)
        beside = [
            threading.Thread(target=read_all_the_while, args=(copy, stop, seen)),
            threading.Thread(target=import_each_hour, args=(command, environment, stop, took)),
        ]
        for thread in beside:
            thread.start()
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.Popen([*command, "backfill", *span], env=environment, text=True)
        peak = watch(done)
        wall = time.monotonic() - begun
        stop.set()
        for thread in beside:
            thread.join()
        cpu = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before.ru_utime
        asked = requests_of(url)
    rows = count(folder)
    begun = time.monotonic()
    subprocess.run([*command, "rebuild"], env=environment, check=True, capture_output=True)
    rebuilt = time.monotonic() - begun
    return [
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}: {days} days of {STREAM}, "
        f"{rows:,} events in {days * 24:,} hours",
        "",
        "| what | figure |",
        "|---|---|",
        f"| exit code of the backfill | {done.returncode} |",
        f"| wall, everything included | {wall / 60:.1f} minutes |",
        f"| CPU of all processes beside the sandbox | {cpu / 60:.1f} minutes |",
        f"| peak memory of the backfill | {peak:,} MiB |",
        *(f"| {name} | {number:,} |" for name, number in asked.items()),
        f"| hourly imports beside it | {len(took)}, {sum(each < 0 for each in took)} failed, the slowest "
        f"{max(took, default=0):.0f} s |",
        f"| readers that opened the copy meanwhile | {len(seen)}, {sum(each != 'ok' for each in seen)} failed |",
        f"| rebuild of streams and profiles from landing | {rebuilt / 60:.1f} min, {rows / rebuilt:,.0f} events/s |",
    ]


def watch(child: subprocess.Popen[str]) -> int:
    """Wait for the process; the peak memory of it and of its children, MiB."""
    peak = 0
    status = Path(f"/proc/{child.pid}/status")
    while child.poll() is None:
        try:
            line = next(each for each in status.read_text().splitlines() if each.startswith("VmHWM"))
            peak = max(peak, int(line.split()[1]) // 1024)
        except (OSError, StopIteration):
            pass
        time.sleep(0.5)
    return peak


def count(folder: Path) -> int:
    """The events in the table, read once everything is at rest."""
    import duckdb

    with duckdb.connect(folder / "data" / "iterable.duckdb", read_only=True) as con:
        return int(con.execute(_COUNT).fetchall()[0][0])


if __name__ == "__main__":
    main()
