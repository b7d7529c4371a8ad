"""How long it takes from a webhook's 2xx to the profile that it changes, and where the time goes.

    python benchmarks/webhook_to_profile.py [--rate 500] [--seconds 120] [--before 0] [--markdown FILE]

Bodies are posted to the receiver at `rate` a second; Dagster's own daemon runs the sensor `webhooks_arrived`, which
starts the job `webhooks`, all on the same cores. `--before` bodies of the same hour are in the
tables when it begins. When was each body received, landed, loaded, and part of a finished build of the profiles? The
tables say so themselves: nobody looks while the clock runs.
"""

import argparse
import http.client
import itertools
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg

from iterable_pipelines.cli.runs import prepare_home
from iterable_pipelines.hours import now
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles import run_models
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.streams.webhooks import load_webhooks
from iterable_pipelines.webhooks.arrived import JOB
from iterable_pipelines.webhooks.body import read_body
from iterable_pipelines.webhooks.land import land
from iterable_pipelines.webhooks.spool import Spool

_MIX = ["emailSend"] * 5 + ["emailOpen"] * 3 + ["emailClick", "pushSend", "pushOpen", "smsSend", "inAppOpen"]
_CONNECTIONS = 16
TOKEN = "a-token-of-the-benchmark"
_STEPS = ("received_at", "landed_at", "loaded_at", "built_at")


def body_of(moment: datetime, people: int) -> bytes:
    """A body such as Iterable sends, about one of so many people."""
    campaign, person = random.randrange(500), f"person{random.randrange(people)}@example.com"
    fields = {
        "email": person,
        "createdAt": f"{moment:%Y-%m-%d %H:%M:%S} +00:00",
        "campaignId": campaign,
        "templateId": campaign + 100_000,
        "messageId": f"{random.getrandbits(128):032x}",
        "campaignName": f"Campaign {campaign}",
        "templateName": f"Template {campaign}",
        "workflowId": None,
        "channelId": 67391,
        "messageTypeId": 83299,
        "experimentId": None,
        "labels": [],
        "emailSubject": "Here is what came in this week",
        "userAgent": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "emailId": f"c{campaign}:t{campaign + 100_000}:{person}",
    }
    return json.dumps({"email": person, "eventName": random.choice(_MIX), "dataFields": fields}).encode()


def fill(settings: Settings, bodies: int, people: int) -> None:
    """Bodies of this hour that are in all tables already."""
    spool, manifest, warehouse = Spool(settings.spool_path), Manifest.of(settings), Warehouse.of(settings)
    warehouse.prepare()
    for _ in range(0, bodies, 20_000):
        moment = now()
        spool.add([(read_body(body_of(moment, people)), moment) for _ in range(20_000)])
        land(spool, manifest, settings, "before", log=lambda text: None)
    load_webhooks(warehouse, manifest, settings, "before", log=lambda text: None)
    run_models(settings, warehouse, log=lambda text: None)


