"""Takes the pictures of docs/ from a real UI in headless Chromium, so that they stay true: `make screenshots`.

Imports the demo into a folder of its own, starts the UI on it, and walks through what a person does: look at the
lineage, materialize an hour of a stream, backfill a day as one run, wait for the hourly schedule, plant a fault and see
the check turn red, and green after the retry. Runs are launched by clicking, all but those of the checks alone.
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

from iterable_pipelines.data_types import STREAM as DATA_STREAM
from iterable_pipelines.hours import hour_key, hour_of, now
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.streams.checks import checks_of

DOCS = Path(__file__).resolve().parent
STREAM = "iterable_activity"
# one of the example syncs
SYNC = min((DOCS / "syncs-examples").glob("*.yml")).stem
_PATIENCE_SECONDS = 240
_LAUNCH = """mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_TICKS = """{ scheduleOrError(scheduleSelector: {repositoryLocationName: "iterable_pipelines",
  repositoryName: "__repository__", scheduleName: "import_the_last_hour"}) {
  ... on Schedule { scheduleState { ticks { status } } } } }"""
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

    def materialize(self, path: str, hour: str | None, picture: str | None = None) -> list[dict[str, Any]]:
        """Click through the page's dialog for one hour, or for all; wait for the end. Returns the runs that came of it.

        `picture` is taken of the dialog.
        """
        before = {run["runId"] for run in self.runs()}
        self.page.goto(self.url + path)
        self.page.get_by_role("button", name="Materialize").first.click(timeout=30_000)
        if hour:
            self.page.get_by_placeholder("No matching partitions").fill(hour)
            self.page.keyboard.press("Enter")
        else:
            self.page.get_by_role("button", name="All", exact=True).click()
        self.page.wait_for_timeout(2000)
        if picture:
            self.page.screenshot(path=DOCS / f"{picture}.png")
            print(f"docs/{picture}.png", flush=True)
        self.page.locator("button", has_text="Launch").last.click()

        def made() -> list[dict[str, Any]]:
            # the schedules and the profiles go on meanwhile
            mine = (
                ("dagster/backfill",) if hour is None else ("dagster/partition", "dagster/asset_partition_range_start")
            )
            fresh = [run for run in self.runs() if run["runId"] not in before]
            return [
                run
                for run in fresh
                if any(tag["key"] in mine for tag in run["tags"])
                and not any(tag["key"] == "dagster/schedule_name" for tag in run["tags"])
            ]

        self.wait(lambda: bool(made()) and all(run["status"] in ("SUCCESS", "FAILURE") for run in made()))
        if any(run["status"] == "FAILURE" for run in made()):
            raise SystemExit(f"a run of {path} failed: {made()}")
        return made()

    def check(self, asset: list[str], hour: str, checks: list[str]) -> None:
        """Ask these checks of an asset for one hour, without loading it again; wait for the end."""
        selector = {
            "repositoryLocationName": "iterable_pipelines",
            "repositoryName": "__repository__",
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [],
            "assetCheckSelection": [{"assetKey": {"path": asset}, "name": name} for name in checks],
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

    def ticked(self) -> bool:
        """Whether the hourly schedule has ticked since the UI was started."""
        ticks = self.ask(_TICKS)["scheduleOrError"]["scheduleState"]["ticks"]
        return any(tick["status"] == "SUCCESS" for tick in ticks)

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
    # the hourly schedule is to tick while we look on
    environment["ITERABLE_FRESH_AFTER_MINUTES"] = str((now() + timedelta(minutes=2)).minute)
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
    hour = hour_key(hour_of(now()) - timedelta(hours=6))
    # they are one step, which runs as a whole or not at all
    checks = [check.name for check in checks_of(DATA_STREAM[STREAM])]
    shown = f"/assets/streams/{STREAM}?view=checks&checkDetail={checks[0]}"
    ui.picture("/asset-groups", "lineage")
    ui.picture("/automation", "automation")

    ui.materialize(f"/assets/landing/{STREAM}", hour, "launch")
    (run,) = ui.materialize(f"/assets/streams/{STREAM}", hour)
    ui.picture(f"/runs/{run['runId']}", "materialize")

    day = ui.materialize("/locations/iterable_pipelines/jobs/hourly_import", None)
    if len(day) != 1:
        raise SystemExit(f"a day took {len(day)} runs, not one")
    ui.picture("/runs", "backfill")

    ui.wait(ui.ticked)
    ui.picture("/locations/iterable_pipelines/schedules/import_the_last_hour", "schedule")

    warehouse = Warehouse(folder / "demo" / "iterable.duckdb", folder / "demo" / "iterable.read.duckdb")
    warehouse.read(f"delete from streams.{STREAM} where _hour = ? and hash(event_id) % 2 = 0", [hour + ":00:00"])
    ui.check(["streams", STREAM], hour, checks)
    ui.picture(shown, "check-red")
    ui.materialize(f"/assets/streams/{STREAM}", hour)
    ui.picture(shown, "check-green")
    ui.picture("/assets/profiles/user_profiles?view=overview", "profile")
    ui.picture("/assets/streams/completeness?view=overview", "completeness")

    # the demo has sent it already: these are its lineage, and what became of its rows
    ui.picture("/locations/iterable_pipelines/asset-groups/activation", "syncs")
    ui.picture(f"/assets/activation/{SYNC}?view=overview", "sync")


def main() -> None:
    """Take every picture. Needs Debian's chromium, and says so."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        raise SystemExit("no browser found. Next: apt install chromium, then make screenshots")
    # as root a browser has no sandbox of its own; the others keep it from calling home
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    # a run that the daemon began at the last moment may still be writing there
    scratch = tempfile.TemporaryDirectory(prefix="screenshots-", ignore_cleanup_errors=True)
    with scratch as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        browser = playwright.chromium.launch(executable_path=chromium, args=[*quiet, "--disable-sync"])
        with served(folder) as url:
            walk(Ui(url, browser.new_page(viewport={"width": 1600, "height": 1000})), folder)
        browser.close()


if __name__ == "__main__":
    main()
