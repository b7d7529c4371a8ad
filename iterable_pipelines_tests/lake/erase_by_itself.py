"""An erasure of a project with engine spark, in a process of its own, so that a test may kill it."""

import sys
from pathlib import Path

from iterable_pipelines.erasure.run import erase
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.settings import Settings

if __name__ == "__main__":
    erase(Settings(data_dir=Path(sys.argv[1]), start_date=parse_hour("2026-11-01"), engine="spark"))
