"""To an HTTP endpoint: what a receiver that answers well, badly or not at all makes of the calls."""

import json
from pathlib import Path

import pytest

from iterable_pipelines.failures import NEVER, NOW, when_to_retry
from iterable_pipelines.settings import SettingsError
from iterable_pipelines.track_calls import TrackCallsFailed, TrackCallsRefused
from iterable_pipelines.track_calls.ledger import Ledger
from iterable_pipelines_tests.track_calls.conftest import KEY_ENV, TO_HTTP, URL_ENV, Tracks, click
from iterable_pipelines_tests.track_calls.receiver import KEY, Receiver, receiving


def ledger(tracks: Tracks) -> Ledger:
    return Ledger(tracks.settings.data_dir / "track_calls" / "segment.db")


def test_batches_within_segments_limits(tracks: Tracks, receiver: Receiver) -> None:
    tracks.declare(TO_HTTP)
    tracks.load([click(each % 60, n=each, url="https://a.b/" + "x" * 2_000) for each in range(600)])
    assert tracks.send().sent == 600
    assert len(set(receiver.messages)) == len(receiver.messages) == 600
    assert len(receiver.bodies) > 2 and max(map(len, receiver.bodies)) <= 500_000
    assert not (tracks.settings.data_dir / "track_calls" / "segment").exists()


def test_a_call_at_a_time(tracks: Tracks, receiver: Receiver) -> None:
    receiver.most = 1
    tracks.declare(TO_HTTP.replace("}", ", format: single}"))
    tracks.load([click(each) for each in range(7)])
    assert tracks.send().sent == 7
    assert [json.loads(each)["type"] for each in receiver.bodies] == ["track"] * 7


@pytest.mark.parametrize("faults", [[500, 503], [429], ["cut"], ["cut", 502], [408]])
def test_what_passes_is_tried_again_with_the_same_bytes(
    tracks: Tracks, receiver: Receiver, faults: list[int | str]
) -> None:
    tracks.declare(TO_HTTP)
    tracks.load([click(each) for each in range(5)])
    receiver.faults = list(faults)
    assert tracks.send().sent == 5
    assert len(set(receiver.bodies)) == 1 and len(receiver.bodies) == len(faults) + 1
    # after a cut answer nobody knows: who takes each messageId once has each once
    assert len(set(receiver.messages)) == 5


def test_retry_after_is_kept(tracks: Tracks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waited.append)
    tracks.declare(TO_HTTP)
    tracks.load([click(1)])
    receiver.faults, receiver.headers = [429, 503], {"Retry-After": "7"}
    assert tracks.send().sent == 1
    assert waited == [7.0, 7.0]


def test_what_does_not_pass_waits_and_goes_first(tracks: Tracks, receiver: Receiver) -> None:
    tracks.declare(TO_HTTP)
    tracks.load([click(1)])
    receiver.faults = [500] * 3
    with pytest.raises(
        TrackCallsFailed, match=r"segment: 1 calls wait, the oldest of 2026-11-01 03:01 UTC\. .* HTTP 500, 3 times\. "
    ) as caught:
        tracks.send()
    assert when_to_retry(caught.value) == NOW
    level = ledger(tracks).level()
    assert (level.waiting, level.sent) == (1, 0) and level.oldest and level.oldest.minute == 1
    tracks.load([click(1), click(2)], minutes_after=200)
    done = tracks.send()
    assert (done.sent, done.level.waiting, done.level.oldest) == (2, 0, None)
    assert [json.loads(each)["batch"][0]["timestamp"][14:16] for each in receiver.bodies] == ["01"] * 4 + ["02"]


