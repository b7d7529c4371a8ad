"""The token of the webhooks: as secret as the key; and the header it comes in."""

import traceback
from collections.abc import Callable

import pytest

from iterable_pipelines.settings import Settings, SettingsError

Given = Callable[..., Settings]
Refused = Callable[..., str]
OLD, NEW = "the-old-token-of-webhooks", "the-new-token-of-webhooks"


def test_one_token_or_two(given: Given) -> None:
    assert given(ITERABLE_WEBHOOK_TOKEN=OLD).required_webhook_tokens() == (OLD,)
    assert given(ITERABLE_WEBHOOK_TOKEN=f"{OLD}, {NEW}").required_webhook_tokens() == (OLD, NEW)
    assert given(ITERABLE_WEBHOOK_TOKEN="", dotenv=f"ITERABLE_WEBHOOK_TOKEN={NEW}\n").required_webhook_tokens() == (
        NEW,
    )


def test_none_is_named_with_how_to_make_one(given: Given) -> None:
    with pytest.raises(SettingsError, match=r"ITERABLE_WEBHOOK_TOKEN is not set.*\n.*openssl rand -hex 32.*\.env"):
        given().required_webhook_tokens()


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("fifteen-signs-x", "a token needs 16 characters"),
        (f"{OLD},short", "a token needs 16 characters"),
        (f"{OLD},{NEW},a-third-token-of-webhooks", "write one token, or two"),
        (f"{OLD} {NEW}", "the token holds white space"),
        (f"{OLD}é", "the token holds white space"),
        (f"{OLD}\x00", "the token holds white space"),
    ],
)
def test_what_is_no_token_is_refused_and_not_shown(given: Given, written: str, why: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        # the environment takes no NUL
        given(dotenv=f'ITERABLE_WEBHOOK_TOKEN="{written}"\n')
    assert f"ITERABLE_WEBHOOK_TOKEN in .env: {why}" in str(refusal.value)
    for part in (OLD, NEW, "fifteen", "short", "third"):
        assert part not in str(refusal.value)


def test_a_token_in_the_yaml_file_is_refused_and_not_shown(refused: Refused) -> None:
    text = refused(yml=f"webhook_token: {OLD}\n")
    assert "webhook_token stands in iterable.yml" in text and "revoke it" in text
    assert OLD not in text


def test_each_token_is_hidden_where_another_setting_repeats_it(refused: Refused) -> None:
    text = refused(ITERABLE_WEBHOOK_TOKEN=f"{OLD},{NEW}", ITERABLE_REGION=NEW, ITERABLE_PROJECT_TYPE=OLD)
    assert OLD not in text and NEW not in text


def test_no_form_of_the_settings_shows_it(given: Given) -> None:
    settings = given(ITERABLE_WEBHOOK_TOKEN=f"{OLD},{NEW}")
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert OLD not in shown and NEW not in shown


def test_no_traceback_shows_it(given: Given) -> None:
    with pytest.raises(SettingsError) as refusal:
        given(dotenv=f"ITERABLE_WEBHOOK_TOKEN={OLD}\n", ITERABLE_REGION="uk")
    ours = refusal.value.__traceback__.tb_next.tb_next  # the frames before are this test's own, which holds it
    told = traceback.TracebackException(SettingsError, refusal.value, ours, capture_locals=True)
    assert OLD not in "".join(told.format())


@pytest.mark.parametrize("name", ["Authorization", "X-Webhook-Token", "x-token"])
def test_a_header_of_ones_own(given: Given, name: str) -> None:
    assert given(ITERABLE_WEBHOOK_HEADER=name).webhook_header == name


@pytest.mark.parametrize("name", ["X Token", "X_Token", "X:", "Host", "content-length", "é", "-X", "x" * 65])
def test_a_header_that_is_none_or_taken_is_refused(refused: Refused, name: str) -> None:
    assert "ITERABLE_WEBHOOK_HEADER" in refused(ITERABLE_WEBHOOK_HEADER=name)
