"""Many events: they go through files, and memory does not grow with their number."""

import os
import subprocess
import sys

from iterable_pipelines_tests.track_calls.conftest import TO_FOLDER, Tracks

# in MB; the peak of this process alone, not of the one that started it
PROGRAM = (
    "from pathlib import Path\n"
    "from iterable_pipelines.track_calls import load_destinations, send\n"
    "from iterable_pipelines.settings import load_settings\n"
    "settings = load_settings()\n"
    "done = send(settings, load_destinations(settings)[0])\n"
    "(peak,) = [line for line in Path('/proc/self/status').read_text().splitlines() if line.startswith('VmHWM')]\n"
    "print(done.sent, int(peak.split()[1]) // 1024)\n"
)
NEW, MANY = 10_000, 300_000


def fill(tracks: Tracks, first: int, rows: int) -> None:
    tracks.here(
        "insert into streams.iterable_activity by name select 'emailOpen' as data_type, md5(i::varchar) as event_id, "
        "'person' || i || '@example.com' as email, timestamp '2026-11-01 03:00' + to_seconds(i % 3600) as created_at, "
        "i as campaign_id, json_object('userAgent', repeat('Mozilla/5.0 ', 20), 'n', i) as record, "
        "timestamp '2026-11-01 03:00' as _hour, now()::timestamp as _loaded_at, "
        f"nextval('streams.load_ids') as _load_id from range({first}, {first + rows}) r(i)"
    )


def sent_and_peak(tracks: Tracks) -> tuple[int, int]:
    environment = os.environ | {
        "ITERABLE_PROJECT_ROOT": str(tracks.settings.project_root),
        "ITERABLE_DATA_DIR": str(tracks.settings.data_dir),
        "ITERABLE_MEMORY_LIMIT": "256MB",
    }
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sent, peak = done.stdout.split()[-2:]
    return int(sent), int(peak)


def test_memory_does_not_grow_with_the_events(tracks: Tracks) -> None:
    tracks.declare(TO_FOLDER)
    fill(tracks, 0, NEW)
    few, low = sent_and_peak(tracks)
    fill(tracks, NEW, MANY)
    many, high = sent_and_peak(tracks)
    assert (few, many) == (NEW, MANY)
    assert len({each["messageId"] for each in tracks.calls()}) == NEW + MANY
    written = sum(file.stat().st_size for file in tracks.files()) // 2**20
    assert high - low < written, (low, high, written)
