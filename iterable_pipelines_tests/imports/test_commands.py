"""The commands, as a person types them: the sample of Treasure Data from seed to history, and what is misspelt."""

import re
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import yaml

from iterable_pipelines.hours import now
from iterable_pipelines.imports.assets import import_definitions
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.cli.command import CommandHere
from iterable_pipelines_tests.imports.conftest import tick

# checklist T47, as it is printed there; the times are the sandbox's
SEED = """in:
  api_key: {key}
  type: iterable
  data_type: export_data
  region: eu
  export_data_type: user
  use_date_range: false
  incremental: true
  start_time: 2026-10-26T00:00:00.000Z
  end_time: 2026-11-02T00:00:00.000Z
"""
# T65, of what the sandbox's users have; ids are texts there
GUESSED = {
    "signup_date": {"type": "timestamp", "format": "yyyy-MM-dd HH:mm:ss xxx"},
    "profile_updated_at": {"type": "timestamp", "format": "yyyy-MM-dd HH:mm:ss xxx"},
    "itbl_internal.email_domain": {"type": "string"},
    "subscribed_message_type_ids": {"type": "json"},
    "unsubscribed_message_type_ids": {"type": "json"},
    "unsubscribed_channel_ids": {"type": "json"},
    "signup_source": {"type": "string"},
    "user_id": {"type": "string"},
    "itbl_user_id": {"type": "string"},
    "email": {"type": "string"},
}


@pytest.fixture
def command(
    project: Settings, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> CommandHere:
    """The command line of an empty project that has no key of its own."""
    return CommandHere(project.project_root, monkeypatch, capfd, base_url=sandbox.url, requests_relaxed="true")


@pytest.mark.usefixtures("environment")
@pytest.mark.filterwarnings("ignore:.*in.api_key is the key itself")
def test_the_sample_runs_as_written(command: CommandHere, project: Settings, sandbox: Sandbox) -> None:
    root = command.root
    (root / "seed.yml").write_text(SEED.format(key=sandbox.key))
    said = command("import", "guess", "seed.yml", "-o", "load.yml")
    assert said.code == 0, said.err
    assert "seed.yml: in.api_key is the key itself" in said.err
    assert f"in.api_key is {sandbox.key}" not in said.err
    load = yaml.safe_load((root / "load.yml").read_text())
    columns = {each.pop("name"): each for each in load["in"]["columns"]}
    wanted = {name: GUESSED[name] for name in GUESSED if name in columns}
    assert len(wanted) >= 8
    assert {name: columns[name] for name in wanted} == wanted

    said = command("import", "preview", "load.yml")
    assert said.code == 0, said.err
    assert re.search(r"│ signup_date +│ TIMESTAMP +│ +│ 20\d\d-", said.out)
    assert not (root / "data" / "imports.duckdb").exists()

    said = command("import", "run", "load.yml", "--database", "td_sample_db", "--table", "td_sample_table")
    assert said.code == 1
    assert "there is no database" in said.err and "--auto-create-table" in said.err
    asked = ("--database", "td_sample_db", "--table", "td_sample_table", "--auto-create-table")
    said = command("import", "run", "load.yml", *asked, "--time-column", "profile_updated_at")
    assert said.code == 0, said.err
    with duckdb.connect(root / "data" / "td_sample_db.duckdb", read_only=True) as con:
        found = con.execute(
            "select count(*), count(email) > 0, count_if(time <> profile_updated_at), count(_untyped), "
            "count_if(profile_updated_at between '2026-10-26' and '2026-11-02') from td_sample_table"
        ).fetchone()
    assert found and found[0] > 10
    assert found[1:] == (True, 0, 0, found[0])

    said = command("import", "history", "load")
    assert re.search(rf"│ success │ +{found[0]} │ .*td_sample_db.duckdb │ td_sample_table │ 20\d\d-", said.out), (
        said.out
    )
    job = re.search(r"│ ([0-9a-f-]{36}) │", said.out)
    assert job
    said = command("import", "history", "load", "--job", job[1][:8])
    assert f"rows: {found[0]}" in said.out and "untyped_values: 0" in said.out

    asked = ("users", "@daily", "td_sample_db", "td_sample_table", "load.yml", "--time-column", "profile_updated_at")
    said = command("import", "create", *asked)
    assert said.code == 0, said.err
    made = import_definitions(project)
    (request,) = tick(made, "import_users", now()).run_requests
    with dg.DagsterInstance.from_config(str(root / "data" / "dagster")) as instance:
        made.resolve_job_def("import_users").execute_in_process(instance=instance, tags=request.tags)
        # and as the UI does, for the asset that is materialized by hand
        made.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(["imports", "users"])]
        )
    listed = command("import", "history", "users").out
    assert listed.count("│ success │") == 2
    # it goes on where load.yml ended: what that has stored is there once
    with duckdb.connect(root / "data" / "td_sample_db.duckdb", read_only=True) as con:
        span = "profile_updated_at between '2026-10-26' and '2026-11-02'"
        assert con.execute(f"select count(*) from td_sample_table where {span}").fetchone() == (found[0],)


