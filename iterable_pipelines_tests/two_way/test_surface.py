"""What Dagster and the command line show of a two-way synchronization."""

import dagster as dg
import pytest

from iterable_pipelines.activation.errors import AlreadyRunning
from iterable_pipelines.cli.app import main
from iterable_pipelines.settings import SettingsError
from iterable_pipelines.two_way.assets import two_way_definitions
from iterable_pipelines.two_way.state import open_state
from iterable_pipelines_tests.two_way.conftest import ITEMS, edited_on_both_sides


@pytest.fixture
def project(shop, monkeypatch):
    """The settings of the shop, as a command finds them."""
    monkeypatch.setenv("ITERABLE_PROJECT_ROOT", str(shop.settings.project_root))
    monkeypatch.setenv("ITERABLE_DATA_DIR", str(shop.settings.data_dir))
    monkeypatch.setenv("ITERABLE_API_KEY", shop.settings.required_api_key())
    monkeypatch.setenv("ITERABLE_BASE_URL", shop.settings.url)
    monkeypatch.setenv("ITERABLE_PROJECT_TYPE", "hybrid")
    return shop


def materialize(shop, **options):
    definitions = two_way_definitions(shop.settings)
    run_config = {"ops": {"two_way__shop": {"config": options}}}
    return dg.materialize([*definitions.assets, *definitions.asset_checks], run_config=run_config, raise_on_error=False)


def figures(result):
    (made,) = result.get_asset_materialization_events()
    return {name: each.value for name, each in made.materialization.metadata.items()}


def passed(result):
    return {each.check_name: each.passed for each in result.get_asset_check_evaluations()}


def test_the_asset_tells_what_it_did_and_its_checks_whether_all_is_alike(project):
    project.declare(ITEMS + "conflict: manual\n")
    project.here("update shop.items set price = 3 where item_id = 'b'")
    found = materialize(project)
    assert found.success and figures(found)["to_remote"] == figures(found)["requests"] == 1
    assert passed(found) == {"in_agreement": True, "no_conflicts": True}
    edited_on_both_sides(project)
    project.here("insert into shop.items (item_id) values ('no id')")
    found = materialize(project)
    assert figures(found)["problems"] == "conflict: 1, invalid_item_id: 1"
    assert passed(found) == {"in_agreement": False, "no_conflicts": False}


def test_a_dry_run_of_the_asset_changes_nothing(project):
    project.here("update shop.items set price = 3")
    found = materialize(project, dry_run=True)
    assert found.success and not found.get_asset_materialization_events() and project.writes() == 0


def test_a_guard_fails_the_asset_with_the_next_command(project):
    project.declare(ITEMS.replace("at_least: 1000", "at_least: 0"))
    project.here("update shop.items set price = 3")
    found = materialize(project)
    (failed,) = [each for each in found.all_events if each.is_step_failure and each.step_key == "two_way__shop"]
    said = failed.event_specific_data.user_failure_data.description
    assert "Next: look at iterable-pipelines two-way plan shop" in said and project.writes() == 0
    assert materialize(project, approve=["changes"]).success and project.writes() == 1


def test_a_second_run_leaves_the_first_alone(project):
    with open_state(project.settings, "shop", write=True):
        with pytest.raises(AlreadyRunning, match="two-way run shop"):
            project.run()
        found = materialize(project)
    assert found.success and not found.get_asset_materialization_events()


def test_a_schedule_runs_what_is_switched_on(project):
    project.declare(ITEMS + 'schedule: "*/30 * * * *"\n')
    (schedule,) = two_way_definitions(project.settings).schedules
    assert (schedule.name, schedule.cron_schedule) == ("two_way_shop", "*/30 * * * *")
    project.declare(ITEMS + 'schedule: "*/30 * * * *"\nenabled: false\n')
    assert two_way_definitions(project.settings).schedules == []


def test_two_files_for_one_table_are_refused(project):
    project.declare(ITEMS)
    project.name = "second"
    project.declare(ITEMS.replace("catalog: shop", "catalog: products"))
    with pytest.raises(SettingsError, match=r"shop\.items is the table of two files"):
        two_way_definitions(project.settings)


def command(*arguments):
    with pytest.raises(SystemExit) as left:
        main(["two-way", *arguments])
    return left.value.code


def test_commands_list_plan_show_and_resolve(project, capsys):
    project.declare(ITEMS + "conflict: manual\n")
    edited_on_both_sides(project)
    assert command("plan", "shop") == 0
    said = capsys.readouterr().out
    assert "Jug" in said and "Cup" in said and "nothing was changed" in said
    project.run()
    assert command("conflicts", "shop") == command("show", "shop") == command("list") == 0
    said = capsys.readouterr().out
    assert "two-way resolve shop KEY" in said and "not alike: conflict" in said
    assert command("resolve", "shop", "b", "iterable") == 1
    assert "no conflict about 'b'; there are a" in capsys.readouterr().err
    assert command("resolve", "shop", "a", "iterable") == 0
    project.run()
    assert project.rows()["a"][0] == "Cup"
    assert command("conflicts", "shop") == 0 and "nothing that is not alike" in capsys.readouterr().out


def test_the_run_command_is_a_run_of_dagster(project, capsys):
    project.here("update shop.items set name = 'Chai' where item_id = 'b'")
    assert command("run", "shop", "--dry-run") == 0 and project.items()["b"]["name"] == "Tea"
    assert command("run", "shop", "--approve", "everything") == 1
    assert "there are changes, deletes, empty_side" in capsys.readouterr().err
    assert command("run", "shop") == 0 and project.items()["b"]["name"] == "Chai"
    assert "1 to_remote" in capsys.readouterr().out
