"""Four processes at once share the lock, the ledger and the manifest, and leave what one alone would have left."""

import subprocess
import sys
from pathlib import Path

from iterable_pipelines.sandbox import Sandbox
from iterable_pipelines_tests.recovery.conftest import EVENTS, USERS, environment, table


def test_the_same_hours_by_four_processes(sandbox: Sandbox, calm: dict[str, list[tuple]], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "iterable_pipelines_tests.recovery.land_and_load"]
    workers = [
        subprocess.Popen([*command, stream], env=environment(sandbox, tmp_path), stderr=subprocess.PIPE, text=True)
        for stream in (EVENTS, USERS, EVENTS, USERS)
    ]
    errors = [worker.communicate()[1] for worker in workers]
    for worker, error in zip(workers, errors, strict=True):
        # whoever comes second to the same hours with an older token is told so and changes nothing
        assert worker.returncode == 0 or "StaleWriter" in error, error
    for stream in (EVENTS, USERS):
        assert table(tmp_path, stream) == calm[stream]
