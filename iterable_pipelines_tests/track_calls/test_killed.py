"""Killed at any point, going on brings each message once: to a folder, and to who takes each messageId once."""

import os
import subprocess
import sys
import time
from collections import Counter

import pytest

from iterable_pipelines_tests.track_calls.conftest import TO_FOLDER, TO_HTTP, Tracks, click
from iterable_pipelines_tests.track_calls.receiver import Receiver

KILLED = -9
EVENTS = 50
BATCHES = "batch: {calls: 10}\n"
# a program of its own, so that it can be killed
PROGRAM = (
    "from iterable_pipelines.track_calls import load_destinations, send\n"
    "from iterable_pipelines.settings import load_settings\n"
    "settings = load_settings()\n"
    "print(send(settings, load_destinations(settings)[0]))\n"
)
POINTS = (
    "track_calls_file_written",
    "track_calls_written_down",
    "track_calls_slice_written",
    "track_calls_delivered",
    "track_calls_done",
)


def process(tracks: Tracks, crash_at: str = "") -> subprocess.Popen[str]:
    environment = os.environ | {
        "ITERABLE_PROJECT_ROOT": str(tracks.settings.project_root),
        "ITERABLE_DATA_DIR": str(tracks.settings.data_dir),
        "ITERABLE_START_DATE": "2026-11-01",
        **({"ITERABLE_CRASH_AT": crash_at} if crash_at else {}),
    }
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def kill(tracks: Tracks, point: str) -> None:
    killed = process(tracks, point)
    _, err = killed.communicate(timeout=120)
    assert killed.returncode == KILLED and f"crashpoint {point}" in err, err


def load(tracks: Tracks) -> None:
    tracks.load([click(each) for each in range(EVENTS)])


@pytest.mark.parametrize("point", POINTS)
def test_files_hold_each_message_once(tracks: Tracks, point: str) -> None:
    tracks.declare(TO_FOLDER + BATCHES)
    load(tracks)
    kill(tracks, point)
    # somebody reads the folder, and takes away what is there
    taken = tracks.calls()
    for file in tracks.files():
        file.unlink()
    kill(tracks, point)
    tracks.send()
    assert Counter(each["messageId"] for each in [*taken, *tracks.calls()]).most_common(1)[0][1] == 1
    assert len(taken) + len(tracks.calls()) == EVENTS
    assert tracks.send().sent == 0
    assert not (tracks.settings.project_root / "out" / ".segment").exists()


@pytest.mark.parametrize("point", [*POINTS, "track_calls_posted"])
def test_a_receiver_has_each_message_and_the_same_bytes_twice_at_most(
    tracks: Tracks, receiver: Receiver, point: str
) -> None:
    tracks.declare(TO_HTTP + BATCHES)
    load(tracks)
    kill(tracks, point)
    done = tracks.send()
    assert done.level.sent == EVENTS and done.level.waiting == 0
    assert len(set(receiver.messages)) == EVENTS
    # what came twice came as it had come before
    assert len(set(receiver.bodies)) == EVENTS / 10
    assert len(receiver.messages) <= EVENTS + 10


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_killed_at_any_moment(tracks: Tracks, receiver: Receiver, seconds: float) -> None:
    """The moment is counted from the first batch that arrives."""
    tracks.declare(TO_HTTP + "batch: {calls: 1}\n")
    load(tracks)
    killed = process(tracks)
    while killed.poll() is None and not receiver.bodies:
        time.sleep(0.002)
    time.sleep(seconds)
    killed.kill()
    killed.communicate(timeout=120)
    assert tracks.send().level.sent == EVENTS
    assert len(set(receiver.messages)) == EVENTS and len(receiver.messages) <= EVENTS + 1


def test_two_at_once_send_each_message_once(tracks: Tracks, receiver: Receiver) -> None:
    tracks.declare(TO_HTTP + BATCHES)
    load(tracks)
    workers = [process(tracks) for _ in range(2)]
    said = [worker.communicate(timeout=120) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    assert sorted(out.split(" sent")[0] for out, _ in said) == ["0", str(EVENTS)]
    assert len(receiver.messages) == len(set(receiver.messages)) == EVENTS
