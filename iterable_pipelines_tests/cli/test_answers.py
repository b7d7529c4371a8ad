"""What `plan`, `status` and `profile` say of a project whose state is known."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from iterable_pipelines.cli import main
from iterable_pipelines.cli.completeness import spelled
from iterable_pipelines.data_types import DATA_TYPE, STREAM
from iterable_pipelines.hours import HOUR, Window, hour_of, now, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.landing.manifest import Fetch
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.landing_by_hand import land

START = parse_hour("2026-11-01")
RCS = "iterable_rcs_activity"


@pytest.fixture
def answer(
    project: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs a command on the project in this process; gives its exit code and all it said."""
    for name in DATA_TYPE:
        monkeypatch.delenv(f"ITERABLE_{name.upper()}", raising=False)
    monkeypatch.setenv("ITERABLE_PROJECT_ROOT", str(tmp_path))
    monkeypatch.setenv("ITERABLE_START_DATE", "2026-11-01")

    def ask(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        said = capsys.readouterr()
        return int(str(left.value.code or 0)), said.out + said.err

    return ask


def row(text: str, name: str) -> list[str]:
    """The cells of the table row that begins with `name`."""
    (line,) = [each for each in text.splitlines() if each.startswith(f"│ {name} ")]
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_plan_counts_what_is_missing(
    project: Settings, manifest: Manifest, answer: Callable[..., tuple[int, str]]
) -> None:
    # rcsSend lacks hours 2 to 4 and 6, rcsSendSkip lacks all
    for at in (0, 1, 5):
        land(project, manifest, "rcsSend", START + at * HOUR, [], minutes_after=8 * 24 * 60)
    # fetched before it could settle: asked for once more
    land(project, manifest, "rcsSend", START + 6 * HOUR, [], minutes_after=5)
    code, text = answer("plan", "--from", "2026-11-01T00", "--to", "2026-11-01T07", "--stream", RCS)
    assert code == 0
    # types, hours to fetch, hours kept, requests, jobs, minutes, rows and MB unknown
    assert row(text, RCS) == [RCS, "2", "11", "3", "3", "0", "0.8", "?", "?"]
    assert row(text, "all")[4:] == ["3", "0", "0.8", "?", "?"]


def test_plan_of_months_counts_jobs_of_a_quarter(project: Settings, answer: Callable[..., tuple[int, str]]) -> None:
    code, text = answer("plan", "--from", "2026-05-01", "--to", "2026-11-01", "--windows")
    assert code == 0
    # 184 days are two quarters, 92 days each
    assert row(text, "all")[4:6] == ["0", f"{2 * len(DATA_TYPE)}"]
    windows = [line for line in text.splitlines() if line.startswith("emailSend [")]
    assert windows == [
        "emailSend [2026-05-01 00:00:00, 2026-08-01 00:00:00) UTC by job",
        "emailSend [2026-08-01 00:00:00, 2026-11-01 00:00:00) UTC by job",
    ]


def test_plan_expects_what_it_has_seen(
    project: Settings, manifest: Manifest, answer: Callable[..., tuple[int, str]]
) -> None:
    window = Window(START, START + 10 * HOUR)
    fetch = Fetch("rcsSend", window, "export", now(), 1000, 500_000, 1, 1.0, 0.0, "run")
    manifest.add([], fetch)
    _, text = answer("plan", "--from", "2026-11-02T00", "--to", "2026-11-02T05", "--stream", RCS)
    assert row(text, RCS)[-2:] == ["500", "0.2"]


def test_status_shows_the_newest_stretch_without_a_hole(
    project: Settings, manifest: Manifest, warehouse: Warehouse, answer: Callable[..., tuple[int, str]]
) -> None:
    hours = Window(START, START + 6 * HOUR).hours()
    for hour in hours:
        for name in STREAM[RCS].data_types:
            if hour != hours[2]:
                land(
                    project, manifest, name, hour, [{"email": "a@b.c", "createdAt": f"{hour:%Y-%m-%d %H:%M:%S} +00:00"}]
                )
    load_hours(warehouse, manifest, project, RCS, hours[:5], "run", log=lambda text: None)
    code, text = answer("status")
    total = int((hour_of(now()) - START) / timedelta(hours=1))
    assert code == 0
    # hour 2 has not landed, hour 5 has landed and is not loaded
    assert row(text, RCS)[1:] == [
        *("2026-11-01T03", "2026-11-01T05", "10", f"{total - 4}", f"{total - 5}", "5", "0", "0", "0", "0")
    ]
    assert row(text, "iterable_users")[1] == "nothing yet"
    assert f"First of {RCS}: rcsSend, rcsSendSkip 2026-11-01T02: not landed" in text


def test_status_before_the_first_import_makes_no_warehouse(
    project: Settings, answer: Callable[..., tuple[int, str]]
) -> None:
    code, text = answer("status", "--page")
    assert code == 0
    assert row(text, RCS)[1:3] == ["nothing yet", ""]
    assert not project.warehouse_path.exists()
    page = (project.data_dir / "completeness.md").read_text()
    assert f"| {RCS} | nothing yet |" in page


def test_profile_is_found_by_address_or_id(
    project: Settings, warehouse: Warehouse, answer: Callable[..., tuple[int, str]]
) -> None:
    with warehouse.transaction() as con:
        con.execute("create schema profiles")
        con.execute(
            "create table profiles.user_profiles as select 'ada@example.com' as user_key, '[bold] & co' as city, "
            "'u1' as it_user_id, 3::bigint as it_push_openct, 0::bigint as it_push_sendct, null::double as nothing, "
            "timestamp '2026-11-01 03:00:00' as it_first_push_open_ts, true as _has_user, "
            "range(20)::text[] as it_campaigns, map {'10': 1, '9': 2} as it_conversions, "
            "timestamp '2026-11-01 03:00:00' as last_active_ts"
        )
    for published in (False, True):
        if published:
            warehouse.publish()
        for name in ("ada@example.com", "  ADA@Example.com", "u1"):
            code, text = answer("profile", name)
            assert code == 0
            assert row(text, "city")[1] == "[bold] & co"
            assert row(text, "push_open") == ["push_open", "3", "2026-11-01 03:00:00", ""]
            assert row(text, "it_campaigns")[1] == "0, 1, 2, 3, 4, 5, 6, 7 and 12 more"
            assert row(text, "it_conversions")[1] == "9: 2, 10: 1"
            assert row(text, "last_active_ts")[1] == "2026-11-01 03:00:00"
            assert "2 more fields are empty or 0" in text
        code, text = answer("profile", "nobody@example.com")
        assert code == 1
        assert "Nobody is known as 'nobody@example.com'" in text


def test_hours_are_spelled_as_spans() -> None:
    hours = [START + at * HOUR for at in (0, 1, 2, 5, 8, 10)]
    assert spelled(hours) == "2026-11-01T00 to 2026-11-01T03, 2026-11-01T05, 2026-11-01T08 and 1 more spans"
