"""How many webhooks a second are received, how fast they are answered, and that none which was answered 2xx is lost.

    python benchmarks/webhooks.py [--rate 2000] [--seconds 60] [--connections 32] [--kill 50]

The generator (this process) sends distinct bodies over keep-alive connections to `iterable-pipelines webhooks` on the
same cores, by the clock: a body that leaves late because the one before was answered late counts from when it was due.
With --kill the receiver is killed (SIGKILL) so many times at random moments under load and started again, and what got
no 2xx is sent again. In the end every body that was answered 2xx must be in the spool, once and byte
for byte, and nothing else; then, landed and loaded, a row of one of the tables each. Ends with 1 if not.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from iterable_pipelines.data_types import ACTIVITY_STREAMS
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.streams.webhooks import load_webhooks
from iterable_pipelines.webhooks.body import read_body
from iterable_pipelines.webhooks.land import land
from iterable_pipelines.webhooks.spool import Spool

START = datetime(2026, 11, 1, tzinfo=UTC)
TOKEN = "a-token-of-the-benchmark"
_KINDS = ("emailSend", "emailOpen", "emailClick", "pushSend", "emailSendSkip", "inAppOpen", "smsReceived")
_PAUSE = 0.02


def body_of(number: int) -> bytes:
    """One of the bodies, the same for the same number, of the shape and size that Iterable sends (api.md 7)."""
    chance = random.Random(number)
    email, campaign = f"person{chance.randrange(200_000)}@example.com", 700_000 + chance.randrange(500)
    fields = {
        "campaignId": campaign,
        "campaignName": f"Campaign {campaign}",
        "workflowId": chance.choice([None, 53505]),
        "workflowName": None,
        "templateName": f"Template {campaign}",
        "locale": None,
        "channelId": 67391,
        "messageTypeId": 83299,
        "experimentId": None,
        "labels": [],
        "emailSubject": "Here is what came in this week – see for yourself",
        "userAgent": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "ip": f"66.249.{chance.randrange(256)}.{chance.randrange(256)}",
        "templateId": campaign + 100_000,
        "userAgentDevice": "Gmail",
        "email": email,
        "createdAt": f"2026-11-01 {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02} +00:00",
        "messageId": f"{chance.getrandbits(128):032x}",
        "emailId": f"c{campaign}:t{campaign + 100_000}:{email}",
    }
    return json.dumps({"email": email, "eventName": chance.choice(_KINDS), "dataFields": fields}).encode()


class Process:
    """The receiver: started, killed, started again, always on the same port and the same spool."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.spool = folder / "data" / "webhooks" / "spool.db"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ITERABLE_", "DAGSTER_"))}
        self._environment = kept | {"ITERABLE_PROJECT_ROOT": str(folder), "ITERABLE_WEBHOOK_TOKEN": TOKEN}

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [sys.executable, "-m", "iterable_pipelines.cli", "webhooks", "--port", str(self.port)]
        self._process = subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, text=True)
        said = self._process.stdout.readline()  # type: ignore[union-attr]
        if not said.startswith("Receiving webhooks"):
            raise SystemExit(f"the receiver did not start: {said}")

    def end(self, number: signal.Signals) -> int:
        """Send it a signal, and wait until it is gone."""
        self._process.send_signal(number)
        self._process.communicate()
        return self._process.returncode

    def resident(self) -> int:
        """MiB of memory that it has."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 1024**2


@dataclass
class Load:
    """Bodies to send, and what became of them."""

    rate: float
    connections: int
    # None: until `stop`
    count: int | None
    patient: bool
    stop: bool = False
    sent: int = 0
    again: int = 0
    refused: int = 0
    acknowledged: set[int] = field(default_factory=set)
    latencies: list[float] = field(default_factory=list)

    async def send(self, port: int) -> None:
        """Send at the rate; return when all were answered."""
        began = time.perf_counter()
        await asyncio.gather(*(self._connection(port, number, began) for number in range(self.connections)))

    async def _connection(self, port: int, first: int, began: float) -> None:
        streams = None
        for number in self._numbers(first):
            due = began + number / self.rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            body = body_of(number)
            self.sent += 1
            while True:
                try:
                    streams = streams or await asyncio.open_connection("127.0.0.1", port)
                    status, stays = await _post(*streams, body)
                except (OSError, asyncio.IncompleteReadError):
                    status, stays = 0, False
                if not stays:
                    if streams:
                        streams[1].close()
                    streams = None
                if status == 200:
                    self.acknowledged.add(number)
                    self.latencies.append(time.perf_counter() - due)
                    break
                self.refused += 1
                if not self.patient:
                    break
                self.again += 1
                await asyncio.sleep(_PAUSE)
        if streams:
            streams[1].close()

    def _numbers(self, first: int) -> Iterator[int]:
        number = first
        while not self.stop and (self.count is None or number < self.count):
            yield number
            number += self.connections


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> tuple[int, bool]:
    """The status, and whether the connection stays."""
    writer.write(
        b"POST /webhooks HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (TOKEN.encode(), len(body), body)
    )
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head[9:12]), b"connection: close" not in head


async def kill_often(process: Process, times: int, load: Load) -> None:
    """Kill and start the receiver while the load goes on, and end the load after that."""
    chance = random.Random()
    for _ in range(times):
        before = len(load.acknowledged)
        while len(load.acknowledged) == before:
            await asyncio.sleep(0.01)
        await asyncio.sleep(chance.uniform(0, 0.5))
        await asyncio.to_thread(process.end, signal.SIGKILL)
        await asyncio.to_thread(process.start)
    load.stop = True


def compare(spool: Path, load: Load) -> str:
    """What is wrong with the spool after a load; nothing, when every 2xx is in it once and it holds nothing else."""
    with closing(sqlite3.connect(spool)) as con:
        stored = [raw for (raw,) in con.execute("select raw from bodies")]
    acknowledged = {body_of(number) for number in load.acknowledged}
    lost, more = len(acknowledged - set(stored)), len(stored) - len(set(stored))
    # all are sent until they are acknowledged, except where nobody is patient
    strange = 0 if not load.patient else len(set(stored) - acknowledged)
    return f"{lost} lost, {more} twice, {strange} that nobody sent" if lost or more or strange else ""


def compare_rows(folder: Path, load: Load) -> str:
    """What is wrong with the tables of streams once the spool has landed and is loaded; nothing, when all is there."""
    settings = Settings(project_root=folder, start_date=START)
    spool, manifest, warehouse = Spool(settings.spool_path), Manifest.of(settings), Warehouse.of(settings)
    while spool.queued(1):
        land(spool, manifest, settings, "benchmark", log=_silent)
    warehouse.prepare()
    load_webhooks(warehouse, manifest, settings, "benchmark", log=_silent)
    rows = " union all ".join(f"select _webhook_id from streams.{stream.name}" for stream in ACTIVITY_STREAMS)
    stored = [digest for (digest,) in warehouse.read(rows)]
    acknowledged = {read_body(body_of(number)).digest for number in load.acknowledged}
    lost, more = len(acknowledged - set(stored)), len(stored) - len(set(stored))
    return f"of the tables: {lost} lost, {more} twice" if lost or more else ""


def _silent(text: str) -> None:
    pass


def main() -> None:
    """Run, print what came out, and say whether anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=2000, help="bodies a second")
    parser.add_argument("--seconds", type=float, default=60, help="how long, where nothing is killed")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--kill", type=int, default=0, metavar="TIMES", help="kill the receiver so many times")
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    count = None if given.kill else int(given.rate * given.seconds)
    load = Load(given.rate, given.connections, count, patient=bool(given.kill))
    with tempfile.TemporaryDirectory(prefix="benchmark-webhooks-") as folder:
        process = Process(Path(folder))
        process.start()
        before, began = process.resident(), time.perf_counter()

        async def run() -> None:
            killing = [kill_often(process, given.kill, load)] if given.kill else []
            await asyncio.gather(load.send(process.port), *killing)

        asyncio.run(run())
        took, after = time.perf_counter() - began, process.resident()
        left = process.end(signal.SIGTERM)
        wrong = compare(process.spool, load) or compare_rows(Path(folder), load)
    late = sorted(load.latencies)
    p50, p99 = (late[int(len(late) * share)] * 1000 for share in (0.5, 0.99))
    lines = [
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}: {load.sent:,} webhooks, "
        f"{given.rate:,.0f} a second due, over {given.connections} connections; {given.kill} times killed",
        "",
        "| 2xx | a second | not 2xx | sent again | p50 ms | p99 ms | slowest ms | MiB before | MiB after |",
        "|---|---|---|---|---|---|---|---|---|",
        f"| {len(load.acknowledged):,} | {len(load.acknowledged) / took:,.0f} | {load.refused:,} | {load.again:,} | "
        f"{p50:.1f} | {p99:.1f} | {late[-1] * 1000:.1f} | {before} | {after} |",
        "",
        wrong
        or f"all {len(load.acknowledged):,} that were answered 2xx are in the spool once, and nothing else; "
        "loaded, each is one row",
    ]
    print("\n".join(lines))
    if given.markdown:
        with given.markdown.open("a") as file:
            file.write("\n" + "\n".join(lines) + "\n")
    sys.exit(1 if wrong or left else 0)


if __name__ == "__main__":
    main()
