"""What each setting takes and refuses."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given as property_of
from hypothesis import strategies as st

from iterable_pipelines.data_types import DATA_TYPE, DATA_TYPES, STREAMS
from iterable_pipelines.hours import now, parse_hour
from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_values import did_you_mean, names, trimmed

Given = Callable[..., Settings]
Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-01T03:30:00", "no time zone: write 2026-11-01T03:30:00Z"),
        ("2026-11-01 03:30", "no time zone"),
        ("2999-01-01", "in the future"),
        ("2999-01-01T00:00:00Z", "in the future"),
        ("1026-11-01", "before 2013"),
        ("0001-01-01T00:00:00+14:00", "before 2013"),
        ("2026-13-01", "no date"),
        ("2026-02-30", "no date"),
        ("yesterday", "no date"),
        ("01.11.2026", "no date"),
    ],
)
def test_a_start_date_that_means_nothing_certain_is_refused(refused: Refused, text: str, said: str) -> None:
    told = refused(ITERABLE_START_DATE=text)
    assert f"ITERABLE_START_DATE in the environment is '{text}'" in told
    assert said in told


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T03", datetime(2026, 11, 1, 3, tzinfo=UTC)),
        ("2026-11-01T03:00:00Z", datetime(2026, 11, 1, 3, tzinfo=UTC)),
        ("2026-11-01T03:45:10+02:00", datetime(2026, 11, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_start_date_is_the_start_of_an_hour_of_utc(given: Given, text: str, moment: datetime) -> None:
    assert given(ITERABLE_START_DATE=text).start_date == moment
    assert given(yml=f"start_date: {text}\n", ITERABLE_START_DATE="").start_date == moment
    assert given(ITERABLE_START_DATE="").start_date.tzinfo == UTC


def test_a_naive_time_in_yaml_is_refused(refused: Refused) -> None:
    assert "no time zone" in refused(yml="start_date: 2026-11-01 03:00:00\n")


def test_the_default_start_is_a_midnight_thirty_days_ago(given: Given) -> None:
    start = given().start_date
    assert (start.hour, start.minute, start.second, start.microsecond) == (0, 0, 0, 0)
    assert timedelta(days=30) <= datetime.now(UTC) - start < timedelta(days=31, minutes=1)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("emailUnsubscribe", "emailUnSubscribe"), ("EMAILSEND", "emailSend"), ("pushsent", "pushSend"), ("users", "user")],
)
def test_a_data_type_written_wrongly_is_answered_with_the_right_one(refused: Refused, written: str, meant: str) -> None:
    assert f"'{written}' is no data type of Iterable, did you mean {meant}?" in refused(
        ITERABLE_DATA_TYPES=f"emailOpen,{written}"
    )


def test_a_data_type_like_no_other_is_answered_with_all(refused: Refused) -> None:
    assert ", ".join(DATA_TYPE) in refused(yml="data_types: [zzzzzz]\n")


def test_data_types_as_text_or_list(given: Given) -> None:
    assert given(ITERABLE_DATA_TYPES="emailSend, pushOpen ,,emailSend").data_types == ("emailSend", "pushOpen")
    assert given(ITERABLE_DATA_TYPES="", yml="data_types:\n  - emailSend\n").data_types == ("emailSend",)
    assert given(yml="data_types: emailSend, pushOpen\n").data_types == ("emailSend", "pushOpen")


def test_none_named_means_all() -> None:
    settings = Settings()
    enabled = [name for stream in STREAMS for name in settings.enabled_data_types(stream.name)]
    assert sorted(enabled) == sorted(each.name for each in DATA_TYPES)


def test_named_activity_restricts_activity_alone() -> None:
    settings = Settings(data_types=("emailOpen", "pushSend"))
    assert settings.enabled_data_types("iterable_activity") == ("emailOpen",)
    assert settings.enabled_data_types("iterable_push_activity") == ("pushSend",)
    assert settings.enabled_data_types("iterable_sms_activity") == ()
    assert settings.enabled_data_types("iterable_users") == ("user",)


def test_skipping() -> None:
    assert Settings(skip_users=True).enabled_data_types("iterable_users") == ()
    assert Settings(skip_users=True).enabled_data_types("iterable_activity")
    assert Settings(skip_activity=True).enabled_data_types("iterable_users") == ("user",)
    assert Settings(skip_activity=True).enabled_data_types("iterable_activity") == ()


def test_an_import_of_nothing_is_refused(refused: Refused) -> None:
    text = refused(ITERABLE_SKIP_USERS="true", yml="skip_activity: true\n")
    assert "ITERABLE_SKIP_USERS and ITERABLE_SKIP_ACTIVITY are both on: nothing is left to import" in text


def test_an_import_of_users_without_users_is_refused(refused: Refused) -> None:
    assert "nothing is left to import" in refused(ITERABLE_SKIP_USERS="yes", ITERABLE_DATA_TYPES="user")


def test_a_stream_that_is_none_is_an_error() -> None:
    with pytest.raises(KeyError):
        Settings().enabled_data_types("iterable_fax_activity")


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.eu.iterable.com/", "https://api.eu.iterable.com"),
        ("https://proxy.example.com:8443/iterable/", "https://proxy.example.com:8443/iterable"),
        ("http://127.0.0.1:8800", "http://127.0.0.1:8800"),
        ("http://127.8.8.8", "http://127.8.8.8"),
        ("http://localhost:8800/", "http://localhost:8800"),
        ("http://[::1]:8800", "http://[::1]:8800"),
    ],
)
def test_a_base_url_wins_over_the_region(given: Given, url: str, kept: str) -> None:
    assert given(ITERABLE_BASE_URL=url, ITERABLE_REGION="eu").url == kept


@pytest.mark.parametrize(
    "url",
    [
        "http://api.iterable.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1",
        "http://0.0.0.0:8800",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "api.iterable.com",
        "https://",
        "https://api.iterable.com:port",
        "https://api.iterable.com:99999",
        "https://api.iterable.com/api",
        "https://api.iterable.com/?x=1",
        "https://api.iterable.com/#x",
        "https://api.iter able.com",
        "https://api.iterable.com\n.example.com",
    ],
)
def test_a_base_url_to_which_the_key_must_not_go_is_refused(refused: Refused, url: str) -> None:
    assert "ITERABLE_BASE_URL in the environment is " in refused(ITERABLE_BASE_URL=url)


def test_a_password_in_the_base_url_is_refused(refused: Refused) -> None:
    assert "must hold no user name" in refused(ITERABLE_BASE_URL="https://me:pw@api.iterable.com")


def test_relaxed_requests_are_for_this_machine_alone(given: Given, refused: Refused) -> None:
    assert "ITERABLE_REQUESTS_RELAXED is for the sandbox" in refused(ITERABLE_REQUESTS_RELAXED="true")
    assert given(ITERABLE_REQUESTS_RELAXED="true", ITERABLE_BASE_URL="http://127.0.0.1:8800").requests_relaxed


def test_user_fields_keep_what_identifies_a_user_and_what_the_profile_needs(given: Given) -> None:
    assert given().user_fields == ()
    assert given(ITERABLE_USER_FIELDS="city, email", ITERABLE_PROFILE_FIELDS="tier=loyaltyTier").user_fields == (
        "email",
        "userId",
        "itblUserId",
        "profileUpdatedAt",
        "emailListIds",
        "city",
        "loyaltyTier",
    )
    assert "userListIds" in given(ITERABLE_USER_FIELDS="city", ITERABLE_PROJECT_TYPE="hybrid").user_fields


def test_lists_to_ask_for_as_words_and_as_ids(given: Given, refused: Refused) -> None:
    assert given().dynamic_lists == "all"
    assert given(yml="dynamic_lists: 949814\n").dynamic_lists == (949814,)
    assert given(yml="dynamic_lists: [949814, 5]\n").dynamic_lists == (949814, 5)
    assert given(ITERABLE_DYNAMIC_LISTS="none").dynamic_lists == "none"
    assert given(ITERABLE_DYNAMIC_LISTS="949814, 949815,949814").dynamic_lists == (949814, 949815)
    for wrong in ("some", "all,949814", "-1", "1.5", "949814;949815", "٣"):
        text = refused(ITERABLE_DYNAMIC_LISTS=wrong)
        assert "ITERABLE_DYNAMIC_LISTS" in text and "write all, none, or ids of lists" in text


def test_profile_fields_as_text_or_mapping(given: Given) -> None:
    expected = {"tier": "loyaltyTier", "points": "loyalty.points"}
    assert given(ITERABLE_PROFILE_FIELDS="tier=loyaltyTier, points = loyalty.points").profile_fields == expected
    yml = "profile_fields:\n  tier: loyaltyTier\n  points: loyalty.points\n"
    assert given(ITERABLE_PROFILE_FIELDS="", yml=yml).profile_fields == expected


@pytest.mark.parametrize(
    "text",
    ["tier", "tier=", "=loyaltyTier", "Tier=x", "1tier=x", "it_campaigns=x", 'a"; drop table x; --=y', "a b=x"],
)
def test_profile_columns_that_are_no_sql_names_are_refused(refused: Refused, text: str) -> None:
    assert "ITERABLE_PROFILE_FIELDS" in refused(ITERABLE_PROFILE_FIELDS=text)


@pytest.mark.parametrize("text", ["1", "0GB", "lots", "80%", "-1GB", "1GB; drop table x"])
def test_memory_that_is_no_size_is_refused(refused: Refused, text: str) -> None:
    assert "write a size such as 1GB" in refused(ITERABLE_MEMORY_LIMIT=text)


@pytest.mark.parametrize("text", ["EU", "Eu", "eu"])
def test_words_may_be_written_in_any_case(given: Given, text: str) -> None:
    assert given(ITERABLE_REGION=text, ITERABLE_PROJECT_TYPE="HYBRID", ITERABLE_KEEP_UPDATED="OFF").region == "eu"


def test_a_data_folder_that_is_a_file_is_refused(refused: Refused, folder: Path) -> None:
    (folder / "taken").write_text("")
    assert "is a file" in refused(ITERABLE_DATA_DIR="taken/data")


def test_a_warehouse_that_is_a_folder_is_refused(refused: Refused, folder: Path) -> None:
    (folder / "taken").mkdir()
    assert "is a folder; name a file in it" in refused(ITERABLE_WAREHOUSE="taken")


def test_a_warehouse_on_the_copy_for_readers_is_refused(refused: Refused) -> None:
    assert "the copy for readers" in refused(ITERABLE_WAREHOUSE="data/iterable.read.duckdb")


@property_of(st.lists(st.sampled_from(list(DATA_TYPE))))
def test_names_read_back_what_was_joined(listed: list[str]) -> None:
    assert names(",".join(listed)) == names(listed) == tuple(dict.fromkeys(listed))


@property_of(st.text())
def test_trimming_twice_takes_no_space_that_trimming_once_left(text: str) -> None:
    assert trimmed(text) == trimmed(text).strip()


@property_of(st.sampled_from(list(DATA_TYPE)), st.booleans())
def test_the_wrong_case_is_always_understood(name: str, upper: bool) -> None:
    assert did_you_mean(name.upper() if upper else name.lower(), DATA_TYPE) == f", did you mean {name}?"


def test_the_default_start_stays_where_the_data_folder_began(tmp_path: Path) -> None:
    first = Settings(data_dir=tmp_path)
    assert first.start_date <= now() - timedelta(days=30)
    (tmp_path / "started").write_text("2026-03-04T05")
    assert Settings(data_dir=tmp_path).start_date == parse_hour("2026-03-04T05")
    assert Settings(data_dir=tmp_path, start_date="2026-06-01").start_date == parse_hour("2026-06-01")


@pytest.mark.parametrize("text", ["400d", "default=400d", "default = 400d"])
def test_a_retention_for_all_is_of_every_stream_of_events(given: Given, text: str) -> None:
    expected = {each.name: 400 for each in STREAMS if each.name != "iterable_users"}
    assert given(ITERABLE_RETENTION=text).retention == expected
    assert given(ITERABLE_RETENTION="").retention == {}


def test_a_retention_by_stream(given: Given) -> None:
    text = "iterable_activity=400d,iterable_push_activity=90d"
    expected = {"iterable_activity": 400, "iterable_push_activity": 90}
    assert given(ITERABLE_RETENTION=text).retention == expected
    assert given(yml="retention:\n  iterable_activity: 400d\n  iterable_push_activity: 90d\n").retention == expected
    kept = given(ITERABLE_RETENTION="default=30d,iterable_purchase_activity=keep").retention
    assert "iterable_purchase_activity" not in kept
    assert set(kept.values()) == {30}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("iterable_pushactivity=90d", "did you mean iterable_push_activity?"),
        ("iterable_users=90d", "'iterable_users' is no stream of events"),
        ("90", "write days such as 90d, or keep"),
        ("default=3 months", "write days such as 90d, or keep"),
        ("iterable_activity=8d", "write 9d or more"),
    ],
)
def test_a_retention_that_cannot_be_is_refused(refused: Refused, text: str, said: str) -> None:
    told = refused(ITERABLE_RETENTION=text)
    assert "ITERABLE_RETENTION" in told
    assert said in told