def test_an_import_with_a_schedule_from_first_to_last(command: CommandHere, sandbox: Sandbox) -> None:
    root, placed = command.root, command.root / "imports" / "daily_import.yml"
    (root / "load.yml").write_text(SEED.replace("  api_key: {key}\n", ""))
    asked = ("import", "create", "daily_import", "10 0 * * *", "td_sample_db", "td_sample_table", "load.yml")
    said = command(*asked, "-t", "PST")
    assert said.code == 1
    assert "imports/daily_import.yml" in said.err and "write perhaps America/Los_Angeles" in said.err
    assert not placed.exists()
    said = command("import", "create", "daily-import", *asked[3:])
    assert said.code == 1
    assert "'daily-import' is no name of an import" in said.err
    said = command(*asked, "-t", "Asia/Tokyo", "--delay", "90", "--auto-create-table")
    assert (said.code, said.err) == (0, "")
    again = command(*asked)
    assert again.code == 1
    assert "is there already, and was left as it is" in again.err
    assert yaml.safe_load(placed.read_text())["schedule"] == {
        "cron": "10 0 * * *",
        "delay": 90,
        "timezone": "Asia/Tokyo",
        "enabled": True,
    }
    row = r"daily_import │ 10 0 \* \* \* │ Asia/Tokyo │ 90 s +│ .*td_sample_db.duckdb │ td_sample_table │ append │ "
    assert re.search(row + "yes", command("import", "list").out)
    shown = command("import", "show", "daily_import").out
    for line in ("Name     : daily_import", "Cron     : 10 0 * * *", "Timezone : Asia/Tokyo", "Delay    : 90 s"):
        assert line in shown
    assert "export_data_type: user" in shown

    placed.write_text("# ours\n" + placed.read_text())
    for word, enabled, told in (("disable", False, "no"), ("enable", True, "yes")):
        said = command("import", word, "daily_import")
        assert said.code == 0, said.err
        assert yaml.safe_load(placed.read_text())["schedule"]["enabled"] is enabled
        assert re.search(row + told, command("import", "list").out)
    assert placed.read_text().startswith("# ours\n")

    said = command(*asked, "--overwrite")
    assert said.code == 0
    assert "Warning: daily_import: there is no database data/td_sample_db.duckdb" in said.err
    assert command(*asked, "--auto-create-table", "--overwrite").err == ""
    said = command("import", "run", "daily_import", api_key=sandbox.key)
    assert said.code == 0, said.err
    said = command("import", "delete", "daily_import")
    assert said.code == 0
    assert not placed.exists()
    assert "No import yet" in command("import", "list").out
    # the table and the history stay
    assert (root / "data" / "td_sample_db.duckdb").exists()
    assert "success" in command("import", "history", "daily_import").out


@pytest.mark.parametrize("arguments", [("show", "x"), ("enable", "x"), ("disable", "x"), ("delete", "x"), ("run", "x")])
def test_a_name_that_no_import_has(command: CommandHere, arguments: tuple[str, ...]) -> None:
    said = command("import", *arguments)
    assert said.code == 1
    assert "There is no import 'x'" in said.err
    assert "Next: iterable-pipelines import list" in said.err


def test_a_file_that_is_wrong_is_told_by_every_command(command: CommandHere, sandbox: Sandbox) -> None:
    path = command.root / "imports" / "users.yml"
    path.parent.mkdir()
    path.write_text("in:\n  type: iterable\n  region: uk\nout:\n  table: users\n")
    for arguments in (
        ("list",),
        ("show", "users"),
        ("run", "users"),
        ("preview", "users"),
        ("guess", "users"),
        ("disable", "users"),
        ("create", "other", "@daily", "db", "t", "users"),
    ):
        said = command("import", *arguments)
        assert said.code == 1, arguments
        assert "imports/users.yml, line 3: in.region is 'uk': it must be 'us' or 'eu'" in said.err
    assert not sandbox.requests()


