"""What Dagster gets of the folder of imports: an asset, a job and a schedule each, and ticks as the file says."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from iterable_pipelines.cli.sandbox_project import sandbox_project
from iterable_pipelines.hours import now
from iterable_pipelines.imports.assets import import_definitions
from iterable_pipelines.imports.document import ImportFileError
from iterable_pipelines.landing import Exports, Manifest
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.waiting import NOT_BEFORE, STATE, release_runs
from iterable_pipelines_tests.imports.conftest import Place, rows, tick

_MODULE = LoadableTargetOrigin(module_name="iterable_pipelines.definitions")
Definitions = Callable[[], dg.Definitions]
SENDS = "data_type: export_data; export_data_type: emailSend; start_time: 2026-11-01; end_time: 2026-11-02"


pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def definitions(project: Settings) -> Callable[[], dg.Definitions]:
    """The definitions of the imports alone: the rest of the project takes seconds to load."""
    return lambda: import_definitions(project)


def schedule(cron: str, **rest: Any) -> str:
    return f"schedule: {json.dumps({'cron': cron, **rest})}\n"


def in_the_queue(instance: dg.DagsterInstance, definitions: dg.Definitions, name: str, request: Any) -> str:
    """Queue the run that a schedule asks for, as the daemon does. Returns its id."""
    location = ManagedGrpcPythonEnvCodeLocationOrigin(_MODULE)
    made: dg.DagsterRun = instance.create_run_for_job(
        definitions.resolve_job_def(name),
        tags=dict(request.tags),
        status=dg.DagsterRunStatus.QUEUED,
        remote_job_origin=RemoteRepositoryOrigin(location, "__repository__").get_job_origin(name),
    )
    return made.run_id


def test_each_file_is_an_asset_with_a_job_and_a_schedule(place: Place) -> None:
    from iterable_pipelines.definitions import defs

    place("sends", SENDS, rest=schedule("@daily", timezone="Asia/Tokyo"))
    place("lists", "data_type: list; list_id: 949811", rest=schedule("10 0 * * *", enabled=False))
    place("once", SENDS)
    made = defs()
    graph = made.resolve_asset_graph()
    for name in ("sends", "lists", "once"):
        node = graph.get(dg.AssetKey(["imports", name]))
        assert (node.group_name, node.owners, node.kinds) == ("imports", ["team:data"], {"iterable", "duckdb"})
        assert node.description
        assert int(made.resolve_job_def(f"import_{name}").tags["dagster/max_runtime"]) > 0
    found = {each.name: each for each in made.get_repository_def().schedule_defs if each.name.startswith("import_")}
    daily, lists = found["import_sends"], found["import_lists"]
    assert "import_once" not in found
    assert (daily.cron_schedule, daily.execution_timezone) == ("@daily", "Asia/Tokyo")
    assert (lists.cron_schedule, lists.execution_timezone) == ("10 0 * * *", "UTC")
    assert daily.default_status == dg.DefaultScheduleStatus.RUNNING
    assert lists.default_status == dg.DefaultScheduleStatus.STOPPED


def test_a_tick_runs_the_import(project: Settings, sandbox: Sandbox, place: Place, definitions: Definitions) -> None:
    place("sends", SENDS, rest=schedule("@hourly"))
    made = definitions()
    (request,) = tick(made, "import_sends", now()).run_requests
    with dg.DagsterInstance.ephemeral() as instance:
        result = made.resolve_job_def("import_sends").execute_in_process(instance=instance, tags=request.tags)
    (materialized,) = [each for each in result.all_events if each.event_type_value == "ASSET_MATERIALIZATION"]
    ((count,),) = rows(project, "select count(*) from loaded")
    said = {key: each.value for key, each in materialized.materialization.metadata.items()}
    assert said["rows"] == count > 0
    assert (said["table"], said["span"]) == ("loaded", "[2026-11-01 00:00:00, 2026-11-02 00:00:00) UTC")
    assert sandbox.key not in json.dumps(said)


def test_the_definitions_are_refused_with_the_file_and_the_line(
    project: Settings, place: Place, definitions: Definitions
) -> None:
    place("sends", SENDS)
    (project.project_root / "imports" / "broken.yml").write_text("in:\n  type: iterable\n  region: uk\n")
    with pytest.raises(ImportFileError, match=r"imports/broken\.yml, line 3: in\.region is 'uk'"):
        definitions()


def test_a_delay_keeps_the_run_in_the_queue(project: Settings, place: Place, definitions: Definitions) -> None:
    place("sends", SENDS, rest=schedule("@hourly", delay=600))
    made = definitions()
    at = now().replace(microsecond=0) - timedelta(seconds=300)
    (late,) = tick(made, "import_sends", at).run_requests
    assert datetime.fromisoformat(late.tags[NOT_BEFORE]) == at + timedelta(seconds=600)
    (due,) = tick(made, "import_sends", at - timedelta(seconds=600)).run_requests
    exports = Exports(Manifest(project.landing_dir))
    with dg.DagsterInstance.ephemeral() as instance:
        waiting, ready = (in_the_queue(instance, made, "import_sends", each) for each in (late, due))
        assert release_runs(instance, exports) == (1, set())
        states = [instance.get_run_by_id(each).tags[STATE] for each in (waiting, ready)]  # type: ignore[union-attr]
        assert states == ["waiting", "ready"]


def test_a_file_that_was_turned_off_or_deleted_meanwhile_is_skipped(
    project: Settings, place: Place, definitions: Definitions
) -> None:
    place("sends", SENDS, rest=schedule("@hourly"))
    made = definitions()
    moment = datetime(2026, 11, 1, 1, tzinfo=UTC)
    place("sends", SENDS, rest=schedule("@hourly", enabled=False))
    assert "turned off" in tick(made, "import_sends", moment).skip_message
    (project.project_root / "imports" / "sends.yml").unlink()
    assert "There is no file imports/sends.yml" in tick(made, "import_sends", moment).skip_message


def test_a_failure_says_why_and_is_not_tried_again_in_vain(place: Place, definitions: Definitions) -> None:
    place("lists", "data_type: list; list_id: 1")
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions().resolve_job_def("import_lists")
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        tags = instance.get_run_by_id(result.run_id).tags  # type: ignore[union-attr]
    (failed,) = [each for each in result.all_events if each.is_step_failure]
    data: Any = failed.event_specific_data
    assert data.user_failure_data.description.startswith("lists: ")
    assert data.user_failure_data.metadata["retry"].value == "never"
    assert tags["dagster/max_retries"] == "0"


def test_keep_updated_off_stops_imports_too(project: Settings, place: Place) -> None:
    place("sends", SENDS, rest=schedule("@hourly"))
    (stopped,) = import_definitions(project.model_copy(update={"keep_updated": False})).schedules or ()
    assert stopped.default_status == dg.DefaultScheduleStatus.STOPPED  # type: ignore[union-attr]


def test_the_sandbox_of_a_project_without_a_key_runs_none_of_its_imports(
    project: Settings, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place("sends", SENDS, rest=schedule("@hourly"))
    for name in ("WAREHOUSE", "PROJECT_TYPE", "DATA_TYPES", "SKIP_USERS", "SKIP_ACTIVITY", "START_DATE"):
        # what it sets is taken back afterwards
        monkeypatch.setenv(f"ITERABLE_{name}", "")
    with sandbox_project() as settings:
        assert settings.data_dir == project.data_dir / "demo"
        assert not import_definitions(settings).assets
        assert not import_definitions(load_settings()).schedules
