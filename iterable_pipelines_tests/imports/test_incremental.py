"""An incremental import goes on where the last run ended: rows and watermark move together, or not at all."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from iterable_pipelines.api import IterableError
from iterable_pipelines.hours import Window, now
from iterable_pipelines.imports.run import Stored, asked_of, run_import
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.sandbox.world import utc
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import StaleWriter
from iterable_pipelines_tests.imports.conftest import Place, rows
from iterable_pipelines_tests.imports.test_runs import DAY, DAY_WINDOW, records

Run = Any


def test_incremental_goes_on_where_it_ended(project: Settings, sandbox: Sandbox, place: Place, run: Run) -> None:
    asked = f"data_type: export_data; export_data_type: emailSend; incremental: true; {DAY}"
    made = place("it", asked)
    assert run(made).window == DAY_WINDOW
    second = run(made)
    assert second.window and second.window.start == DAY_WINDOW.end
    # Iterable shows records minutes late
    assert timedelta(minutes=9) < now() - second.window.end < timedelta(minutes=12)
    everything = records(sandbox, "emailSend", Window(DAY_WINDOW.start, utc("2026-11-03")))
    assert rows(project, "select count(*) from loaded") == [(len(everything),)]
    third = run(made)
    assert third.rows == 0
    assert rows(project, "select count(*) from loaded") == [(len(everything),)]


def test_incremental_begins_anew_with_another_question_or_table(
    project: Settings, sandbox: Sandbox, place: Place, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = f"data_type: export_data; export_data_type: emailSend; incremental: true; {DAY}"
    run(place("it", asked))
    assert run(place("it", asked.replace("emailSend", "emailOpen"))).window == DAY_WINDOW
    assert run(place("it", asked, "table: other; auto_create_table: true")).window == DAY_WINDOW
    # a key of another project's, or an Iterable at another place
    monkeypatch.setenv("OTHER_KEY", sandbox.key)
    assert run(place("it", f"{asked}; api_key: ${{OTHER_KEY}}")).window == DAY_WINDOW
    elsewhere = project.model_copy(update={"base_url": sandbox.url.replace("127.0.0.1", "localhost")})
    assert run_import(place("it", asked), elsewhere, "elsewhere", lambda text: None).window == DAY_WINDOW
    kept = run(place("it", asked)).window
    assert kept and kept.start == DAY_WINDOW.end


def test_incremental_goes_on_under_another_name_and_with_a_new_key(
    project: Settings, sandbox: Sandbox, place: Place, run: Run
) -> None:
    asked = f"data_type: export_data; export_data_type: emailSend; incremental: true; {DAY}"
    run(place("load", asked))
    count = rows(project, "select count(*) from loaded where created_at < '2026-11-02'")
    assert run(place("users", asked)).window.start == DAY_WINDOW.end
    named = place("load", f"{asked}; api_key: ${{ITERABLE_API_KEY}}")
    # a key that is replaced keeps the name of its variable
    replaced = project.model_copy(update={"api_key": SecretStr("another")})
    assert asked_of(named, replaced) == asked_of(place("users", asked), project)
    assert rows(project, "select count(*) from loaded where created_at < '2026-11-02'") == count
    assert rows(project, "select name, run_id from _imports") == [("users", "run-2")]


def test_a_failed_run_changes_nothing(project: Settings, sandbox: Sandbox, place: Place, run: Run) -> None:
    made = place("it", f"data_type: export_data; export_data_type: emailSend; incremental: true; {DAY}; retry_limit: 0")
    run(made)
    before = rows(project, "select count(*), (select max(up_to) from _imports) from loaded")
    again = made.model_copy(update={"name": "it"})
    for fault, options in (("status", {"status": 400}), ("bad_json", {}), ("cut", {})):
        path = "/files/" if fault != "status" else "/api/export"
        sandbox.fault(fault, path=path, **options)
        with pytest.raises(IterableError) as failed:
            run(again)
        assert str(failed.value).startswith("it: ")
        assert "Nothing of it was stored.\nNext: " in str(failed.value)
        sandbox.faults.clear()
    assert rows(project, "select count(*), (select max(up_to) from _imports) from loaded") == before
    assert not list((project.landing_dir / "scratch").iterdir())


def test_what_is_added_besides_does_not_send_it_back(project: Settings, place: Place, run: Run) -> None:
    sends = "data_type: export_data; export_data_type: emailSend"
    made = place("it", f"{sends}; incremental: true; {DAY}")
    run(made)
    run(place("a_day_before", f"{sends}; start_time: 2026-10-31; end_time: 2026-11-01"))
    assert run(made).window.start == DAY_WINDOW.end


def test_two_runs_at_once_store_a_span_once(project: Settings, sandbox: Sandbox, place: Place, run: Run) -> None:
    made = place("it", f"data_type: export_data; export_data_type: emailSend; incremental: true; {DAY}")
    run(made)
    count = rows(project, "select count(*) from loaded")
    inner: list[Stored] = []

    def said(text: str) -> None:
        # while this one fetches, another one comes and goes
        if "fetching" in text and not inner:
            inner.append(run_import(made, project, "the-other", lambda text: None))

    with pytest.raises(StaleWriter, match="another run of this import has stored rows meanwhile"):
        run_import(made, project, "this", said)
    ((found,),) = rows(project, "select count(*) from loaded")
    assert found == count[0][0] + inner[0].rows
    assert rows(project, "select run_id from _imports") == [("the-other",)]