def test_nobody_there(tracks: Tracks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    tracks.declare(TO_HTTP)
    tracks.load([click(1)])
    with receiving() as gone:
        url = gone.url
    monkeypatch.setenv(URL_ENV, url)
    with pytest.raises(TrackCallsFailed, match="connection refused"):
        tracks.send()
    monkeypatch.setenv(URL_ENV, receiver.url)
    assert tracks.send().sent == 1


def test_bad_calls_are_found_by_halving_and_the_others_go_on(tracks: Tracks, receiver: Receiver) -> None:
    tracks.declare(TO_HTTP)
    bad = {7, 8, 40}
    tracks.load([click(each, url=f"https://{'bad' if each in bad else 'good'}/{each}") for each in range(60)])
    done = tracks.send()
    assert (done.sent, done.rejected, done.level.waiting) == (57, 3, 0)
    assert len(set(receiver.messages)) == len(receiver.messages) == 57
    # the reason tells what the receiver said, without the person it named
    assert ledger(tracks).reasons() == [("Email Link Clicked", 'HTTP 400: {"message":"bad event of [email]"}', 3)]
    assert tracks.send().rejected == 0


def test_a_receiver_that_takes_less_at_once_gets_less(tracks: Tracks, receiver: Receiver) -> None:
    tracks.declare(TO_HTTP)
    receiver.largest = 5_000
    tracks.load([click(each) for each in range(50)])
    assert tracks.send().sent == 50
    assert len(set(receiver.messages)) == len(receiver.messages) == 50


def test_a_receiver_that_takes_nothing_at_all_is_wrong_itself(tracks: Tracks, receiver: Receiver) -> None:
    tracks.declare(TO_HTTP)
    tracks.load([click(each) for each in range(20)])
    receiver.most = 0
    with pytest.raises(TrackCallsRefused, match="takes none of 20 calls"):
        tracks.send()
    assert ledger(tracks).level().rejected == 0
    receiver.most = 100
    assert tracks.send().sent == 20


@pytest.mark.parametrize(("status", "message"), [(403, KEY_ENV), (404, URL_ENV), (302, "HTTP 302")])
def test_what_will_not_pass_stops(tracks: Tracks, receiver: Receiver, status: int, message: str) -> None:
    tracks.declare(TO_HTTP)
    tracks.load([click(1)])
    receiver.faults, receiver.headers = [status], {"Location": "http://127.0.0.1:9/"}
    with pytest.raises(TrackCallsRefused, match=message) as caught:
        tracks.send()
    assert when_to_retry(caught.value) == NEVER and len(receiver.bodies) == 1
    assert tracks.send().sent == 1


def test_a_wrong_key_is_named_by_its_variable_only(
    tracks: Tracks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks.declare(TO_HTTP)
    tracks.load([click(1)])
    monkeypatch.setenv(KEY_ENV, "another-key-9876543210")
    with pytest.raises(
        TrackCallsRefused, match=rf"does not accept the key \(HTTP 401\).*\nNext: .*{KEY_ENV}"
    ) as caught:
        tracks.send()
    assert "another-key" not in str(caught.value)
    monkeypatch.setenv(KEY_ENV, KEY)
    assert tracks.send().sent == 1


@pytest.mark.parametrize("url", ["http://example.com/v1/batch", "api.segment.io", "ftp://example.com", ""])
def test_addresses_that_are_not_used(tracks: Tracks, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    tracks.declare(TO_HTTP)
    monkeypatch.setenv(URL_ENV, url)
    monkeypatch.setenv(KEY_ENV, KEY)
    with pytest.raises(SettingsError, match=f"{URL_ENV} (holds no address|is not set)"):
        tracks.send()


def test_a_lost_file_of_the_outbox_is_said(tracks: Tracks, receiver: Receiver) -> None:
    tracks.declare(TO_HTTP)
    tracks.load([click(1)])
    receiver.faults = [500] * 3
    with pytest.raises(TrackCallsFailed):
        tracks.send()
    (file,) = (tracks.settings.data_dir / "track_calls" / "segment").iterdir()
    kept = file.rename(Path(tracks.settings.data_dir / "kept"))
    with pytest.raises(TrackCallsRefused, match="put that file back"):
        tracks.send()
    kept.rename(file)
    assert tracks.send().sent == 1
