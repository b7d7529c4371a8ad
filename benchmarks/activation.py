"""How fast a million users reach Iterable, with how much memory; or, killed often, whether everything arrives once.

    python benchmarks/activation.py [--rows 1000000] [--markdown benchmarks/RESULTS.md]
    python benchmarks/activation.py --kill 200 [--rows 20000]

The sandbox runs in this process, with Iterable's limits, each run of the sync in one of its own. Users are upserted:
all of them, then nothing has changed, then one per cent. With --kill the runs of a sync of users and of one of events
are killed (SIGKILL) at random moments while a tenth of the answers are lost and rows change and come; after each kill
every row must be somewhere, and what is acknowledged must have arrived; in the end the sandbox must hold what a calm
run brings. Ends with 1 if anything is wrong.
"""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# the tests are no part of what is installed
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from iterable_pipelines_tests.activation.conftest import QUICK, Activation, empty_project
from iterable_pipelines_tests.activation.send.test_killed import (
    SYNCS,
    check,
    process,
    wait_for_state,
)

_ALLOWED = 5
_USERS = """
object: user
source: shop.people
primary_key: id
match: {column: email, field: email}
fields: {first_name: firstName, city: city, orders: orders, lifetime_value: lifetimeValue, last_seen: lastSeen}
guards: {max_new_fields: 10}
"""
_PROGRAM = """
import json, re, sys
from pathlib import Path
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.run import run_sync
from iterable_pipelines.settings import load_settings

settings = load_settings()
(sync,) = load_syncs(settings)
report = run_sync(settings, sync, Options(approve=tuple(sys.argv[1:])), lambda text: None)
# not ru_maxrss, which begins with that of whoever started this process
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
print(json.dumps(report.as_json() | {"peak": peak}))
"""


def people(rows: int, changed: int) -> str:
    """The query of so many users, of whom the first so many are not as they were."""
    return (
        "select i as id, 'person' || i || '@example.com' as email, 'Name ' || i % 997 as first_name, "
        f"'City ' || (i % 331 + if(i < {changed}, 1, 0)) as city, i % 17 as orders, "
        f"(i % 9973) / 7.0 as lifetime_value, timestamp '2026-11-01' + interval (i % 86400) seconds as last_seen "
        f"from range({rows}) t(i)"
    )


@contextmanager
def project_of(folder: Path, project_type: str, **options: Any) -> Iterator[Activation]:
    """A project in a folder, and an empty sandbox for it."""
    folder.mkdir(exist_ok=True)
    with empty_project(folder, project_type, **options) as (settings, sandbox):
        yield Activation(settings, sandbox, said=[])


