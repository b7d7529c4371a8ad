"""A run that is killed, wherever, has changed nothing; the next one stores what it would have stored."""

import signal
from collections import Counter
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from iterable_pipelines.hours import Window
from iterable_pipelines.imports.assets import import_definitions
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.sandbox.world import utc
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.cli.command import Command
from iterable_pipelines_tests.imports.conftest import Place, file_of, rows


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


@pytest.mark.usefixtures("environment")
def test_killed_after_the_commit_and_retried(project: Settings, sandbox: Sandbox, place: Place) -> None:
    place("sends", "data_type: export_data; export_data_type: emailSend; start_time: 2026-11-01; end_time: 2026-11-02")
    command = Command(project.project_root, api_key=sandbox.key, base_url=sandbox.url, requests_relaxed="true")
    assert command("import", "run", "sends", crash_at="import_stored").code == -signal.SIGKILL
    count = "select count(*) from loaded"
    ((stored,),) = rows(project, count)
    assert stored > 0
    with dg.DagsterInstance.from_config(str(project.dagster_home)) as instance:

        def again(parent: str) -> str:
            """Do it again, as the daemon does for a run that failed, and the UI when somebody asks for it."""
            tags = {"dagster/parent_run_id": parent, "dagster/root_run_id": killed}
            job = import_definitions(project).resolve_job_def("import_sends")
            return job.execute_in_process(instance=instance, tags=tags).run_id

        killed = instance.get_runs()[0].run_id
        retried = again(killed)
        assert rows(project, count) == [(stored,)]
        # one that had succeeded is asked for once more by somebody
        again(retried)
        assert rows(project, count) == [(2 * stored,)]
