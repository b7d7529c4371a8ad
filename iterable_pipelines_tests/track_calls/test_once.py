"""Each event once: whatever comes again, by whichever way it came first, and whatever becomes of the warehouse."""

from datetime import timedelta

import pytest

from iterable_pipelines.hours import now
from iterable_pipelines.track_calls import TrackCallsFailed, TrackCallsRefused
from iterable_pipelines_tests.track_calls.conftest import H3, TO_FOLDER, Tracks, click

DIGEST = "d" * 32


def test_an_hour_that_is_loaded_again_brings_only_what_is_new(tracks: Tracks) -> None:
    tracks.declare(TO_FOLDER)
    tracks.load([click(1), click(1), click(2)])
    assert tracks.send().sent == 3
    # the same again, and with one more in the settled pass
    tracks.load([click(2), click(1), click(1)], minutes_after=20)
    tracks.here("update streams.iterable_activity set _load_id = nextval('streams.load_ids')")
    assert tracks.send().sent == 0
    tracks.load([click(1), click(1), click(2), click(59)], minutes_after=200)
    assert tracks.send().sent == 1
    assert tracks.send().sent == 0
    calls = tracks.calls()
    assert len({each["messageId"] for each in calls}) == len(calls) == 4
    assert [each["timestamp"] for each in calls][-1] == "2026-11-01T03:59:00.000Z"
    assert [file.name for file in tracks.files()] == ["segment-000000001.ndjson", "segment-000000002.ndjson"]


def test_a_webhook_and_then_the_export(tracks: Tracks) -> None:
    tracks.declare(TO_FOLDER)
    tracks.webhook(DIGEST, click(1))
    assert tracks.send().sent == 1
    # the export's row takes its place, under an id of its own, and keeps the digest
    tracks.here("delete from streams.iterable_activity")
    tracks.load([click(1), click(5)])
    tracks.here(f"update streams.iterable_activity set _webhook_id = '{DIGEST}' where minute(created_at) = 1")
    assert tracks.send().sent == 1
    # from then on it is known by either
    tracks.here("update streams.iterable_activity set _webhook_id = null, _load_id = nextval('streams.load_ids')")
    assert tracks.send().sent == 0
    assert next(each["messageId"] for each in tracks.calls()) == DIGEST


def test_a_webhook_after_the_export_and_then_alone_in_a_new_warehouse(tracks: Tracks) -> None:
    tracks.declare(TO_FOLDER)
    tracks.load([click(1)])
    assert tracks.send().sent == 1
    # a match is a load of the row
    tracks.here(
        f"update streams.iterable_activity set _webhook_id = '{DIGEST}', _load_id = nextval('streams.load_ids'), "
        "_loaded_at = now()::timestamp"
    )
    assert tracks.send().sent == 0
    tracks.here("delete from streams.iterable_activity")
    tracks.webhook(DIGEST, click(1))
    assert tracks.send().sent == 0


def test_where_the_export_was_told_its_word_is_awaited(tracks: Tracks) -> None:
    tracks.declare(TO_FOLDER)
    tracks.load([click(1)])
    assert tracks.send().sent == 1
    # in a new warehouse the webhook may come before the export that it belongs to
    tracks.settings.warehouse_path.unlink()
    tracks.webhook(DIGEST, click(1))
    tracks.webhook("e" * 32, click(1), "emailOpen")
    assert tracks.send().sent == 1
    # and one that the export did not have comes with it
    tracks.load([click(1), click(2)], minutes_after=200)
    assert tracks.send().sent == 1
    assert [each["event"] for each in tracks.calls()] == ["Email Link Clicked", "Email Opened", "Email Link Clicked"]


def test_a_warehouse_that_is_made_anew_sends_nothing_twice(tracks: Tracks) -> None:
    tracks.declare(TO_FOLDER)
    for minute in range(5):
        tracks.load([click(each) for each in range(minute + 1)], minutes_after=10 + minute)
        tracks.send()
    tracks.settings.warehouse_path.unlink()
    # loads are counted from 1 again: fewer of them than before, with an hour that is new among them
    tracks.load([click(each) for each in range(5)])
    tracks.load([click(7, createdAt="2026-11-01 04:07:00 +00:00")], hour=H3 + timedelta(hours=1))
    assert tracks.send().sent == 1
    assert tracks.send().sent == 0
    assert len(tracks.calls()) == len({each["messageId"] for each in tracks.calls()}) == 6


def test_from_now_on_means_what_happens_after_the_first_run(tracks: Tracks) -> None:
    tracks.declare("to: {folder: out}\n")
    soon = now() + timedelta(minutes=1)
    tracks.load([click(1)])
    assert tracks.send().sent == 0
    hour = soon.replace(minute=0, second=0, microsecond=0)
    tracks.load([click(1, createdAt=f"{soon:%Y-%m-%d %H:%M:%S} +00:00")], hour=hour)
    assert tracks.send().sent == 1
    # wanted from earlier on, what was passed over is looked at
    tracks.declare(TO_FOLDER)
    assert tracks.send().sent == 1
    # and from later on again, nothing is
    tracks.declare("to: {folder: out}\nsince: 2026-11-02\n")
    assert tracks.send().sent == 0