def run(project: Activation, *approve: str) -> dict[str, Any]:
    """Run the sync in a process; its report, with the seconds it took and its peak of memory in MiB.

    `approve` are guards that let it pass.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ITERABLE_")} | {
        "ITERABLE_PROJECT_ROOT": str(project.settings.project_root),
        "ITERABLE_DATA_DIR": str(project.settings.data_dir),
        "ITERABLE_API_KEY": project.sandbox.key,
        "ITERABLE_BASE_URL": project.sandbox.url,
        "ITERABLE_PROJECT_TYPE": project.settings.project_type,
    }
    project.sandbox.log.clear()
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _PROGRAM, *approve], env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1]) | {"seconds": time.perf_counter() - began}


def pace(project: Activation) -> tuple[float, int]:
    """Of the allowed requests the share that was used while it was sent, and the busiest second, for the sandbox."""
    moments = [each.monotonic for each in project.sandbox.requests("/api/users/bulkUpdate")]
    took = moments[-1] - moments[0]
    busiest = max(sum(start <= each < start + 1 for each in moments) for start in moments)
    return (len(moments) - 1) / took / _ALLOWED if took else 0.0, busiest


def load(rows: int) -> tuple[list[str], list[str]]:
    """All users, none, one per cent; and a tenth as many, for the memory. Lines to show, and what is wrong."""
    table, wrong = [], []
    peaks = {}
    for number in (rows // 10, rows):
        with (
            tempfile.TemporaryDirectory(prefix="benchmark-activation-") as folder,
            project_of(Path(folder), "email") as project,
        ):
            project.sync("people", _USERS)
            for what, changed in (("all", 0), ("none", 0), ("one per cent", number // 100)):
                project.table("shop.people", people(number, changed))
                report = run(project)
                acked = sum(kinds.get("acked", 0) + kinds.get("noop", 0) for kinds in report["counts"].values())
                share, busiest = pace(project) if report["requests"] >= 20 * _ALLOWED else (0.0, 0)
                table.append(
                    f"| {number:,} | {what} | {acked:,} | {report['requests']:,} | {report['seconds']:.1f} | "
                    f"{acked / report['seconds']:,.0f} | {f'{share:.0%}' if share else ''} | {busiest or ''} | "
                    f"{report['http_429']} | {report['peak']} |"
                )
                expected = {"all": number, "none": 0, "one per cent": changed}[what]
                most = -(-expected // 1000) + (2 if what == "one per cent" else 0)
                if report["status"] != "succeeded" or acked != expected or report["requests"] > most:
                    wrong.append(f"{number:,} users, {what}: {report}")
                peaks.setdefault(number, report["peak"])
    lines = [
        "| users | changed | acknowledged | requests | s | users/s | of 5/s used | busiest second | 429 | peak MiB |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *table,
        "",
        f"ten times as many users take {peaks[rows] / peaks[rows // 10]:.2f} times the memory",
    ]
    return lines, wrong


def shoppers(rows: int, generation: int) -> str:
    """People, ever more of them, a third of whom change with each generation."""
    return (
        f"select i as id, 'u' || i as user_id, 'city ' || if(i % 3 = {generation} % 3, {generation}, 0) as city, "
        f"timestamp '2026-11-01' as at from range({rows + 100 * generation}) t(i)"
    )


def kill(times: int, rows: int, seed: int) -> tuple[list[str], list[str]]:
    """Kill runs at random moments. Lines to show, and what is wrong."""
    chance, lengths, generation = random.Random(seed), dict.fromkeys(SYNCS, 3.0), 0
    killed = finished = 0
    with tempfile.TemporaryDirectory(prefix="benchmark-activation-") as folder:
        with project_of(Path(folder), "userid", pace=QUICK, unknown_users="created") as project:
            for name, text in SYNCS.items():
                # what an event says does not change
                project.sync(name, text.replace("fields: {city: city}\n", "") if name == "visits" else text)
            project.table("shop.people", shoppers(rows, 0))
            project.sandbox.fault("lost_answer", "/api/", times=None, probability=0.1, seed=seed)
            while killed < times:
                name = chance.choice(list(SYNCS))
                running = process(project, name)
                began = time.monotonic()
                wait_for_state(project, name)
                try:
                    running.wait(chance.random() * lengths[name])
                    finished += 1
                    lengths[name] = time.monotonic() - began
                    generation += 1
                    project.table("shop.people", shoppers(rows, generation))
                except subprocess.TimeoutExpired:
                    running.kill()
                    killed += 1
                running.communicate()
                check(project, name)
            project.sandbox.faults.clear()
            reports = [project.run(name) for name in (*SYNCS, *SYNCS)]
            lost = project.sandbox.world.snapshot_of_writes()
        with project_of(Path(folder) / "calm", "userid", pace=QUICK, unknown_users="created") as calm:
            for name in SYNCS:
                calm.sync(name, (project.settings.project_root / "syncs" / f"{name}.yml").read_text())
            calm.table("shop.people", shoppers(rows, generation))
            for name in SYNCS:
                calm.run(name)
            whole = calm.sandbox.world.snapshot_of_writes()
    wrong = [f"{part} differ from a calm run" for part in whole if lost[part] != whole[part]]
    wrong += [f"{each.status}: {each.note}" for each in reports if each.status != "succeeded"]
    if any(each.requests for each in reports[2:]):
        wrong.append("a run with nothing changed sent something")
    lines = [
        f"{killed} runs killed at random moments, {finished} ended by themselves, a tenth of the answers lost; "
        f"{len(whole['profiles']):,} users and {len(whole['events']):,} events of {generation + 1} generations: "
        + ("not as a calm run leaves them" if wrong else "exactly what a calm run leaves")
    ]
    return lines, wrong


def tell(found: list[str], wrong: list[str], markdown: Path | None) -> None:
    """Print what came out, append it to a file, and end with 1 if anything was wrong."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    lines = [f"{machine}, sandbox and sync beside each other", "", *found, *wrong]
    print("\n".join(lines))
    if markdown:
        with markdown.open("a") as file:
            file.write("\n" + "\n".join(lines) + "\n")
    sys.exit(1 if wrong else 0)


def main() -> None:
    """Run, print what came out, and say whether anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--kill", type=int, default=0, metavar="TIMES", help="kill runs so many times")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    if given.kill:
        found, wrong = kill(given.kill, given.rows or 20_000, given.seed)
    else:
        found, wrong = load(given.rows or 1_000_000)
    tell(found, wrong, given.markdown)


if __name__ == "__main__":
    main()
