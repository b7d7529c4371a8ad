"""Takes the pictures of docs/ from a real UI in headless Chromium, so that they stay true: `make screenshots`.

Imports the demo into a folder of its own, starts the UI on it, and walks through what a person does: look at the
lineage, materialize an hour, backfill a day as one run, plant a fault and see the check turn red, and green after the
retry. Runs are launched through the UI's own GraphQL; each picture is of the page that a person would look at then.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from iterable_pipelines.hours import hour_key, hour_of, now
from iterable_pipelines.streams import Warehouse

DOCS = Path(__file__).resolve().parent
STREAM = "iterable_activity"
_PATIENCE_SECONDS = 240
_LAUNCH = """mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_BACKFILL = """mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_RUNS = "{ runsOrError { ... on Runs { results { runId status tags { key value } } } } }"


class Ui:
    """The UI under `url`: asked through GraphQL, looked at through `page`."""

    def __init__(self, url: str, page: Any) -> None:
        self.url, self.page = url, page

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
        if "errors" in found:
            raise SystemExit(f"the UI answered: {found['errors'][0]['message']}")
        return found["data"]

    def picture(self, path: str, name: str, prepare: Callable[[Any], None] | None = None) -> None:
        self.page.goto(self.url + path)
        self.page.wait_for_timeout(5000)
        if prepare:
            prepare(self.page)
            self.page.wait_for_timeout(2000)
        self.page.screenshot(path=DOCS / f"{name}.png")
        print(f"docs/{name}.png", flush=True)

    def runs(self) -> list[dict[str, Any]]:
        return list(self.ask(_RUNS)["runsOrError"]["results"])

    def launch(self, keys: list[list[str]], hour: str, checks: list[str] = ()) -> str:
        """Start a run of these assets, or of these checks of the first of them, for one hour; wait for its end."""
        selector = {
            "repositoryLocationName": "iterable_pipelines",
            "repositoryName": "__repository__",
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [] if checks else [{"path": key} for key in keys],
            "assetCheckSelection": [{"assetKey": {"path": keys[0]}, "name": name} for name in checks],
        }
        tags = [{"key": "dagster/partition", "value": hour}]
        given = {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}, "runConfigData": "{}"}
        launched = self.ask(_LAUNCH, p=given)["launchRun"]
        if "run" not in launched:
            raise SystemExit(f"the run was not launched: {launched}")
        run_id = str(launched["run"]["runId"])
        self.wait(
            lambda: next(run["status"] for run in self.runs() if run["runId"] == run_id) in ("SUCCESS", "FAILURE")
        )
        return run_id

    def wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not done():
            if time.monotonic() > deadline:
                raise SystemExit(f"not done after {_PATIENCE_SECONDS} s")
            time.sleep(2)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The demo's data and the UI on it, stopped by its process id at the end."""
    command = [sys.executable, "-m", "iterable_pipelines.cli"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ITERABLE_")}
    environment |= {"ITERABLE_DATA_DIR": str(folder), "ITERABLE_PROJECT_ROOT": str(folder)}
    subprocess.run([*command, "demo"], env=environment, check=True, stdout=subprocess.DEVNULL)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (folder / "dev.log").open("w") as log:
        server = subprocess.Popen([*command, "dev", "--port", str(port)], env=environment, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5).close()
                    break
                except OSError:
                    if time.monotonic() > deadline or server.poll() is not None:
                        raise SystemExit(f"the UI did not start: see {folder}/dev.log") from None
                    time.sleep(1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=60)


def walk(ui: Ui, folder: Path) -> None:
    """Every picture, in the order in which a person would meet it."""
    last = hour_of(now()) - timedelta(hours=1)
    hour, asset = hour_key(last - timedelta(hours=5)), f"/assets/streams/{STREAM}"
    both = [["landing", STREAM], ["streams", STREAM]]
    ui.picture("/asset-groups", "lineage")
    ui.picture("/automation", "automation")

    run = ui.launch(both, hour)
    ui.picture(f"/runs/{run}", "materialize")

    before = {each["runId"] for each in ui.runs()}
    hours = [hour_key(last - timedelta(hours=n)) for n in range(23, -1, -1)]
    params = {"assetSelection": [{"path": key} for key in both], "partitionNames": hours, "title": "a day"}
    ui.ask(_BACKFILL, p=params)

    def of_the_day() -> list[dict[str, Any]]:
        tagged = [run for run in ui.runs() if run["runId"] not in before]
        return [run for run in tagged if any(tag["key"] == "dagster/backfill" for tag in run["tags"])]

    ui.wait(lambda: any(run["status"] == "SUCCESS" for run in of_the_day()))
    if len(of_the_day()) != 1:
        raise SystemExit(f"a day took {len(of_the_day())} runs, not one")
    ui.picture("/runs", "backfill")

    warehouse = Warehouse(folder / "demo" / "iterable.duckdb", folder / "demo" / "iterable.read.duckdb")
    warehouse.read(f"delete from streams.{STREAM} where _hour = ? and hash(event_id) % 2 = 0", [hour[:13] + ":00:00"])
    ui.launch([["streams", STREAM]], hour, ["rows_match_manifest", "inside_its_hour", "unique_event_id"])
    ui.picture(f"{asset}?view=checks&checkDetail=rows_match_manifest", "check-red")
    ui.launch(both, hour)
    ui.launch([["streams", STREAM]], hour, ["rows_match_manifest", "inside_its_hour", "unique_event_id"])
    ui.picture(f"{asset}?view=checks&checkDetail=rows_match_manifest", "check-green")
    ui.picture("/assets/profiles/user_profiles?view=overview", "profile")


def main() -> None:
    """Take every picture. Needs Debian's chromium and PyPI's playwright, and says so."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        raise SystemExit("no browser found. Next: apt install chromium, then make screenshots")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise SystemExit(
            "playwright is missing. Next: .venv/bin/pip install playwright, then make screenshots"
        ) from None
    # as root a browser has no sandbox of its own; the others keep it from calling home
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with tempfile.TemporaryDirectory(prefix="screenshots-") as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        browser = playwright.chromium.launch(executable_path=chromium, args=[*quiet, "--disable-sync"])
        with served(folder) as url:
            walk(Ui(url, browser.new_page(viewport={"width": 1600, "height": 1000})), folder)
        browser.close()


if __name__ == "__main__":
    main()
