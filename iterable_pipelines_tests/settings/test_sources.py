"""Where settings come from: environment, `.env`, `iterable.yml`, and which of them wins."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.settings_sources import SettingsWarning

Given = Callable[..., Settings]
Refused = Callable[..., str]


def test_nothing_written_is_a_project_with_defaults(given: Given, folder: Path) -> None:
    settings = given()
    assert settings.url == "https://api.iterable.com"
    assert settings.api_key is None
    assert settings.project_root == folder.resolve()
    assert settings.data_dir == folder.resolve() / "data"
    assert settings.landing_dir == settings.data_dir / "landing"
    assert settings.warehouse_path == settings.data_dir / "iterable.duckdb"
    assert settings.published_path == settings.data_dir / "iterable.read.duckdb"
    assert settings.ledger_path == settings.data_dir / "ledger.db"
    assert settings.dagster_home == settings.data_dir / "dagster"
    assert settings.keep_updated


def test_environment_wins_over_dotenv_wins_over_yaml(given: Given) -> None:
    settings = given(
        yml="region: us\nmemory_limit: 2GB\nsettle_after_hours: 5\n",
        dotenv="ITERABLE_REGION=us\nITERABLE_MEMORY_LIMIT=3GB\n",
        ITERABLE_REGION="eu",
    )
    assert (settings.region, settings.memory_limit, settings.settle_after_hours) == ("eu", "3GB", 5)
    assert settings.url == "https://api.eu.iterable.com"


def test_an_empty_value_counts_as_not_written(given: Given) -> None:
    settings = given(
        dotenv="ITERABLE_API_KEY=\nITERABLE_REGION=\nITERABLE_START_DATE=\n",
        yml="region: eu\ndata_types:\n",
        ITERABLE_API_KEY="",
        ITERABLE_MEMORY_LIMIT="  ",
    )
    assert settings.api_key is None
    assert settings.region == "eu"
    assert settings.memory_limit == "1GB"


def test_an_empty_variable_does_not_hide_the_key_in_dotenv(given: Given) -> None:
    assert given(dotenv="ITERABLE_API_KEY=abc\n", ITERABLE_API_KEY="").required_api_key() == "abc"


def test_unknown_names_are_refused_with_the_nearest_known(refused: Refused) -> None:
    text = refused(ITERABLE_REGOIN="us", dotenv="ITERABLE_START_DAY=2026-11-01\n", yml="memorylimit: 1GB\nzzz: 1\n")
    assert "ITERABLE_REGOIN in the environment is no setting, did you mean ITERABLE_REGION?" in text
    assert "ITERABLE_START_DAY in .env is no setting, did you mean ITERABLE_START_DATE?" in text
    assert "memorylimit in iterable.yml is no setting, did you mean memory_limit?" in text
    assert "zzz in iterable.yml is no setting\n" in text
    assert text.startswith("4 settings are wrong")
    assert "iterable-pipelines check" in text


def test_names_of_others_are_left_alone(given: Given) -> None:
    given(
        dotenv="DAGSTER_HOME=/somewhere\nregion=moon\n",
        ITERABLE_CRASH_AT="landed",
        ITERABLE_WAREHOUSE_PATH="/somewhere/x.duckdb",
        UNRELATED="1",
    )


def test_every_problem_stands_on_its_own_line(refused: Refused) -> None:
    text = refused(ITERABLE_REGION="uk", ITERABLE_SKIP_USERS="perhaps", yml="settle_after_hours: 999\n")
    lines = text.splitlines()
    assert "  ITERABLE_REGION in the environment is 'uk': it must be 'us' or 'eu'" in lines
    assert "  ITERABLE_SKIP_USERS in the environment is 'perhaps': write true or false" in lines
    assert any(
        each.startswith("  settle_after_hours in iterable.yml is 999: ") and "less than or equal to 168" in each
        for each in lines
    )


@pytest.mark.parametrize(
    ("yml", "said"),
    [
        ("region: [us\nmemory_limit: 1GB\n", "line 2"),
        ("- region\n", "cannot be read as settings"),
        ("just text\n", "cannot be read as settings"),
        ("project_root: /tmp\n", "project_root in iterable.yml is no setting"),
    ],
)
def test_a_file_that_is_no_list_of_settings_is_named(refused: Refused, yml: str, said: str) -> None:
    text = refused(yml=yml)
    assert "iterable.yml" in text
    assert said in text


def test_a_broken_file_is_not_quoted(refused: Refused) -> None:
    assert "verysecret" not in refused(yml="api_key: 'verysecret\n")


def test_files_that_cannot_be_decoded_are_named(refused: Refused, folder: Path) -> None:
    (folder / ".env").write_bytes(b"ITERABLE_REGION=\xff\xfe\n")
    (folder / "iterable.yml").write_bytes(b"region: \xff\xfe\n")
    text = refused()
    assert str(folder.resolve() / ".env") in text
    assert str(folder.resolve() / "iterable.yml") in text


def test_dotenv_with_a_byte_order_mark_and_exports(given: Given, folder: Path) -> None:
    (folder / ".env").write_bytes(b"\xef\xbb\xbfexport ITERABLE_REGION='eu'\r\nITERABLE_MEMORY_LIMIT=2GB\r\n")
    settings = given()
    assert (settings.region, settings.memory_limit) == ("eu", "2GB")


def test_a_yaml_file_of_the_wrong_name_does_not_go_unread(refused: Refused, folder: Path) -> None:
    (folder / "iterable.yaml").write_text("region: eu\n")
    assert "rename it to iterable.yml" in refused()


def test_the_root_cannot_stand_in_the_file_it_is_the_root_of(refused: Refused) -> None:
    assert "ITERABLE_PROJECT_ROOT cannot stand in .env" in refused(dotenv="ITERABLE_PROJECT_ROOT=/tmp\n")


def test_a_root_that_is_not_there_is_named(refused: Refused) -> None:
    text = refused(ITERABLE_PROJECT_ROOT="/not/there")
    assert "ITERABLE_PROJECT_ROOT" in text
    assert "'/not/there'" in text


def test_quotes_and_space_around_a_value_are_taken_off_with_a_warning(given: Given) -> None:
    with pytest.warns(SettingsWarning, match="ITERABLE_REGION in the environment: white space or quotes"):
        assert given(ITERABLE_REGION=' "eu" ').region == "eu"


def test_made_by_hand_it_reads_nothing_but_its_arguments(given: Given, folder: Path) -> None:
    given(ITERABLE_REGION="eu", dotenv="ITERABLE_MEMORY_LIMIT=2GB\n", yml="skip_users: true\n")
    settings = Settings(data_dir=folder / "elsewhere")
    assert (settings.region, settings.memory_limit, settings.skip_users) == ("us", "1GB", False)


def test_nothing_is_read_at_import() -> None:
    """A wrong setting stops what loads the settings, not what imports the module."""
    environment = {**os.environ, "ITERABLE_REGION": "uk", "PYTHONPATH": os.pathsep.join(sys.path)}
    code = "import iterable_pipelines.settings as s\ntry: s.load_settings()\nexcept s.SettingsError as e: print(e)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "ITERABLE_REGION in the environment is 'uk'" in done.stdout


def test_a_relative_folder_is_the_same_from_every_working_directory(folder: Path, tmp_path: Path) -> None:
    (folder / "iterable.yml").write_text("data_dir: store\nwarehouse: ../big/w.duckdb\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    code = "from iterable_pipelines.settings import load_settings as l; print(l().ledger_path, l().warehouse_path)"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=cwd, capture_output=True, text=True, check=True
        ).stdout
        for cwd in (tmp_path, folder, Path("/"))
    }
    big = tmp_path.resolve() / "big" / "w.duckdb"
    assert seen == {f"{folder.resolve() / 'store' / 'ledger.db'} {big}\n"}


def test_without_a_named_root_the_checkout_is_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ITERABLE_PROJECT_ROOT")
    monkeypatch.setenv("ITERABLE_REGION", "us")
    assert Settings().project_root == Path(__file__).resolve().parents[2]


def test_the_project_s_own_files_are_found_wherever_the_settings_are_read_from(given: Given) -> None:
    assert (given().checkout / "dagster.yaml").is_file()


def test_a_folder_can_be_asked_for(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "iterable.yml").write_text("region: eu\n")
    assert load_settings(other).region == "eu"
