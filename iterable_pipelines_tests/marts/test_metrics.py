"""What the marts count is said in the settings; two clicks of one second are two; a mart is right in the copy, too."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.marts.steps import STEPS, step_of
from iterable_pipelines.profiles import run_models
from iterable_pipelines.settings import Settings, SettingsError, load_settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.marts.conftest import rows

HOUR = parse_hour("2026-11-01T03")
Counted = Callable[[str], dict[str, object]]


def totals(warehouse: Warehouse, mart: str) -> dict[str, object]:
    """The counts in the one row of a mart."""
    (row,) = rows(warehouse, mart)
    return {name: value for name, value in row.items() if name.startswith(("total_", "unique_total_", "purchase_"))}


def test_metrics_change_without_a_rebuild_and_two_clicks_of_a_second_are_two(
    project: Settings, manifest: Manifest, warehouse: Warehouse, tmp_path: Path
) -> None:
    click = {"createdAt": "2026-11-01 03:00:07 +00:00", "email": "a@b.c", "campaignId": 7}
    land(project, manifest, "emailClick", HOUR, [click, click, click | {"email": " A@b.C "}])
    land(project, manifest, "purchase", HOUR, [click | {"total": 1.1}, click | {"total": 2.2}])
    for stream in ("iterable_activity", "iterable_purchase_activity"):
        load_hours(warehouse, manifest, project, stream, [HOUR], "run", log=lambda text: None)
    narrow = project.model_copy(update={"mart_metrics": ("emailClick",)})
    run_models(narrow, warehouse)
    assert totals(warehouse, "iterable__user_campaign") == {"total_emailclick": 3, "purchase_revenue": 3.3}
    assert totals(warehouse, "iterable__users") == {"total_emailclick": 3, "purchase_revenue": 3.3}
    assert totals(warehouse, "iterable__campaigns") == {
        "total_emailclick": 3, "unique_total_emailclick": 1, "purchase_revenue": 3.3,
    }  # fmt: skip
    built = warehouse.read("select count(*) from profiles.touched_users")
    assert built == [(1,)]

    # another build with nothing to do but another configuration: nobody is counted anew, and all of it is there
    run_models(project, warehouse)
    assert warehouse.read("select count(*) from marts.touched_people") == [(0,)]
    found = totals(warehouse, "iterable__campaigns")
    assert (found["total_purchase"], found["unique_total_purchase"], found["unique_total_emailclick"]) == (2, 1, 1)
    assert len(found) == 2 * (len(DATA_TYPE) - 1) + 1

    # whatever the file is called, the views in it mean the tables in it
    copy = tmp_path / "another name.duckdb"
    copy.write_bytes(warehouse.publish().read_bytes())
    with duckdb.connect() as con:
        con.execute(f"attach '{copy}' as elsewhere (read_only)")
        for mart in ("iterable__events", "iterable__users", "iterable__campaigns", "iterable__user_unsubscriptions"):
            con.execute(f"select * from elsewhere.marts.{mart}").fetchall()
        assert con.execute("select count(*) from elsewhere.marts.iterable__events").fetchone() == (5,)


def test_a_wrong_metric_is_refused_with_the_right_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERABLE_PROJECT_ROOT", str(tmp_path))
    for given, said in {
        "emailOpened": "'emailOpened' is no event that can be counted, did you mean emailOpen?",
        "user": "'user' is no event that can be counted",
        "zzzzzz": ", ".join(name for name in DATA_TYPE if name != "user"),
    }.items():
        (tmp_path / "iterable.yml").write_text(f"mart_metrics: [emailSend, {given}]\n")
        with pytest.raises(SettingsError) as refused:
            load_settings()
        assert "mart_metrics in iterable.yml" in str(refused.value)
        assert said in str(refused.value)
    (tmp_path / "iterable.yml").write_text("mart_metrics: [emailSend, purchase]\n")
    assert load_settings().counted_events == ("emailSend", "purchase")


def test_metrics_are_what_is_imported_unless_they_are_named() -> None:
    assert Settings(data_types=("emailOpen", "purchase")).counted_events == ("emailOpen", "purchase")
    assert set(Settings().counted_events) == set(DATA_TYPE) - {"user"}


def test_steps_of_a_campaign_are_told_by_the_names_of_data_types() -> None:
    steps = {step: {name for name in DATA_TYPE if step_of(name) == step} for step in ("", *STEPS)}
    assert steps["converted"] == {"purchase"}
    assert steps["opened"] == {"emailOpen", "pushOpen", "inAppOpen", "whatsAppSeen", "embeddedImpression"}
    assert steps["clicked"] == {
        "emailClick", "smsClick", "inAppClick", "webPushClick", "embeddedClick", "whatsAppClick",
    }  # fmt: skip
    assert {"hostedUnsubscribeClick", "emailSendSkip", "inboxSession"} <= steps[""]
