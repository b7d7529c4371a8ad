"""A run that is killed at any point: the next one goes on, Iterable has everything once, and no row is lost."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from iterable_pipelines.activation.state import state_path
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines_tests.activation.conftest import Activation

KILLED = -9
ROWS = 2_500
# a program of its own, so that it can be killed
PROGRAM = """
import sys
from functools import partial
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.run import run_sync
from iterable_pipelines.settings import load_settings
from iterable_pipelines_tests.activation.conftest import AT_ONCE, quick_client

settings = load_settings()
(sync,) = [each for each in load_syncs(settings) if each.name == sys.argv[1]]
print(run_sync(settings, sync, Options(), print, partial(quick_client, settings, print), AT_ONCE).status)
"""
SYNCS = {
    "people": """
object: user
source: shop.people
primary_key: id
match: {column: user_id, field: userId}
fields: {city: city}
""",
    "visits": """
object: event
source: shop.people
primary_key: id
match: {column: user_id, field: userId}
event_name: {constant: Visit}
created_at: at
fields: {city: city}
first_run: backfill
""",
}
POINTS = (
    "activation_written_down",
    "activation_sending",
    "activation_answered",
    "activation_noted",
    "activation_merged",
    "activation_published",
)


@pytest.fixture
def shop(activation_project: Callable[..., Activation]) -> Callable[[], Activation]:
    """Makes a project with people, who are events too."""

    def make() -> Activation:
        project = activation_project("userid", unknown_users="created")
        for name, text in SYNCS.items():
            project.sync(name, text)
        project.table(
            "shop.people",
            "select i as id, 'u' || i as user_id, 'city ' || i % 7 as city, timestamp '2026-11-01' as at "
            f"from range({ROWS}) t(i)",
        )
        return project

    return make


def process(project: Activation, name: str, crash_at: str = "") -> subprocess.Popen[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ITERABLE_")} | {
        "ITERABLE_PROJECT_ROOT": str(project.settings.project_root),
        "ITERABLE_DATA_DIR": str(project.settings.data_dir),
        "ITERABLE_API_KEY": project.sandbox.key,
        "ITERABLE_BASE_URL": project.sandbox.url,
        "ITERABLE_PROJECT_TYPE": "userid",
        **({"ITERABLE_CRASH_AT": crash_at} if crash_at else {}),
    }
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, name],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def arrived(sandbox: Sandbox, name: str) -> set[str]:
    """The primary keys of what Iterable has."""
    writes = sandbox.world.snapshot_of_writes()
    if name == "people":
        return {user.removeprefix("u") for user, fields in writes["profiles"].items() if "city" in fields}
    return {each.removeprefix("wh:visits:") for each in writes["events"]}


def check(project: Activation, name: str) -> None:
    """Every row is somewhere, and what counts as acknowledged has arrived."""
    path = state_path(project.settings, name)
    if not path.exists():
        return
    runs = project.state("select run_id, rows from state.runs where not merged", name)
    for run_id, rows in runs:
        standings = project.state(
            # what went again after a kill has an outcome more, and the newest counts
            "with newest as (from state.outcomes qualify row_number() over "
            "(partition by run_id, number order by noted_at desc, kind) = 1) "
            "select coalesce(kind, 'pending'), list(pk) from state.changes left join newest "
            f"using (run_id, number) where run_id = '{run_id}' group by 1",
            name,
        )
        assert sum(len(pks) for _, pks in standings) == rows, (name, rows, {kind: len(pks) for kind, pks in standings})
        acknowledged = {pk for kind, pks in standings if kind in ("acked", "accepted", "noop") for pk in pks}
        assert acknowledged <= arrived(project.sandbox, name)


@pytest.mark.parametrize("name", SYNCS)
@pytest.mark.parametrize("point", POINTS)
def test_s7_killed_there_everything_arrives_once(shop: Callable[[], Activation], name: str, point: str) -> None:
    project = shop()
    killed = process(project, name, point)
    _, err = killed.communicate(timeout=60)
    assert killed.returncode == KILLED and f"crashpoint {point}" in err, err
    check(project, name)

    assert project.run(name).status == "succeeded"

    assert arrived(project.sandbox, name) == {str(each) for each in range(ROWS)}
    ((acknowledged,),) = project.state("select count(*) from state.acked where member and not in_doubt", name)
    assert acknowledged == ROWS
    if name == "visits":
        # what may have arrived went again byte for byte
        bodies = {each.body for each in project.sandbox.requests("/api/events/trackBulk")}
        assert len(bodies) == len({json.loads(body)["events"][0]["id"] for body in bodies})
    before = len(project.requests())
    assert project.run(name).requests == 0
    assert len(project.requests()) == before


@pytest.mark.parametrize("name", SYNCS)
def test_s7_killed_again_and_again_with_answers_that_are_lost(shop: Callable[[], Activation], name: str) -> None:
    project = shop()
    project.sandbox.fault("lost_answer", "/api/", times=None, probability=0.1, seed=1)
    chance = random.Random(name)
    for _ in range(3):
        running = process(project, name)
        wait_for_state(project, name)
        time.sleep(chance.random() * 0.3)
        running.kill()
        running.communicate(timeout=60)
        check(project, name)
    project.sandbox.faults.clear()
    project.run(name)
    assert arrived(project.sandbox, name) == {str(each) for each in range(ROWS)}
    assert project.run(name).requests == 0


def wait_for_state(project: Activation, name: str) -> None:
    """Until the run has begun to write."""
    wal = Path(f"{state_path(project.settings, name)}.wal")
    for _ in range(600):
        with suppress(FileNotFoundError):
            if wal.stat().st_size:
                return
        time.sleep(0.01)
