"""A run that is killed, wherever, has changed nothing; the next one stores what it would have stored."""

import signal
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from iterable_pipelines.hours import Window
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.sandbox.world import utc
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.cli.command import Command
from iterable_pipelines_tests.imports.conftest import file_of


@pytest.mark.parametrize("point", ["import_staged", "import_written"])
def test_killed_between_fetch_and_commit(project: Settings, sandbox: Sandbox, tmp_path: Path, point: str) -> None:
    (tmp_path / "imports").mkdir()
    (tmp_path / "imports" / "opens.yml").write_text(
        file_of(
            "data_type: export_data; export_data_type: emailOpen; incremental: true; start_time: 2026-10-26; "
            "end_time: 2026-10-28; only_fields: createdAt,campaignId"
        )
    )
    command = Command(tmp_path, api_key=sandbox.key, base_url=sandbox.url, requests_relaxed="true")
    for _ in range(2):
        # nobody else kills it: it was at that point
        assert command("import", "run", "opens", crash_at=point).code == -signal.SIGKILL
    said = command("import", "run", "opens")
    assert said.code == 0, said.err
    wanted = len(list(sandbox.world.records("emailOpen", Window(utc("2026-10-26"), utc("2026-10-28")))))
    assert f"opens: {wanted:,} rows stored" in said.out
    with duckdb.connect(tmp_path / "data" / "imports.duckdb", read_only=True) as con:
        assert con.execute("select count(*) from loaded").fetchone() == (wanted,)
        assert con.execute("select up_to::varchar, rows from _imports").fetchall() == [("2026-10-28 00:00:00", wanted)]
    statuses = Counter(
        line.split("│")[2].strip() for line in command("import", "history", "opens").out.splitlines()[3:-1]
    )
    assert statuses == {"success": 1, "failure": 2}
    # what the killed ones left lying is swept
    assert not list((tmp_path / "data" / "landing" / "scratch").iterdir())