def test_a_key_that_is_wrong(command: CommandHere, sandbox: Sandbox) -> None:
    key = "0123456789abcdef0123456789abcdef"
    path = command.root / "load.yml"
    path.write_text(SEED.format(key=key))
    for arguments in (("preview",), ("guess", "-o", "other.yml"), ("run", "--table", "t", "--auto-create-table")):
        said = command("import", arguments[0], "load.yml", *arguments[1:])
        assert said.code == 1
        assert "load: " in said.err and "401" in said.err
        assert "Nothing of it was stored" in said.err
        assert "Next: correct the file, or the key of in.api_key" in said.err
        assert key not in said.out + said.err
    assert not (command.root / "other.yml").exists()
    for file in (command.root / "data").rglob("*"):
        assert not file.is_file() or key.encode() not in file.read_bytes(), file
    path.write_text(SEED.replace("  api_key: {key}\n", ""))
    said = command("import", "preview", "load.yml")
    assert said.code == 1
    assert "ITERABLE_API_KEY is not set" in said.err


@pytest.mark.parametrize(
    "written", ["  api_key: 0123456789abcdef0123456789abcdef\n", "out: {database: 'postgresql://me:hunter22@h/d'}\n"]
)
def test_a_file_with_a_secret_in_it_is_for_its_owner_alone(command: CommandHere, written: str) -> None:
    seed = SEED.replace("  api_key: {key}\n", "")
    (command.root / "load.yml").write_text(seed + written)
    database = "postgresql://me:hunter22@127.0.0.1:1/d" if "out" in written else "db"
    said = command("import", "create", "mine", "@daily", database, "t", "load.yml")
    assert said.code == 0, said.err
    assert "hunter22" not in said.out + said.err
    made = command.root / "imports" / "mine.yml"
    assert made.stat().st_mode & 0o777 == 0o600
    # and stays so when it is written again
    assert command("import", "disable", "mine").code == 0
    assert made.stat().st_mode & 0o777 == 0o600
    # whoever swaps them
    said = command("import", "create", "swapped", "@daily", "t", "postgresql://me:hunter22@h/d", "load.yml")
    assert said.code == 1 and "out.table" in said.err
    assert "hunter22" not in said.out + said.err


def test_a_run_tells_what_did_not_fit_and_what_no_column_reads(command: CommandHere, sandbox: Sandbox) -> None:
    columns = "  columns: [{name: email, type: long}, {name: user_id, type: string}]\n"
    (command.root / "load.yml").write_text(SEED.format(key=sandbox.key) + columns)
    said = command("import", "run", "load.yml", "--table", "t", "--auto-create-table")
    assert said.code == 0, said.err
    told = " ".join(said.out.split())
    assert re.search(r"rows stored in t of .*; untyped_columns: email \(\d+\); fields_left_out: .*signupDate", told)


def test_nothing_to_guess_from(command: CommandHere, sandbox: Sandbox) -> None:
    seed = SEED.format(key=sandbox.key).replace("2026-10-26", "2020-01-01").replace("2026-11-02", "2020-01-03")
    (command.root / "seed.yml").write_text(seed)
    said = command("import", "guess", "seed.yml")
    assert said.code == 1
    assert "there is nothing to guess from; load.yml was not written" in said.err
    (command.root / "load.yml").write_text("mine")
    said = command("import", "guess", "seed.yml")
    assert "load.yml is there already, and was left as it is" in said.err
    assert (command.root / "load.yml").read_text() == "mine"


def test_a_schedule_that_is_written_in_one_line_can_be_turned_off(command: CommandHere) -> None:
    path = Path(command.root / "imports" / "lists.yml")
    path.parent.mkdir()
    path.write_text("in: {type: iterable, data_type: list, list_id: 7}\nout: {table: t}\nschedule: {cron: '@daily'}\n")
    assert command("import", "disable", "lists").code == 0
    assert yaml.safe_load(path.read_text())["schedule"] == {"cron": "@daily", "enabled": False}
    for line in ("schedule: {cron: '@daily', enabled: true}", "schedule:\n  {cron: '@daily'}"):
        path.write_text("# ours\nin: {type: iterable, data_type: list, list_id: 7}\nout: {table: t}\n" + line + "\n")
        said = command("import", "disable", "lists")
        assert said.code == 0, said.err
        assert yaml.safe_load(path.read_text())["schedule"] == {"cron": "@daily", "enabled": False}
        assert path.read_text().startswith("# ours") == ("enabled" in line)
    path.write_text("in: {type: iterable}\nout: {table: t}\n")
    said = command("import", "enable", "lists")
    assert said.code == 1
    assert "imports/lists.yml has no schedule" in said.err
