"""The benchmark in small: under load, whatever was answered 2xx is in the spool once, kills or not."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "webhooks.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, BENCHMARK, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("arguments", [("--rate", "200", "--seconds", "2"), ("--rate", "200", "--kill", "4")])
def test_what_was_answered_2xx_is_in_the_spool_once(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, "--connections", "16")
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.search(r"^all ([\d,]+) that .* are in the spool once.*, each is one row$", done.stdout, re.MULTILINE)
    assert told and int(told[1].replace(",", "")) > 100, done.stdout
    killed = "--kill" in arguments
    # a kill that hit nobody would prove nothing
    again = int(re.findall(r"^\|(?: [\d,.]+ \|){3} ([\d,]+) \|", done.stdout, re.MULTILINE)[0].replace(",", ""))
    assert (again > 0) == killed, done.stdout


def test_the_comparison_finds_what_is_lost_and_what_is_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this, the proof above might be one that finds nothing."""
    monkeypatch.syspath_prepend(str(BENCHMARK.parent))
    import sqlite3

    import webhooks as benchmark

    load = benchmark.Load(1, 1, 3, patient=True, acknowledged={1, 2})
    with sqlite3.connect(tmp_path / "spool.db") as con:
        con.execute("create table bodies (raw blob)")
        con.executemany("insert into bodies values (?)", [(benchmark.body_of(n),) for n in (1, 1, 3)])
    assert benchmark.compare(tmp_path / "spool.db", load) == "1 lost, 1 twice, 1 that nobody sent"