def test_an_event_that_is_added_is_sent_from_since_on(tracks: Tracks) -> None:
    tracks.declare(TO_FOLDER + "events: [Email Opened]\n")
    tracks.load([click(1)])
    tracks.load([click(2)], "emailOpen")
    assert tracks.send().sent == 1
    tracks.declare(TO_FOLDER)
    assert tracks.send().sent == 1
    assert [each["event"] for each in tracks.calls()] == ["Email Opened", "Email Link Clicked"]


def test_nobodys_event_is_counted_and_not_lost(tracks: Tracks) -> None:
    tracks.declare(TO_FOLDER)
    nobody = {"createdAt": "2026-11-01 03:01:00 +00:00", "url": "https://a.b", "email": " "}
    tracks.load([nobody, nobody, click(2), click(3, url="https://a.b/" + "x" * 40_000)])
    done = tracks.send()
    assert (done.sent, done.rejected) == (1, 3)
    tracks.load([nobody, nobody, click(2)], minutes_after=200)
    assert (tracks.send().sent, tracks.send().rejected) == (0, 0)
    assert tracks.send().level.rejected == 3


@pytest.mark.parametrize(
    ("limits", "files"),
    [("{calls: 10}", [10, 10, 5]), ("{calls: 25}", [25]), ("{bytes: 64000}", None)],
)
def test_batches_keep_their_limits(tracks: Tracks, limits: str, files: list[int] | None) -> None:
    tracks.declare(TO_FOLDER + f"batch: {limits}\n")
    tracks.load([click(each, url="https://a.b/" + "x" * 9_000) for each in range(25)])
    assert tracks.send().sent == 25
    sizes = [file.stat().st_size for file in tracks.files()]
    counts = [len(file.read_text().splitlines()) for file in tracks.files()]
    assert counts == files if files else max(sizes) <= 64_000 and len(sizes) > 3
    assert sum(counts) == 25


def test_slices_follow_each_other(tracks: Tracks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iterable_pipelines.track_calls.select._ROWS_PER_SLICE", 4)
    monkeypatch.setattr("iterable_pipelines.track_calls.batches._ROWS_AT_ONCE", 3)
    tracks.declare(TO_FOLDER)
    for number in range(5):
        hour = H3 + timedelta(hours=number)
        tracks.load([click(each, createdAt=f"{hour:%Y-%m-%d %H}:{each:02}:00 +00:00") for each in range(3)], hour=hour)
    tracks.load([click(4, email="")] * 4, "emailOpen")
    done = tracks.send()
    assert (done.sent, done.rejected) == (15, 4)
    assert len(tracks.files()) == 3
    assert tracks.send().sent == 0


def test_a_folder_that_holds_somebody_elses_file_is_refused(tracks: Tracks) -> None:
    tracks.declare(TO_FOLDER)
    tracks.load([click(1)])
    (tracks.settings.project_root / "out").mkdir()
    theirs = tracks.settings.project_root / "out" / "segment-000000001.ndjson"
    theirs.write_text("theirs")
    with pytest.raises(TrackCallsRefused, match="is there already"):
        tracks.send()
    assert theirs.read_text() == "theirs"
    theirs.rename(theirs.with_suffix(".txt"))
    assert tracks.send().sent == 1


def test_what_waits_is_not_left_behind_where_the_destination_changes(tracks: Tracks) -> None:
    tracks.declare(TO_FOLDER)
    tracks.load([click(1)])
    root = tracks.settings.project_root
    (root / "out").mkdir()
    (root / "out" / "segment-000000001.ndjson").write_text("theirs")
    (root / "elsewhere").mkdir()
    with pytest.raises(TrackCallsRefused, match="1 calls wait"):
        tracks.send()
    tracks.declare("to: {folder: elsewhere}\nsince: 2026-11-01\n")
    with pytest.raises(TrackCallsRefused, match=r"1 calls wait.*elsewhere/.segment is not there"):
        tracks.send()
    # as it says
    (root / "out" / ".segment").rename(root / "elsewhere" / ".segment")
    assert tracks.send().sent == 1
    # nothing of ours lies there any more
    assert [file.name for file in (root / "elsewhere").iterdir()] == ["segment-000000001.ndjson"]


def test_a_folder_that_cannot_be_is_named(tracks: Tracks) -> None:
    tracks.declare(TO_FOLDER)
    tracks.load([click(1)])
    (tracks.settings.project_root / "out").write_text("a file")
    with pytest.raises(
        TrackCallsFailed, match=r"segment: .*/out.* cannot be written \(Not a directory\)[^$]*Next: make"
    ):
        tracks.send()
    (tracks.settings.project_root / "out").unlink()
    assert tracks.send().sent == 1


def test_a_clock_that_was_set_back_holds_nothing_up(tracks: Tracks) -> None:
    tracks.declare(TO_FOLDER)
    tracks.load([click(1), click(2)])
    tracks.here("update streams.iterable_activity set _loaded_at = now()::timestamp + interval 1 hour")
    assert [tracks.send().sent for _ in range(3)] == [2, 0, 0]
    tracks.load([click(1), click(2), click(3)], minutes_after=200)
    assert [tracks.send().sent for _ in range(2)] == [1, 0]
