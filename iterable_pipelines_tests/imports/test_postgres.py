"""The same imports into a PostgreSQL that runs beside the tests."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest

from iterable_pipelines.imports import store
from iterable_pipelines.imports.run import run_import
from iterable_pipelines.imports.store import Mismatch
from iterable_pipelines.postgres import PostgresRefused
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines.streams.load import StaleWriter
from iterable_pipelines_tests.imports.conftest import Place
from iterable_pipelines_tests.imports.test_runs import DAY_WINDOW, SENDS, columns, records
from iterable_pipelines_tests.postgres_server import Server

Run = Any
TARGET = "type: postgresql; database: '${REPORTING_URL}'; table: crm.sends"
TYPED = columns("email string", "campaign_id long", "created_at timestamp", "itbl_internal json")


def found(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as con:
        con.execute("set timezone = 'UTC'")
        return con.execute(query).fetchall()  # type: ignore[arg-type]


def test_modes_and_types(url: str, sandbox: Sandbox, place: Place, run: Run) -> None:
    wanted = records(sandbox, "emailSend")
    with pytest.raises(Mismatch, match=r"there is no table crm\.sends in REPORTING_URL"):
        run(place("it", f"{SENDS};{TYPED}", TARGET))
    new = f"{TARGET}; auto_create_table: true"
    for times in (1, 2):
        assert run(place("it", f"{SENDS};{TYPED}", new)).rows == len(wanted)
        assert found(url, "select count(*) from crm.sends") == [(times * len(wanted),)]
    got = found(url, "select distinct campaign_id, created_at, email from crm.sends")
    at = [datetime.strptime(each["createdAt"][:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) for each in wanted]
    expected = {(int(each["campaignId"]), moment, each.get("email")) for each, moment in zip(wanted, at, strict=True)}
    assert set(got) == expected
    # a view of somebody's stays, because the table does
    with psycopg.connect(url) as con:
        con.execute("create view crm.newest as select max(created_at) from crm.sends")
    run(place("it", f"{SENDS};{TYPED}", f"{TARGET}; mode: replace"))
    assert found(url, "select count(*), count(_untyped), count(time) from crm.sends") == [(len(wanted), 0, len(wanted))]
    empty = SENDS.replace("2026-11", "2020-01")
    run(place("it", f"{empty};{TYPED}", f"{TARGET}; mode: replace_on_new_data"))
    assert found(url, "select count(*) from crm.sends") == [(len(wanted),)]
    run(place("it", f"{empty};{TYPED}", f"{TARGET}; mode: replace"))
    assert found(url, "select count(*) from crm.sends") == [(0,)]


def test_columns_grow_and_types_must_agree(url: str, sandbox: Sandbox, place: Place, run: Run) -> None:
    wanted = records(sandbox, "emailSend")
    run(place("it", f"{SENDS};{columns('email string')}", f"{TARGET}; auto_create_table: true"))
    run(place("it", f"{SENDS};{columns('email string', 'campaign_id long')}", TARGET))
    assert found(url, "select count(*), count(campaign_id) from crm.sends") == [(2 * len(wanted), len(wanted))]
    with pytest.raises(Mismatch, match="campaign_id is bigint in the table and text by the file"):
        run(place("it", f"{SENDS};{columns('campaign_id string')}", TARGET))
    assert found(url, "select count(*) from crm.sends") == [(2 * len(wanted),)]
    run(place("it", f"{SENDS};{columns('campaign_id string')}", f"{TARGET}; mode: replace"))
    kinds = Counter(str(each["campaignId"]) for each in wanted)
    assert Counter(value for (value,) in found(url, "select campaign_id from crm.sends")) == kinds


def test_incremental_moves_rows_and_watermark_together(
    url: str, project: Settings, sandbox: Sandbox, place: Place, run: Run
) -> None:
    made = place("it", f"{SENDS}; incremental: true;{TYPED}", f"{TARGET}; auto_create_table: true")
    run(made)
    assert found(url, "select name, up_to, run_id from _imports") == [("it", DAY_WINDOW.end, "run-1")]
    inner = []

    def said(text: str) -> None:
        if "fetching" in text and not inner:
            inner.append(run_import(made, project, "the-other", lambda text: None))

    with pytest.raises(StaleWriter):
        run_import(made, project, "this", said)
    assert inner[0].window and inner[0].window.start == DAY_WINDOW.end
    ((count,),) = found(url, "select count(*) from crm.sends")
    assert count == len(records(sandbox, "emailSend")) + inner[0].rows


@pytest.fixture
def meanwhile(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], Any]], list[Future[Any]]]]:
    """Start something just before the next import commits, and let that go on when the other waits for it."""
    with ThreadPoolExecutor() as pool:

        def start(other: Callable[[], Any]) -> list[Future[Any]]:
            started: list[Future[Any]] = []

            def hold(point: str) -> None:
                if point == "import_written" and not started:
                    started.append(pool.submit(other))
                    locked = (
                        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
                    )
                    deadline = monotonic() + 60
                    while not found(url, locked) and monotonic() < deadline:
                        sleep(0.05)

            monkeypatch.setattr(store, "crashpoint", hold)
            return started

        yield start


def test_of_two_first_runs_at_once_one_stores(
    sandbox: Sandbox, place: Place, run: Run, url: str, meanwhile: Any
) -> None:
    opens = f"{SENDS.replace('emailSend', 'emailOpen')};{TYPED}"
    others = run(place("other", opens, f"{TARGET}; auto_create_table: true")).rows
    made = place("it", f"{SENDS}; incremental: true;{TYPED}", TARGET)
    started = meanwhile(lambda: run(made))
    stored = run(made).rows
    with pytest.raises(StaleWriter):
        started[0].result()
    assert stored > 0
    assert found(url, "select count(*) from crm.sends") == [(others + stored,)]


def test_two_first_imports_into_a_database(place: Place, run: Run, url: str, meanwhile: Any) -> None:
    one, two = (
        place(name, f"{SENDS};{TYPED}", f"{TARGET.replace('sends', name)}; auto_create_table: true")
        for name in ("one", "two")
    )
    # the schema is there already
    with psycopg.connect(url) as con:
        con.execute("create schema crm")
    started = meanwhile(lambda: run(two))
    assert run(one).rows == started[0].result().rows > 0
    assert found(url, "select name from _imports order by name") == [("one",), ("two",)]


def test_what_is_wrong_with_the_url_is_told_without_it(
    url: str, postgres: Server, place: Place, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = place("it", f"{SENDS};{TYPED}", TARGET)
    monkeypatch.delenv("REPORTING_URL")
    with pytest.raises(SettingsError, match="REPORTING_URL is not set"):
        run(made)
    monkeypatch.setenv("REPORTING_URL", postgres.url_of("postgres", password="hunter22"))
    with pytest.raises(PostgresRefused) as refused:
        run(made)
    assert "hunter22" not in str(refused.value)
    assert "REPORTING_URL" in str(refused.value)
