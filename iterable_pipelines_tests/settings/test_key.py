"""The key: where it may stand, and that nothing ever shows it."""

import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines.settings_sources import SettingsWarning

Given = Callable[..., Settings]
Refused = Callable[..., str]
KEY = "0123456789abcdef0123456789abcdef"


def test_a_key_from_the_environment_or_dotenv(given: Given) -> None:
    assert given(dotenv=f"ITERABLE_API_KEY={KEY}\n").required_api_key() == KEY
    assert given(ITERABLE_API_KEY="sandbox").required_api_key() == "sandbox"


@pytest.mark.parametrize("around", [f" {KEY}", f"{KEY}\n", f'"{KEY}"', f"'{KEY}' \r\n", f"\t{KEY}"])
def test_space_and_quotes_around_the_key_are_taken_off_with_a_warning(given: Given, around: str) -> None:
    with pytest.warns(SettingsWarning) as warned:
        assert given(ITERABLE_API_KEY=around).required_api_key() == KEY
    assert "ITERABLE_API_KEY in the environment" in str(warned[0].message)
    assert KEY not in str(warned[0].message)


@pytest.mark.parametrize(
    "inside", ["{} {}", "{}\n{}", "{}\r{}", "{}\t{}", '{}"{}', "{}'{}", "{}\u200b{}", "{}é{}", "{}\x1b{}"]
)
def test_a_key_with_something_inside_is_refused_and_not_shown(refused: Refused, inside: str) -> None:
    text = refused(ITERABLE_API_KEY=inside.format(KEY[:16], KEY[16:]))
    assert "ITERABLE_API_KEY in the environment: the key holds white space" in text
    assert KEY[:16] not in text
    assert KEY[16:] not in text


def test_a_missing_key_is_named_with_the_place_to_put_it(given: Given) -> None:
    with pytest.raises(SettingsError, match=r"ITERABLE_API_KEY is not set.*\n.*\.env"):
        given(ITERABLE_API_KEY="").required_api_key()


@pytest.mark.parametrize("yml", [f"api_key: {KEY}\n", f"api_key: {KEY}\nregion: eu\n", "api_key:\n"])
def test_a_key_in_the_yaml_file_is_refused_and_not_shown(refused: Refused, yml: str) -> None:
    text = refused(yml=yml)
    assert "api_key stands in iterable.yml" in text
    assert "revoke it" in text
    assert KEY not in text


@pytest.mark.parametrize("name", ["apiKey", "ITERABLE_API_KEY", "api-key", "key"])
def test_a_key_under_another_name_in_the_yaml_file_is_not_shown_either(refused: Refused, name: str) -> None:
    text = refused(yml=f"{name}: {KEY}\n")
    assert f"{name} in iterable.yml is no setting" in text
    assert KEY not in text


def test_a_key_in_the_wrong_line_is_not_shown(refused: Refused) -> None:
    assert KEY not in refused(ITERABLE_REGION=KEY)
    assert KEY not in refused(ITERABLE_REGION="", ITERABLE_BASE_URL=f"http://{KEY}.example.com")
    assert KEY not in refused(ITERABLE_BASE_URL="", ITERABLE_DATA_TYPES=f"emailSend,{KEY}")


def test_the_key_is_hidden_where_another_setting_repeats_it(refused: Refused) -> None:
    text = refused(ITERABLE_API_KEY="a-key-of-another-shape", ITERABLE_REGION="a-key-of-another-shape")
    assert "a-key-of-another-shape" not in text


def test_no_form_of_the_settings_shows_the_key(given: Given) -> None:
    settings = given(ITERABLE_API_KEY=KEY)
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert KEY not in shown


def test_errors_of_settings_made_by_hand_do_not_show_the_key() -> None:
    for wrong in ({"region": "uk"}, {"skip_users": True, "skip_activity": True}, {"nonsense": 1}):
        with pytest.raises(ValidationError) as refusal:
            Settings(api_key=KEY, **wrong)
        assert KEY not in str(refusal.value)


def test_no_traceback_shows_the_key(given: Given) -> None:
    """Not even one that prints what every variable held."""
    with pytest.raises(SettingsError) as refusal:
        given(dotenv=f"ITERABLE_API_KEY={KEY}\n", ITERABLE_REGION="uk")
    ours = refusal.value.__traceback__.tb_next.tb_next  # the frames before are this test's own, which holds the key
    told = traceback.TracebackException(SettingsError, refusal.value, ours, capture_locals=True)
    assert KEY not in "".join(told.format())


def test_a_process_that_is_refused_prints_no_key(folder: object) -> None:
    environment = {**os.environ, "ITERABLE_API_KEY": KEY + " x", "PYTHONPATH": os.pathsep.join(sys.path)}
    code = "from iterable_pipelines.settings import load_settings; load_settings()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "ITERABLE_API_KEY" in done.stderr
    assert KEY not in done.stderr + done.stdout


def test_settings_are_frozen_and_can_be_sent_to_another_process(given: Given) -> None:
    settings = given(ITERABLE_API_KEY=KEY)
    with pytest.raises(ValidationError):
        settings.region = "eu"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(settings)) == settings
