"""track_calls/*.yml: what is read from them, and what each wrong one is told."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines.track_calls import Destination, load_destinations
from iterable_pipelines.track_calls.declaration import Batch, Limits, To
from iterable_pipelines.track_calls.events import TRACK_EVENTS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "track_calls").mkdir()
    return Settings(project_root=tmp_path, data_dir=tmp_path / "data")


def declare(settings: Settings, text: str, name: str = "segment.yml") -> None:
    (settings.project_root / "track_calls" / name).write_text(text)


def test_to_segment_with_everything_said(settings: Settings) -> None:
    declare(
        settings,
        "to:\n  url_env: SEGMENT_URL\n  key_env: SEGMENT_KEY\n  format: segment_batch\n"
        "events: [Email Opened, emailClick, emailOpen]\nsince: 2026-11-01\nemail_as: anonymousId\n"
        "batch: {calls: 100, bytes: 100000}\nschedule: '@hourly'\nenabled: false\ndescription: Opens and clicks.\n",
    )
    (found,) = load_destinations(settings)
    assert found == Destination(
        name="segment",
        to=To(url_env="SEGMENT_URL", key_env="SEGMENT_KEY"),
        events=["Email Opened", "Email Link Clicked"],
        since=datetime(2026, 11, 1, tzinfo=UTC),
        email_as="anonymousId",
        batch=Batch(calls=100, bytes=100_000),
        schedule="@hourly",
        enabled=False,
        description="Opens and clicks.",
    )
    assert [each.data_type for each in found.track_events] == ["emailOpen", "emailClick"]
    assert found.limits == Limits(100, 100_000)


def test_what_holds_unless_it_is_said(settings: Settings) -> None:
    declare(settings, "to: {folder: out}\n")
    declare(settings, "to: {url_env: SEGMENT_URL}\n", "other.yml")
    other, files = load_destinations(settings)
    assert files.since is None and files.enabled and files.track_events == list(TRACK_EVENTS)
    assert other.limits == Limits(1000, 500_000) and files.limits.calls > other.limits.calls


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", None),
        ("2026-11-01T03", datetime(2026, 11, 1, 3, tzinfo=UTC)),
        ("'2026-11-01 03:00 Europe/Berlin'", "write 2026-11-01"),
        ("2026-11-01 03:00:00+01:00", datetime(2026, 11, 1, 2, tzinfo=UTC)),
        ("2026-11-01 03:00:00", datetime(2026, 11, 1, 3, tzinfo=UTC)),
        ("yesterday", "or now"),
        ("7", "write now, or a date"),
    ],
)
def test_since(settings: Settings, text: str, moment: datetime | str | None) -> None:
    declare(settings, f"to: {{folder: out}}\nsince: {text}\n")
    if isinstance(moment, str):
        with pytest.raises(SettingsError, match=f"line 2, since: .*{moment}"):
            load_destinations(settings)
    else:
        assert load_destinations(settings)[0].since == moment


FOLDER = "to: {folder: out}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("events: [emailOpen]\n", "line 1, to: it is missing"),
        ("to: {}\n", "line 1, to: name where to: either `url_env`, the variable that holds the address, or `folder`"),
        ("to: {folder: a, url_env: B}\n", "either `url_env`"),
        ("to: {folder: a, key_env: B}\n", "belong to `url_env`"),
        ("to:\n  url_env: https://u:secret@h/\n", "line 2, to.url_env: write the name of the variable that holds it"),
        ("to:\n  url_env: URL\n  key_env: secret\n", "line 3, to.key_env: write the name of the variable"),
        ("to:\n  url_env: URL\n  kee_env: KEY\n", "line 3, to.kee_env: no such field, did you mean key_env?"),
        ("to:\n  url_env: URL\n  zzz: KEY\n", "to.zzz: no such field; there are url_env, key_env, format, folder"),
        ("to:\n  url_env: URL\n  format: xml\n", "line 3, to.format: it must be 'segment_batch' or 'single'"),
        ("to:\n  folder: a\n  folder: b\n", "line 3: a field stands there twice"),
        (FOLDER + "events: [Email Opend]\n", "line 2, events: 'Email Opend' is no track event, did you mean Email"),
        (FOLDER + "events: [zzz]\n", "there are Email Delivered, Email Opened"),
        (FOLDER + "events: []\n", "write a list of names or data types"),
        (FOLDER + "events: 5\n", "write a list of names or data types"),
        (FOLDER + "events:\n  - Email Opened: true\n", "line 2, events: write a list of names or data types"),
        ("to: out\n", "line 1, to: write its fields below it"),
        ("to: {folder: 5}\n", "line 1, to.folder: it must be a path"),
        ("to: {folder: ''}\n", "line 1, to.folder: name a folder"),
        (FOLDER + "batch: {calls: 0}\n", "line 2, batch.calls: it must be greater than or equal to 1"),
        (FOLDER + "batch: {bytes: 10}\n", "batch.bytes: it must be greater than or equal to 64000"),
        ("to: {url_env: URL}\nbatch: {calls: 5000}\n", "`batch`: a segment_batch takes 2,500 calls at most"),
        ("to: {url_env: URL}\nbatch: {bytes: 500001}\n", "a segment_batch takes 500,000 bytes at most"),
        (FOLDER + "email_as: email\n", "line 2, email_as: it must be 'userId' or 'anonymousId'"),
        (FOLDER + "schedule: often\n", "line 2, schedule: write five fields of cron"),
        (FOLDER + "enabled: perhaps\n", "line 2, enabled: it must be a valid boolean"),
        (FOLDER + "name: x\n", "line 2, name: leave it out"),
    ],
)
def test_a_wrong_one_is_told_where_and_what(settings: Settings, text: str, message: str) -> None:
    declare(settings, text)
    with pytest.raises(SettingsError) as caught:
        load_destinations(settings)
    assert message in str(caught.value)
    assert "track_calls/segment.yml" in str(caught.value)
    assert "Next: correct that, then iterable-pipelines track-calls --all --dry-run" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_two_destinations_are_two_places(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(settings, "to: {url_env: ONE, key_env: KEY}\n", "one.yml")
    declare(settings, "to: {url_env: TWO, key_env: KEY}\n", "two.yml")
    assert len(load_destinations(settings)) == 2
    monkeypatch.setenv("ONE", "https://api.segment.io/v1/batch")
    monkeypatch.setenv("TWO", "https://api.segment.io/v1/batch")
    with pytest.raises(SettingsError, match=r"two\.yml: track_calls/one\.yml writes to the same place"):
        load_destinations(settings)


def test_the_documented_example_is_one(settings: Settings) -> None:
    declare(settings, (DOCS / "track-calls-example.yml").read_text())
    (found,) = load_destinations(settings)
    assert found.to.folder and found.events


def test_every_field_and_event_is_documented() -> None:
    text = (DOCS / "track-calls.md").read_text()
    for section in (Destination, To, Batch):
        for name in set(section.model_fields) - {"name"}:
            assert f"`{name}`" in text, name
    for each in TRACK_EVENTS:
        assert f"| {each.name} | {each.data_type} |" in text, each.name