@contextmanager
def receiver() -> Iterator[int]:
    """The receiver, with the settings of the environment; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "iterable_pipelines.cli", "webhooks", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield port
        finally:
            process.send_signal(signal.SIGTERM)


def generate(port: int, rate: int, seconds: int, people: int) -> int:
    """Post bodies by the clock over keep-alive connections; returns how many were answered 2xx."""
    began = time.monotonic()

    def post(first: int) -> int:
        connection, accepted = http.client.HTTPConnection("127.0.0.1", port), 0
        for number in range(first, rate * seconds, _CONNECTIONS):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            connection.request("POST", "/", body_of(now(), people), {"Authorization": TOKEN})
            answer = connection.getresponse()
            answer.read()
            accepted += answer.status < 300
        return accepted

    with ThreadPoolExecutor(_CONNECTIONS) as threads:
        return sum(threads.map(post, range(_CONNECTIONS)))


@contextmanager
def daemon(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Dagster's daemon with that sensor on, and nothing else that would ask Iterable."""
    os.environ["DAGSTER_HOME"] = str(prepare_home(settings))
    workspace = ["-w", str(settings.checkout / "workspace.yaml")]
    with dg.DagsterInstance.get() as instance:
        instance.all_instigator_state()
        dagster = [sys.executable, "-m", "dagster"]
        subprocess.run([*dagster, "sensor", "start", "webhooks_arrived", *workspace], check=True, capture_output=True)
        log = (settings.data_dir / "daemon.log").open("w")
        process = subprocess.Popen(
            [Path(sys.executable).with_name("dagster-daemon"), "run", *workspace], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield instance
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def wait_until_all_is_built(settings: Settings, instance: dg.DagsterInstance, patience: float) -> None:
    """Until the spool is empty and no run is at work. Raises SystemExit when that takes too long."""
    began, spool = time.monotonic(), Spool(settings.spool_path)
    while time.monotonic() - began < patience:
        newest = instance.get_runs(dg.RunsFilter(job_name=JOB), limit=1)
        if not spool.queued(1) and newest and newest[0].is_finished:
            return
        time.sleep(1)
    raise SystemExit(f"not all is built after {patience:.0f} s: see {settings.data_dir}/daemon.log")


def measured(settings: Settings, begun_at: datetime) -> list[tuple]:  # type: ignore[type-arg]
    """For each step and for all: how many bodies, and the seconds of the middle one, of nine in ten, 99 %, and all."""
    warehouse, bodies = Warehouse.of(settings), str(settings.landing_dir / "webhooks" / "*" / "*.parquet")
    streams = warehouse.read("select table_name from duckdb_columns() where column_name = '_webhook_id'")
    rows = " union all ".join(f"select _webhook_id, _load_id, _loaded_at from streams.{name}" for (name,) in streams)
    landed = Manifest.of(settings).root / "manifest.db"
    found = []
    with warehouse.transaction() as con:
        con.execute("create temp table landed (path VARCHAR, landed_at TIMESTAMP)")
        with sqlite3.connect(landed) as manifest:
            con.executemany(
                "insert into landed values (?, ?)",
                manifest.execute("select path, landed_at from webhook_parts").fetchall(),
            )
        con.execute(
            "create temp table steps as select received_at, landed_at, _loaded_at as loaded_at, "
            "(select min(finished_at) from profiles.profile_builds where built_to >= _load_id) at time zone 'UTC' "
            f"as built_at from (select digest, received_at, parse_filename(filename) as name "
            f"from read_parquet('{bodies}', filename = true) where received_at >= $1) "
            f"join ({rows}) on digest = _webhook_id join landed on parse_filename(path) = name",
            [begun_at.replace(tzinfo=None)],
        )
        steps = [*itertools.pairwise(_STEPS), (_STEPS[0], _STEPS[-1])]
        for start, end in steps:
            taken = f"epoch({end} - {start})"
            found += con.execute(
                f"select '{start} to {end}', count(*), median({taken}), quantile_cont({taken}, 0.9), "
                f"quantile_cont({taken}, 0.99), max({taken}) from steps"
            ).fetchall()
    return found


def main() -> None:
    """Print the table, and add it to a file of markdown where asked; ends with 1 if a body is not in a profile."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--before", type=int, default=0)
    parser.add_argument("--markdown", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-webhooks-") as folder:
        for name in [name for name in os.environ if name.startswith("ITERABLE_")]:
            del os.environ[name]
        os.environ |= {
            "ITERABLE_API_KEY": "benchmark",
            "ITERABLE_BASE_URL": "http://127.0.0.1:9",
            "ITERABLE_PROJECT_ROOT": folder,
            "ITERABLE_START_DATE": f"{now() - timedelta(days=2):%Y-%m-%d}",
            "ITERABLE_KEEP_UPDATED": "false",
            "ITERABLE_WEBHOOK_TOKEN": TOKEN,
        }
        settings = load_settings()
        fill(settings, asked.before, asked.people)
        with daemon(settings) as instance, receiver() as port:
            begun_at = now()
            sent = generate(port, asked.rate, asked.seconds, asked.people)
            wait_until_all_is_built(settings, instance, 300)
            runs = [each for each in instance.get_run_records(dg.RunsFilter(job_name=JOB)) if each.start_time]
        table = ["| seconds | bodies | middle | 90 % | 99 % | all |", "|---|---|---|---|---|---|"]
        found = measured(settings, begun_at)
        for step, bodies, *seconds in found:
            table.append(f"| {step} | {bodies:,} | {' | '.join(f'{each:.1f}' for each in seconds)} |")
        lasting = sorted((each.end_time or 0) - (each.start_time or 0) for each in runs)
        failed = sum(each.dagster_run.status is not dg.DagsterRunStatus.SUCCESS for each in runs)
        said = (
            f"{sent:,} bodies at {asked.rate} a second, {asked.before:,} of the hour before; {len(runs)} runs of "
            f"{lasting[len(lasting) // 2]:.1f} s ({failed} failed)"
        )
    print(said, *table, sep="\n")
    if asked.markdown:
        with asked.markdown.open("a") as file:
            file.write("\n".join(["", said, "", *table, ""]))
    if found[-1][1] != sent or found[-1][-1] is None:
        raise SystemExit(f"{sent - found[-1][1]:,} bodies are not in the profiles")


if __name__ == "__main__":
    main()
