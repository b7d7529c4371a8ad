"""What a day has no room for is deferred with a promised date; no run hangs until tomorrow (R18)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.plan import plan_sync
from iterable_pipelines.activation.report import RunReport
from iterable_pipelines.activation.run import run_sync
from iterable_pipelines.api import LIMITS, Iterable, Ledger
from iterable_pipelines_tests.activation.conftest import Activation

FEWER = LIMITS | {"forget in a day": replace(LIMITS["forget in a day"], calls=3)}
SYNC = (
    "object: user_action\naction: forget\nsource: m.t\nprimary_key: id\nmatch: {column: id, field: userId}\n"
    "mode: insert\n"
)


def run(project: Activation) -> RunReport:
    """Run it where three a day are allowed."""
    settings = project.settings
    (sync,) = load_syncs(settings)

    def connect() -> Iterable:
        return Iterable(settings.required_api_key(), settings.url, Ledger(settings.ledger_path, limits=FEWER))

    return run_sync(settings, sync, Options(), project.said.append, connect, project.pace)


def test_r18_a_sync_of_forgetting_goes_on_on_another_day(activation_project: Callable[..., Activation]) -> None:
    project = activation_project()
    project.sync("s", SYNC)
    project.table("m.t", "select 'u' || range as id from range(5)")
    report = run(project)
    assert (report.status, report.counts) == ("partial", {"add": {"acked": 3, "deferred": 2}})
    assert report.codes == {"daily_limit": 2}
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert f"2 by {tomorrow:%Y-%m-%d}" in report.note or f"2 by {tomorrow + timedelta(hours=1):%Y-%m-%d}" in report.note
    # the row log says so too, and of nobody
    ((message,),) = project.published(
        "select distinct message from activation.sync_rows where code = 'daily_limit' and message <> ''"
    )
    assert "2 by 20" in message
    assert list(run(project).counts.values()) == [{"deferred": 2}]
    assert len(project.requests("/api/users/forget")) == 3
    # a day later
    project.settings.ledger_path.unlink()
    assert run(project).status == "succeeded"
    assert len(project.requests("/api/users/forget")) == 5


def test_r18_a_plan_says_when_all_will_have_gone(activation_project: Callable[..., Activation]) -> None:
    project = activation_project()
    project.sync("s", SYNC)
    project.table("m.t", "select 'u' || range as id from range(1200)")
    (sync,) = load_syncs(project.settings)
    (said,) = [each for each in plan_sync(project.settings, sync, Options()).warnings if "a day" in each]
    assert "1,000 by 20" in said and ", 200 by 20" in said
