"""An import's file is taken as Treasure Data spells it, or refused with line, field, what was given and what may be."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from iterable_pipelines.automation import JOBS, schedules_and_sensors
from iterable_pipelines.hours import Window
from iterable_pipelines.imports.document import ImportFileError
from iterable_pipelines.imports.file import Column, Import, People, Schedule, Source, Target
from iterable_pipelines.imports.reading import all_imports, job_name, read_import, resolved_key
from iterable_pipelines.imports.run import run_import
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.sandbox.world import utc
from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_sources import SettingsWarning

KEY = "0123456789abcdef0123456789abcdef"
START = "in:\n  type: iterable\n"
EVENTS = f"{START}  data_type: user_events\n"
EXPORT = f"{START}  data_type: export_data\n  export_data_type: user\n"

# one wrong file each: what stands in it, the line, and what the error says
WRONG = {
    "no type": ("in:\n  data_type: campaign\n", 1, "in.type: it is missing"),
    "another type": ("in:\n  type: salesforce\n", 2, "in.type is 'salesforce': it must be 'iterable'"),
    "no in": ("out:\n  table: x\n", 1, "in: it is missing"),
    "in is a text": ("in: iterable\n", 1, "in is 'iterable': write fields below it"),
    "a section more": (f"{START}ot:\n  table: x\n", 3, "ot: it is no field, did you mean out?"),
    "a field misspelt": (f"{START}  data_typ: list\n", 3, "in.data_typ: it is no field, did you mean data_type?"),
    "a region": (f"{START}  region: uk\n", 3, "in.region is 'uk': it must be 'us' or 'eu'"),
    "a data type": (f"{START}  data_type: users\n", 3, "'list', 'export_data', 'user_events'"),
    "an export without its type": (f"{START}  data_type: export_data\n", 3, "needs export_data_type, such as user"),
    "an export type": (
        f"{START}  data_type: export_data\n  export_data_type: emailSent\n",
        4,
        "in.export_data_type is 'emailSent': it is no data type of Iterable, did you mean emailSend?",
    ),
    "a list without its id": (f"{START}  data_type: list\n", 3, "list needs list_id"),
    "a list's id": (f"{START}  data_type: list\n  list_id: newsletter\n", 4, "in.list_id is 'newsletter': write"),
    "ids for an export": (
        f"{EXPORT}  campaign_ids: 1,2\n",
        5,
        "in.campaign_ids is '1,2': it is for data_type campaign",
    ),
    "ids of campaigns": (f"{START}  campaign_ids: 1;2\n", 3, "write ids as numbers, with commas between them"),
    "too many ids": (
        f"{START}  number_of_ids_for_each_request: 21\n",
        3,
        "in.number_of_ids_for_each_request is 21: it must be less than or equal to 20",
    ),
    "no ids": (f"{START}  number_of_ids_for_each_request: 0\n", 3, "greater than or equal to 1"),
    "a time": (f"{START}  start_time: yesterday\n", 3, "in.start_time is 'yesterday': 'yesterday' is no time: write"),
    "a day that is none": (f"{START}  start_date: 2026-02-30\n", 3, "in.start_date is '2026-02-30'"),
    "an end before the start": (
        f"{START}  start_date: 2026-11-02\n  end_date: 2026-11-01\n",
        4,
        "in.end_date is '2026-11-01': it must be later than start_time",
    ),
    "two starts": (f"{START}  start_date: 2026-11-02\n  start_time: 2026-11-01\n", 3, "under another name"),
    "a range and a start": (
        f"{START}  use_date_range: true\n  date_range: today\n  start_time: 2026-11-01\n",
        5,
        "in.start_time is '2026-11-01': use_date_range is on",
    ),
    "a range": (f"{START}  date_range: last week\n", 3, "write today, yesterday, before_today or all"),
    "a range that goes on": (f"{START}  use_date_range: true\n  incremental: true\n", 4, "turn one of them off"),
    "a list that goes on": (
        f"{START}  data_type: list\n  list_id: 1\n  incremental: yes\n",
        5,
        "a list is always read",
    ),
    "events of everybody": (
        f"{START}  data_type: user_events\n",
        3,
        "filter_required: user events are read one person",
    ),
    "messages of nobody": (
        f"{START}  data_type: in_app_messages\n  emails: []\n",
        3,
        "filter_required: in-app messages",
    ),
    "people of an export": (f"{EXPORT}  emails: a@b.c\n", 5, "in.emails: it is for data_type user_events and in_app"),
    "people that are no addresses": (f"{EVENTS}  emails: ada\n", 4, "in.emails: write email addresses"),
    "people by two queries": (
        f"{EVENTS}  people: {{sql: select 1; select 2}}\n",
        4,
        "in.people.sql: one query is needed",
    ),
    "people by no query": (f"{EVENTS}  people: {{sql: selekt 1}}\n", 4, "in.people.sql: it is no SQL"),
    "people's span": (f"{EVENTS}  user_ids: u-1\n  incremental: true\n", 5, "reads what Iterable shows"),
    "a key of another type": (
        f"{EVENTS}  user_ids: u-1\n  columns:\n  - {{name: _key, type: long}}\n",
        6,
        "in.columns.1.name is '_key': _key tells the rows apart",
    ),
    "both kinds of fields": (f"{EXPORT}  omit_fields: a\n  only_fields: b\n", 6, "give one of the two"),
    "a user's campaign": (f"{EXPORT}  campaign_id: 7\n", 5, "users belong to no campaign"),
    "no truth": (f"{START}  incremental: perhaps\n", 3, "in.incremental is 'perhaps': write true or false"),
    "retries": (f"{START}  retry_limit: many\n", 3, "in.retry_limit is 'many': write a whole number"),
    "waits": (
        f"{START}  initial_retry_wait_millis: 5000\n  max_retry_wait_millis: 10\n",
        4,
        "in.max_retry_wait_millis is 10: it is shorter than the first wait",
    ),
    "columns as a mapping": (f"{START}  columns: {{a: long}}\n", 3, "in.columns: write a list"),
    "a column's type": (f"{START}  columns:\n  - {{name: a, type: int}}\n", 4, "in.columns.1.type is 'int'"),
    "a column without a type": (f"{START}  columns:\n  - name: a\n", 4, "in.columns.1.type: it is missing"),
    "a column's format": (
        f"{START}  columns:\n  - name: a\n    type: timestamp\n    format: dd of MMMM\n",
        4,
        "write it with yyyy, MM, dd",
    ),
    "a format of a text": (f"{START}  columns:\n  - {{name: a, type: string, format: yyyy}}\n", 4, "of type timestamp"),
    "a column twice": (
        f"{START}  columns:\n  - {{name: a, type: long}}\n  - {{name: A, type: long}}\n",
        5,
        "in.columns.2.name is 'A': 'A' stands twice",
    ),
    "a column of ours": (f"{START}  columns:\n  - {{name: time, type: long}}\n", 4, "'time' cannot be a column"),
    "a column of ours in capitals": (f"{START}  columns:\n  - {{name: Time, type: long}}\n", 4, "'Time' cannot be a"),
    "another column of ours": (f"{START}  columns:\n  - {{name: _Untyped, type: json}}\n", 4, "cannot be a column"),
    "the newest stretch alone": (
        f"{EXPORT}  incremental: true\nout:\n  mode: replace_on_new_data\n",
        7,
        "out.mode is 'replace_on_new_data': with incremental it would keep only the newest stretch: write append",
    ),
    "a filter of another shape": (
        f"{START}filters:\n- {{type: add_time, to_column: x}}\n",
        4,
        "no filters are applied",
    ),
    "a time column that is a text": (
        f"{START}  columns:\n  - {{name: a, type: string}}\nout:\n  time_column: a\n",
        6,
        "out.time_column is 'a': it must be a column of type timestamp or long; it is of type string",
    ),
    "a mode": (f"{START}out:\n  mode: truncate\n", 4, "it must be 'append', 'replace' or 'replace_on_new_data'"),
    "a zone of the data": (f"{START}out:\n  timezone: PST\n", 4, "write perhaps America/Los_Angeles"),
    "a table": (f"{START}out:\n  table: drop table\n", 4, "out.table is 'drop table': write a table's name"),
    "a database": (f"{START}out:\n  database: mysql://host/x\n", 4, "out.database: write a name such as imports"),
    "the warehouse": (f"{START}out:\n  database: iterable\n", 4, "the project's own warehouse"),
    "a zone of moments": (
        f"{START}out:\n  database: ${{MY_URL}}\n  timezone: Asia/Tokyo\n",
        5,
        "out.timezone is 'Asia/Tokyo': PostgreSQL keeps moments",
    ),
    "a name that is a number": (f"{START}1: 2\n", 3, "1: it is no field"),
    "a type of database": (f"{START}out:\n  type: postgresql\n", 4, "postgresql needs the URL of a database"),
    "a schedule without a cron": (f"{START}schedule:\n  delay: 5\n", 3, "schedule.cron: it is missing"),
    "a cron": (f"{START}schedule:\n  cron: daily\n", 4, "write @hourly, @daily, @monthly, or five fields"),
    "a cron of six fields": (f"{START}schedule:\n  cron: 0 10 0 * * *\n", 4, "or five fields such as '10 0 * * *'"),
    "a cron that yaml refuses": (f"{START}schedule:\n  cron: @daily\n", 4, "put quotes around it, '@daily'"),
    "a zone of the schedule": (
        f"{START}schedule:\n  cron: '@daily'\n  timezone: CST\n",
        5,
        "schedule.timezone is 'CST': 'CST' is no IANA name of a time zone, and abbreviations mean different things: "
        "write perhaps America/Chicago",
    ),
    "a delay": (f"{START}schedule:\n  cron: '@daily'\n  delay: -1\n", 5, "greater than or equal to 0"),
    "a filter": (f"{START}filters:\n- type: column\n  columns: []\n", 4, "no filters are applied here"),
    "a field twice": (f"{START}  region: us\n  region: eu\n", 4, "in.region: it stands twice"),
    "a broken file": ("in: [iterable\n", 2, "expected ',' or ']'"),
    "no mapping": ("iterable\n", 1, "write the sections in:, out: and schedule:"),
}


@pytest.fixture
def path(project: Settings) -> Path:
    folder = project.project_root / "imports"
    folder.mkdir()
    return folder / "users.yml"


def read(path: Path, project: Settings, text: str) -> Import:
    path.write_text(text)
    return read_import(path, project)


@pytest.mark.parametrize(("text", "line", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_with_line_and_field(
    path: Path, project: Settings, text: str, line: int, said: str
) -> None:
    with pytest.raises(ImportFileError) as refused:
        read(path, project, text)
    (problem,) = str(refused.value).splitlines()
    assert problem.startswith(f"imports/users.yml, line {line}: ")
    assert said in problem


def test_every_problem_of_every_file_is_told_at_once(path: Path, project: Settings) -> None:
    path.write_text("in:\n  type: iterable\n  region: uk\n  data_type: all\n")
    path.with_name("other.yml").write_text("in:\n  type: iterable\nout:\n  mode: x\n")
    path.with_name("third.yaml").write_text("in:\n  type: iterable\n")
    path.with_name("my-list.yml").write_text("in:\n  type: iterable\n")
    with pytest.raises(ImportFileError) as refused:
        all_imports(project)
    starts = ("imports/my-list.yml: 'my-list' is no name", "imports/other.yml, line 3: out.table: it is missing")
    starts += ("imports/other.yml, line 4: out.mode", "imports/third.yaml is not read: rename it to third.yml")
    starts += ("imports/users.yml, line 1: out.table", "imports/users.yml, line 3: in.region")
    starts += ("imports/users.yml, line 4: in.data_type",)
    for line, start in zip(str(refused.value).splitlines(), starts, strict=True):
        assert line.startswith(start)


def test_no_import_takes_the_name_of_a_schedule_or_job_of_the_project(path: Path, project: Settings) -> None:
    schedules, _ = schedules_and_sensors(project)
    start = job_name("")
    taken = [each.name.removeprefix(start) for each in [*schedules, *JOBS] if each.name.startswith(start)]
    assert taken
    for name in taken:
        with pytest.raises(ImportFileError, match=f"imports/{name}.yml, line 1: name.* import_{name}: rename the file"):
            read(path.with_name(f"{name}.yml"), project, START)


def test_the_sample_of_treasure_data_is_taken(path: Path, project: Settings) -> None:
    with pytest.warns(SettingsWarning, match=r"imports/users.yml: in.api_key is the key itself") as warned:
        made = read(
            path,
            project,
            f"in:\n  api_key: {KEY}\n  type: iterable\n  data_type: export_data\n  region: eu\n"
            "  export_data_type: user\n  use_date_range: false\n  incremental: true\n"
            "  start_time: 2023-05-01T00:00:00Z\n  end_time: 2026-11-01T00:00:00.123456789Z\nout:\n  mode: append\n",
        )
    assert ".env" in str(warned[0].message)
    assert KEY not in str(warned[0].message) + repr(made)
    assert resolved_key(made.source, project) == KEY
    assert made.source.start_time == datetime(2023, 5, 1, tzinfo=UTC)
    # up to the next whole second: the records have no fractions
    assert made.source.end_time == datetime(2026, 11, 1, 0, 0, 1, tzinfo=UTC)


@pytest.mark.filterwarnings("error")
def test_what_the_console_and_its_guess_write_is_taken(path: Path, project: Settings) -> None:
    made = read(
        path,
        project,
        "in:\n  type: iterable\n  data_type: Export Data\n  export_data_type: emailunsubscribe\n  campaign_ids: ''\n"
        "  list_id:\n  start_date: '2020-10-25T00:00'\n  use_date_range: false\n  date_range: BeforeToday\n"
        "  omit_fields: a, b.c\n  campaign_id: 12\n  retry_limit: 7\n  retry_initial_wait_millis: 500\n"
        "  maximum_retry_interval_millis: 300000\n  columns:\n"
        "  - {name: created_at, type: timestamp, format: yyyy-MM-dd HH:mm:ss xxx}\nfilters:\n- type: rename\n  rules:\n"
        "  - rule: upper_to_lower\n- from_value: {mode: upload_time}\n  to_column: {name: time}\n  type: add_time\n"
        "exec: {}\nout: {type: '', mode: Replace on New Data, table: crm.sends, timezone: Asia/Tokyo}\n"
        "schedule: {cron: 10 0 * * *, delay: 60, timezone: Asia/Tokyo}\n",
    )
    source = made.source
    assert (source.data_type, source.export_data_type, source.campaign_id) == ("export_data", "emailUnSubscribe", 12)
    assert (source.start_time, source.end_time) == (datetime(2020, 10, 25, tzinfo=UTC), None)
    assert (source.date_range, source.omit_fields, source.campaign_ids) == ("before-today", ("a", "b.c"), None)
    assert (source.retry_limit, source.retry_initial_wait_millis, source.max_retry_wait_millis) == (7, 500, 300000)
    assert (made.target.mode, made.target.timezone) == ("replace_on_new_data", "Asia/Tokyo")
    assert made.schedule and (made.schedule.cron, made.schedule.delay) == ("10 0 * * *", 60)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("written", ["${OTHER_KEY}", "!env OTHER_KEY"])
def test_a_key_may_be_named(path: Path, project: Settings, written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = read(path, project, f"{START}  api_key: {written}\n").source
    with pytest.raises(ImportFileError, match=r"in\.api_key names OTHER_KEY, which is not set"):
        resolved_key(source, project)
    # as Windows writes it
    (project.project_root / ".env").write_text("OTHER_KEY=from-the-file\n", encoding="utf-8-sig")
    assert resolved_key(source, project) == "from-the-file"
    monkeypatch.setenv("OTHER_KEY", "from-outside")
    assert resolved_key(source, project) == "from-outside"
    without = read(path, project, START).source
    assert resolved_key(without, project) == project.required_api_key()


@pytest.mark.parametrize("field", ["region", "date_range", "list_id", "api_ke", "list_id: 7\n  data_type"])
def test_a_key_in_the_wrong_line_does_not_come_back(path: Path, project: Settings, field: str) -> None:
    with pytest.raises(ImportFileError) as refused:
        read(path, project, f"{START}  {field}: ab{KEY}\n")
    assert KEY not in str(refused.value)
    assert refused.value.__context__ is None


def test_a_password_in_a_url_is_warned_of_and_not_shown(path: Path, project: Settings) -> None:
    with pytest.warns(SettingsWarning, match="out.database holds the login itself") as warned:
        read(path, project, f"{START}out:\n  database: postgresql://me:hunter22@localhost/db\n")
    assert "hunter22" not in str(warned[0].message)
    with pytest.warns(SettingsWarning), pytest.raises(ImportFileError) as refused:
        read(path, project, f"{START}out:\n  type: duckdb\n  database: postgresql://me:hunter22@localhost/db\n")
    assert "hunter22" not in str(refused.value)


@pytest.mark.parametrize("written", ["out:\n  table: {}", "out:\n  type: {}", "out:\n  {}: 1", "schedule:\n  cron: {}"])
def test_a_url_in_the_wrong_line_does_not_come_back(path: Path, project: Settings, written: str) -> None:
    with pytest.raises(ImportFileError, match=r"line 4: .*hidden.*: (write|it)") as refused:
        read(path, project, START + written.format("postgresql://bob:hunt'er22@db/x") + "\n")
    assert "er22" not in str(refused.value)


@pytest.mark.parametrize("text", ["in: &a [*a]\n", "in: !!int x\n", f"in: {'[' * 5000}\n", "in: !!python/name:os\n"])
def test_yaml_that_goes_round_or_nowhere(path: Path, project: Settings, text: str) -> None:
    with pytest.raises(ImportFileError, match=r"imports/users\.yml"):
        read(path, project, text)


@pytest.mark.filterwarnings("error")
def test_the_example_runs_as_it_stands(path: Path, project: Settings, sandbox: Sandbox) -> None:
    example = Path(__file__).parents[2] / "docs" / "import-example.yml"
    made = read(path.with_name("email_sends.yml"), project, example.read_text())
    stored = run_import(made, project, "a-run", lambda text: None)
    wanted = sandbox.world.records("emailSend", Window(utc("2026-11-01"), utc("2026-11-03")), sandbox.world.now())
    assert stored.rows == len(list(wanted)) > 10
    assert stored.untyped == {}


def test_every_field_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "imports.md").read_text()
    for section in (Source, People, Target, Schedule, Column):
        for name, field in section.model_fields.items():
            for spelling in [name, *getattr(field.validation_alias, "choices", ())]:
                assert f"`{spelling}`" in text, spelling


def test_a_file_that_is_not_there_is_named(project: Settings) -> None:
    with pytest.raises(ImportFileError, match=r"There is no file imports/none\.yml"):
        read_import(project.project_root / "imports" / "none.yml", project)
