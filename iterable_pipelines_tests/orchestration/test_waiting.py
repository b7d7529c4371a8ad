"""A backfill whose export jobs take their time: nobody holds a worker for them, and it goes on and ends by itself."""

import json
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import duckdb

from iterable_pipelines.data_types import STREAM
from iterable_pipelines.hours import HOUR, Window, hour_key, parse_hour
from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines_tests.cli.command import Command
from iterable_pipelines_tests.cli.test_dev import answer, free_port

START = parse_hour("2026-11-01")
WINDOW = Window(START, START + 72 * HOUR)
STREAM_NAME = "iterable_rcs_activity"
LAUNCH = """mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
STATE = """{ runsOrError { ... on Runs { results { runId status tags { key value } } } }
    partitionBackfillsOrError { ... on PartitionBackfills { results { status } } } }"""


def ask(url: str, process: subprocess.Popen[str], query: str, **variables: Any) -> dict[str, Any]:
    body = json.dumps({"query": query, "variables": variables}).encode()
    answered: dict[str, Any] = json.loads(answer(f"{url}/graphql", process, body))
    assert "errors" not in answered, answered
    return dict(answered["data"])


def state(url: str, process: subprocess.Popen[str]) -> tuple[str, list[tuple[str, str | None]]]:
    """The backfill's status, and each run's with what its tag says of export jobs; the newest run first."""
    found = ask(url, process, STATE)
    runs = [
        (run["status"], {tag["key"]: tag["value"] for tag in run["tags"]}.get("iterable/export_jobs"))
        for run in found["runsOrError"]["results"]
    ]
    (backfill,) = found["partitionBackfillsOrError"]["results"]
    return backfill["status"], runs


def hear(pipe: IO[str]) -> None:
    """Read until nobody writes, or the test is over."""
    with suppress(ValueError):
        while pipe.readline():
            pass


def test_a_backfill_waits_in_the_queue_for_its_export_jobs_and_ends_well(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running_sandbox(users=40, start=START, end=START + 9 * 24 * HOUR, relaxed=True, job_seconds=20) as sandbox:
        command = Command(
            tmp_path, api_key=sandbox.key, base_url=sandbox.url, requests_relaxed="true", start_date="2026-11-01",
            keep_updated="false",
        )  # fmt: skip
        with command.start("dev", "--port", str(port)) as process:
            # what it says must be taken from it, or it stops when the pipe is full
            for pipe in filter(None, (process.stdout, process.stderr)):
                threading.Thread(target=hear, args=(pipe,), daemon=True).start()
            assets = [{"path": [stage, STREAM_NAME]} for stage in ("landing", "streams")]
            partitions = [hour_key(hour) for hour in WINDOW.hours()]
            launched = ask(url, process, LAUNCH, p={"assetSelection": assets, "partitionNames": partitions})
            assert launched["launchPartitionBackfill"]["__typename"] == "LaunchBackfillSuccess"
            seen = [state(url, process)]
            while seen[-1][0] == "REQUESTED":
                assert len(seen) < 600, seen[-1]
                time.sleep(0.5)
                if (now := state(url, process)) != seen[-1]:
                    seen.append(now)
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=120)
        expected = {
            data_type: len(list(sandbox.world.records(data_type, WINDOW)))
            for data_type in STREAM[STREAM_NAME].data_types
        }
        asked = [each.path for each in sandbox.requests("/api/export") if each.method == "POST"]
    # while Iterable worked there was a run that waited in the queue, and none that was at work
    assert ("REQUESTED", [("QUEUED", "waiting"), ("SUCCESS", None)]) in seen
    assert seen[-1] == ("COMPLETED_SUCCESS", [("SUCCESS", "ready"), ("SUCCESS", None)])
    assert asked == ["/api/export/start"] * 2
    with duckdb.connect(tmp_path / "data" / "iterable.duckdb", read_only=True) as con:
        rows = dict(con.execute(f"select data_type, count(*) from streams.{STREAM_NAME} group by all").fetchall())
    assert rows == expected and sum(rows.values()) > 0
