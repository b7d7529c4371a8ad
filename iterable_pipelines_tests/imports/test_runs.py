"""What a run stores: the records of Iterable, typed as the file says, in the mode it says, and nothing twice."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from iterable_pipelines.api import Broken, IterableError, Refused
from iterable_pipelines.hours import Window, now
from iterable_pipelines.imports.assets import import_definitions
from iterable_pipelines.imports.fetch import client_of, window_of
from iterable_pipelines.imports.file import Import
from iterable_pipelines.imports.run import run_import, sample_columns, store_of
from iterable_pipelines.imports.staging import stage
from iterable_pipelines.imports.store import Mark, Mismatch, store_rows
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.sandbox.world import utc
from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines.streams import WarehouseFailed
from iterable_pipelines_tests.imports.conftest import Place, rows

Run = Any
DAY = "start_time: 2026-11-01; end_time: 2026-11-02"
DAY_WINDOW = Window(utc("2026-11-01"), utc("2026-11-02"))
SENDS = f"data_type: export_data; export_data_type: emailSend; {DAY}"


def records(sandbox: Sandbox, data_type: str, window: Window = DAY_WINDOW) -> list[dict[str, Any]]:
    return [json.loads(line) for line in sandbox.world.records(data_type, window, sandbox.world.now())]


def columns(*written: str) -> str:
    """`in.columns`, each as "name type format"."""
    lines = "columns:"
    for each in written:
        name, kind, *rest = each.split(" ", 2)
        lines += f";- {{name: {name}, type: {kind}{f', format: {rest[0]!r}' if rest else ''}}}"
    return lines


def types(project: Settings, table: str = "loaded") -> dict[str, str]:
    return dict(rows(project, f"select column_name, column_type from (describe {table})"))


def test_without_columns_every_field_is_a_text(project: Settings, sandbox: Sandbox, place: Place, run: Run) -> None:
    wanted = records(sandbox, "emailSend")
    stored = run(place("sends", SENDS))
    assert stored.rows == len(wanted) > 5
    found = types(project)
    assert {found.pop("time"), found.pop("_untyped")} == {"TIMESTAMP", "JSON"}
    assert set(found.values()) == {"VARCHAR"}
    got = rows(project, "select email, campaign_id, created_at from loaded")
    expected = [(each.get("email"), str(each["campaignId"]), each["createdAt"]) for each in wanted]
    assert Counter(got) == Counter(expected)
    assert rows(project, "select up_to, rows, run_id from _imports") == [(None, len(wanted), "run-1")]


def test_columns_have_the_declared_types(project: Settings, sandbox: Sandbox, place: Place, run: Run) -> None:
    wanted = records(sandbox, "emailSend")
    declared = columns(
        "campaign_id long",
        "created_at timestamp yyyy-MM-dd HH:mm:ss xxx",
        "itbl_internal json",
        "email string",
        "nothing double",
    )
    stored = run(place("sends", f"{SENDS};{declared}"))
    assert types(project) == {
        "campaign_id": "BIGINT",
        "created_at": "TIMESTAMP",
        "itbl_internal": "JSON",
        "email": "VARCHAR",
        "nothing": "DOUBLE",
        "time": "TIMESTAMP",
        "_untyped": "JSON",
    }
    got = rows(project, "select campaign_id, created_at, nothing, _untyped from loaded")
    at = [datetime.strptime(each["createdAt"][:19], "%Y-%m-%d %H:%M:%S") for each in wanted]
    expected = [(int(each["campaignId"]), moment, None, None) for each, moment in zip(wanted, at, strict=True)]
    assert Counter(got) == Counter(expected)
    # nested ones are whole, and what no column reads is named
    internal = Counter(json.dumps(each.get("itblInternal"), sort_keys=True) for each in wanted)
    found = rows(project, "select itbl_internal from loaded")
    assert Counter(json.dumps(text and json.loads(text), sort_keys=True) for (text,) in found) == internal
    assert "messageId" in stored.left_out
    assert "email" not in stored.left_out


def test_a_value_that_does_not_fit_is_kept_as_it_came(
    project: Settings, sandbox: Sandbox, place: Place, run: Run
) -> None:
    wanted = records(sandbox, "emailSend")
    declared = columns("email long", "campaign_id boolean", "created_at timestamp dd/MM/yyyy", "itbl_internal double")
    stored = run(place("sends", f"{SENDS};{declared}"))
    assert stored.rows == len(wanted)
    emails = Counter(each["email"] for each in wanted if each.get("email"))
    internal = sum(each.get("itblInternal") is not None for each in wanted)
    assert stored.untyped == {
        "campaign_id": len(wanted),
        "email": sum(emails.values()),
        **({"itbl_internal": internal} if internal else {}),
    }
    assert rows(project, "select count(email), count(campaign_id), count(created_at) from loaded") == [
        # another of Iterable's own shapes is read too
        (0, 0, len(wanted))
    ]
    kept = rows(project, "select _untyped ->> 'email' from loaded where _untyped ->> 'email' is not null")
    assert Counter(text for (text,) in kept) == emails


@pytest.mark.parametrize(
    ("kind", "values", "fits"),
    [
        ("long", [1, -7, "12", 3.0, 9007199254740993], [1, -7, 12, 3, 9007199254740993]),
        ("long", [1.5, "x", True, 10**20, [1]], [None] * 5),
        ("double", [1, 2.5, "1e3", -0.5], [1.0, 2.5, 1000.0, -0.5]),
        ("double", ["nan", "inf", {}, False], [None] * 4),
        ("boolean", [True, "false"], [True, False]),
        ("boolean", [1, "yes", "True"], [None] * 3),
        ("string", ["", 1, {"a": 1}, True], ["", "1", '{"a":1}', "true"]),
        ("json", ["x", 1, {"a": [1]}, False], ['"x"', "1", '{"a":[1]}', "false"]),
        ("timestamp", ["2026-11-01", 1793491200000, 1793491200], [datetime(2026, 11, 1)] * 3),
        ("timestamp", ["2026-02-30", "soon", 5, True], [None] * 4),
    ],
    ids=str,
)
def test_what_fits_a_type(
    project: Settings, place: Place, tmp_path: Path, kind: str, values: list[Any], fits: list[Any]
) -> None:
    part = tmp_path / "part.ndjson"
    part.write_text("".join(json.dumps({"n": at, "v": value}) + "\n" for at, value in enumerate([None, *values])))
    made = place("typed", f"data_type: export_data; export_data_type: user;{columns('n long', f'v {kind}')}")
    staged = stage(made, [part], tmp_path / "staged.parquet", "500MB")
    with duckdb.connect() as con:
        got = con.execute("select v, _untyped from read_parquet(?) order by n", [str(staged.path)]).fetchall()
    assert [value for value, _ in got] == [None, *fits]
    misfits = [value for value, fit in zip(values, fits, strict=True) if fit is None]
    assert staged.untyped == ({"v": len(misfits)} if misfits else {})
    kept = [json.loads(text)["v"] for _, text in got if text]
    assert kept == [value if isinstance(value, str) else json.dumps(value, separators=(",", ":")) for value in misfits]


def test_the_time_is_that_of_loading_or_of_a_column(
    project: Settings, sandbox: Sandbox, place: Place, run: Run
) -> None:
    begun = now().replace(tzinfo=None, microsecond=0)
    run(place("loading", SENDS, "table: a; auto_create_table: true"))
    ((first, last),) = rows(project, "select min(time), max(time) from a")
    assert begun <= first == last
    declared = columns("created_at timestamp", "campaign_id long")
    run(place("own", f"{SENDS};{declared}", "table: b; auto_create_table: true; time_column: created_at"))
    assert rows(project, "select count(*) from b where time is distinct from created_at") == [(0,)]
    run(place("epoch", f"{SENDS};{declared}", "table: c; auto_create_table: true; time_column: campaign_id"))
    assert rows(project, "select count(*) from c where time <> to_timestamp(campaign_id)::timestamp") == [(0,)]
    zone = "table: d; auto_create_table: true; time_column: created_at; timezone: Asia/Tokyo"
    run(place("tokyo", f"{SENDS};{declared}", zone))
    found = "select count(*) from (select created_at + interval 9 hour as t from b except all select time from d)"
    assert rows(project, found) == [(0,)]
    with pytest.raises(SettingsError, match="declares no column of that name"):
        run(place("none", SENDS, "table: e; auto_create_table: true; time_column: created_at"))


def test_append_replace_and_replace_on_new_data(project: Settings, sandbox: Sandbox, place: Place, run: Run) -> None:
    count = len(records(sandbox, "emailSend"))
    opens = len(records(sandbox, "emailOpen"))
    empty = "data_type: export_data; export_data_type: emailSend; start_time: 2020-01-01; end_time: 2020-01-02"
    other = f"data_type: export_data; export_data_type: emailOpen; {DAY}"

    def stored() -> int:
        ((found,),) = rows(project, "select count(*) from loaded")
        return int(found)

    for _ in range(2):
        run(place("it", SENDS))
    assert stored() == 2 * count
    assert run(place("it", empty, "mode: replace_on_new_data")).rows == 0
    assert stored() == 2 * count
    run(place("it", other, "mode: replace_on_new_data"))
    assert stored() == opens
    # the columns are the new records', not those of before
    assert "proxy_source" in types(project) or "user_agent" in types(project)
    run(place("it", SENDS, "mode: replace"))
    assert stored() == count
    run(place("it", empty, "mode: replace"))
    assert stored() == 0
    assert "email" in types(project)


def test_new_columns_are_added_and_contradicting_types_refused(
    project: Settings, sandbox: Sandbox, place: Place, run: Run
) -> None:
    count = len(records(sandbox, "emailSend"))
    run(place("it", f"{SENDS};{columns('email string')}"))
    run(place("it", f"{SENDS};{columns('email string', 'campaign_id long')}"))
    assert types(project)["campaign_id"] == "BIGINT"
    assert rows(project, "select count(email) > 0, count(campaign_id), count(*) from loaded") == [
        (True, count, 2 * count)
    ]
    with pytest.raises(Mismatch, match="campaign_id is BIGINT in the table and VARCHAR by the file") as refused:
        run(place("it", f"{SENDS};{columns('campaign_id string')}"))
    assert "Next: " in str(refused.value)
    assert rows(project, "select count(*) from loaded") == [(2 * count,)]
    run(place("it", f"{SENDS};{columns('campaign_id string')}", "mode: replace"))
    assert types(project) == {"campaign_id": "VARCHAR", "time": "TIMESTAMP", "_untyped": "JSON"}


def test_database_and_table_must_be_there_unless_asked_for(
    project: Settings, sandbox: Sandbox, place: Place, run: Run
) -> None:
    for target in ("table: sends", "table: sends; database: other", "table: sends; database: sub/other.duckdb"):
        with pytest.raises(Mismatch, match="there is no database") as refused:
            run(place("it", SENDS, target))
        assert "--auto-create-table" in str(refused.value)
    assert not sandbox.requests()
    run(place("it", SENDS, "table: crm.sends; auto_create_table: true; database: other"))
    with pytest.raises(Mismatch, match=r"there is no table opens in .*other\.duckdb"):
        run(place("it", SENDS, "table: opens; database: other"))
    before = len(sandbox.requests())
    run(place("it", SENDS, "table: crm.sends; database: other"))
    assert len(sandbox.requests()) == before + 1
    assert rows(project, "select count(*) from crm.sends", "other") == [(2 * len(records(sandbox, "emailSend")),)]


def test_a_span_that_is_still_to_come_empties_nothing(
    project: Settings, sandbox: Sandbox, place: Place, run: Run
) -> None:
    run(place("it", SENDS))
    before = rows(project, "from loaded order by all")
    sandbox.log.clear()
    said: list[str] = []
    later = place("it", "data_type: export_data; export_data_type: emailSend; start_time: 2100-01-01", "mode: replace")
    assert run_import(later, project, "later", said.append).rows == 0
    assert "nothing was asked or changed" in said[-1]
    assert rows(project, "from loaded order by all") == before
    assert not sandbox.requests()


def test_a_database_and_a_schema_of_one_name(project: Settings, sandbox: Sandbox, place: Place, run: Run) -> None:
    count = len(records(sandbox, "emailSend"))
    target = "table: crm.sends; database: crm; auto_create_table: true"
    run(place("it", f"{SENDS};{columns('email string')}", target))
    run(place("it", f"{SENDS};{columns('email string', 'campaign_id long')}", target))
    assert rows(project, "select count(*), count(campaign_id) from crm.crm.sends", "crm") == [(2 * count, count)]
    run(place("it", f"{SENDS};{columns('campaign_id string')}", f"{target}; mode: replace"))
    assert rows(project, "select count(*) from crm.crm.sends", "crm") == [(count,)]


def test_rows_lie_in_the_order_of_their_time(project: Settings, place: Place, tmp_path: Path) -> None:
    # more than one row group of DuckDB's, so that several threads write them
    part, many = tmp_path / "part.ndjson", 400_000
    with duckdb.connect() as con:
        shuffled = f"select hash(i) % 4000000000 as at from range({many}) t(i)"
        con.execute(f"copy ({shuffled}) to '{part}' (format json)")
    made = place("it", f"{SENDS};{columns('at long')}", "table: loaded; auto_create_table: true; time_column: at")
    staged = stage(made, [part], tmp_path / "staged.parquet", "500MB")
    mark = Mark("it", "these", None, None, "a-run")
    assert store_rows(store_of(made, project), made, staged, mark) == many
    steps = "select time < lag(time) over (order by rowid) as back from loaded"
    assert rows(project, f"select count(*), count_if(back) from ({steps})") == [(many, 0)]


def test_what_duckdb_or_the_disk_says_comes_with_a_next_step(project: Settings, sandbox: Sandbox, place: Place) -> None:
    made = place("it", SENDS)
    small = project.model_copy(update={"memory_limit": "1MB"})
    with pytest.raises(WarehouseFailed, match=r"it: (?s:.*)Nothing of it was stored\.\nNext: .*ITERABLE_MEMORY_LIMIT"):
        run_import(made, small, "a-run", lambda text: None)
    blocked = project.model_copy(update={"data_dir": project.data_dir / "file"})
    (project.data_dir / "file").write_text("in the way")
    with pytest.raises(WarehouseFailed, match=r"it: (?s:.*)Next: see whether the disk of .*/file/landing is full"):
        sample_columns(made, blocked, lambda text: None)


def test_users_of_lists(project: Settings, sandbox: Sandbox, place: Place, run: Run) -> None:
    members = {number: sandbox.world.members(number) or [] for number in (949810, 949811)}
    run(place("it", "data_type: list; list_id: 949810,949811;" + columns("list_id long", "user string")))
    wanted = [(number, (email or user_id).strip()) for number, users in members.items() for email, user_id in users]
    assert wanted
    assert Counter(rows(project, "select list_id, user from loaded")) == Counter(wanted)
    assert [dict(entry.params)["listId"] for entry in sandbox.requests("/api/lists/getUsers")] == ["949810", "949811"]
    with pytest.raises(Refused, match=r"it: .*invalidListId"):
        run(place("it", "data_type: list; list_id: 1"))


def test_a_list_that_was_cut_changes_nothing(project: Settings, sandbox: Sandbox, place: Place, run: Run) -> None:
    made = place("it", "data_type: list; list_id: 949811", "mode: replace")
    run(made)
    before = rows(project, "select count(*) from loaded")
    sandbox.fault("drop_tail", path="/api/lists/getUsers", share=0.05)
    with pytest.raises(Broken, match=r"it: list 949811: \d+ lines came of the \d+ that Iterable counts"):
        run(made)
    assert rows(project, "select count(*) from loaded") == before
    # somebody has said that it is the count that is wrong
    with duckdb.connect(project.published_path) as con:
        con.execute("create schema objects")
        con.execute("create table objects.list_states as select 949811 as list_id, true as trusted")
    sandbox.fault("drop_tail", path="/api/lists/getUsers", share=0.05)
    assert run(made).rows < before[0][0]


def test_a_list_has_the_time_that_a_million_users_take(project: Settings, place: Place) -> None:
    patience = client_of(place("it", "data_type: list; list_id: 7; retry_limit: 2").source, project, print)._patience
    # 80 minutes, and sometimes four hours (api.md 5.3)
    assert patience.deadline > 4 * 3600
    assert patience.attempts == 3
    (job,) = import_definitions(project).jobs or ()
    assert float(job.tags["dagster/max_runtime"]) > patience.deadline


def test_users_are_named_by_their_id_where_that_identifies_them(
    project: Settings, sandbox: Sandbox, place: Place
) -> None:
    by_id = project.model_copy(update={"project_type": "userid"})
    run_import(place("it", "data_type: list; list_id: 949811"), by_id, "a-run", lambda text: None)
    wanted = [(user_id or email or "").strip() for email, user_id in sandbox.world.members(949811) or []]
    assert Counter(rows(project, 'select "user" from loaded')) == Counter((name,) for name in wanted)


@pytest.mark.parametrize("each", [3, 20])
def test_campaigns_with_their_metrics(project: Settings, sandbox: Sandbox, place: Place, run: Run, each: int) -> None:
    moment = int(sandbox.world.now().timestamp())
    states = ("Draft", "Scheduled", "Starting", "Recurring")
    known = [one for one in sandbox.world.objects.campaigns(moment) if one.state not in states][-7:]
    ids = [one.id for one in known]
    run(place("it", f"campaign_ids: {','.join(map(str, ids))}; number_of_ids_for_each_request: {each}; {DAY}"))
    asked = sandbox.requests("/api/campaigns/metrics")
    assert len(asked) == -(-len(ids) // each)
    assert {dict(entry.params)["startDateTime"] for entry in asked} == {"2026-11-01 00:00:00"}
    found = rows(project, "select id, name, total_purchases, start_date_time, end_date_time from loaded order by id")
    assert [(number, name) for number, name, *_ in found] == [
        (str(one.id), one.name) for one in sorted(known, key=lambda one: str(one.id))
    ]
    assert {(start, end) for *_, start, end in found} == {("2026-11-01 00:00:00", "2026-11-02 00:00:00")}
    assert all(purchases is not None for _, _, purchases, *_ in found)


def test_metrics_that_iterable_refuses_are_told(project: Settings, sandbox: Sandbox, place: Place) -> None:
    moment = int(sandbox.world.now().timestamp())
    states = ("Draft", "Scheduled", "Starting", "Recurring")
    one, two = [each.id for each in sandbox.world.objects.campaigns(moment) if each.state not in states][-2:]
    made, said = place("it", f"campaign_ids: {one},{two}; {DAY}", "mode: replace"), list[str]()
    no = {"path": "/api/campaigns/metrics", "status": 400, "shape": "envelope", "times": None}
    sandbox.fault("status", match={"campaignId": str(one)}, **no)
    stored = run_import(made, project, "a-run", said.append)
    assert list(stored.refusals) == [one]
    assert f"campaigns_without_metrics: 1, the first {one} (HTTP 400" in said[-1]
    found = rows(project, f"select id = '{one}', total_purchases is null from loaded order by 1")
    assert found == [(False, False), (True, True)]
    sandbox.fault("status", match={"campaignId": str(two)}, **no)
    with pytest.raises(Refused, match="it: metrics of 2 campaigns: all refused"):
        run_import(made, project, "a-run", said.append)
    assert rows(project, "select count(*) from loaded") == [(2,)]


def test_a_sample_of_campaigns_costs_two_requests(project: Settings, sandbox: Sandbox, place: Place) -> None:
    found = {each.name: each.type for each in sample_columns(place("it", DAY), project, lambda text: None)}
    assert [entry.path for entry in sandbox.requests()] == ["/api/campaigns", "/api/campaigns/metrics"]
    assert found.items() >= {"id": "long", "name": "string", "revenue": "double", "labels": "json"}.items()
    assert found["start_date_time"] == found["end_date_time"] == "timestamp"


def test_a_campaign_that_is_not_there_is_named(project: Settings, place: Place, run: Run) -> None:
    with pytest.raises(Refused, match="it: campaign_ids: Iterable lists no campaign 5"):
        run(place("it", f"campaign_ids: 5; {DAY}"))


def test_fields_and_one_campaign_have_iterables_meaning(
    project: Settings, sandbox: Sandbox, place: Place, run: Run
) -> None:
    every = records(sandbox, "emailSend")
    ((campaign, count),) = Counter(str(each["campaignId"]) for each in every).most_common(1)
    run(place("only", f"{SENDS}; only_fields: email,createdAt; campaign_id: {campaign}"))
    assert set(types(project)) == {"email", "created_at", "time", "_untyped"}
    assert rows(project, "select count(*) from loaded") == [(count,)]
    run(place("omit", f"{SENDS}; omit_fields: [email, itblInternal]", "table: b; auto_create_table: true"))
    assert not {"email", "itbl_internal"} & set(types(project, "b"))
    assert rows(project, "select count(*) from b") == [(len(every),)]


@pytest.mark.parametrize("name", ["today", "Yesterday", "before_today", "BeforeToday", "All"])
def test_named_spans_are_those_of_utc(project: Settings, place: Place, name: str) -> None:
    source = place("it", f"data_type: export_data; export_data_type: user; use_date_range: true; date_range: {name}")
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    window = window_of(source.source, project, None)
    assert window
    starts = {"today": midnight, "yesterday": midnight - timedelta(days=1)}
    assert window.start == starts.get(name.lower(), datetime(1970, 1, 1, tzinfo=UTC))
    assert window.end == midnight or (name in ("today", "All") and now() - window.end < timedelta(minutes=1))


def test_waits_and_tries_are_those_of_the_file(project: Settings, sandbox: Sandbox, place: Place, run: Run) -> None:
    made: Import = place("it", f"{SENDS}; retry_limit: 2; retry_initial_wait_millis: 1; max_retry_wait_millis: 2")
    sandbox.fault("status", path="/api/export", status=500, times=2)
    assert run(made).rows > 0
    assert len(sandbox.requests("/api/export")) == 3
    sandbox.log.clear()
    sandbox.fault("status", path="/api/export", status=500, times=3)
    with pytest.raises(IterableError):
        run(made)
    assert len(sandbox.requests("/api/export")) == 3
