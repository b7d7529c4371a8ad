"""Downloads in quarantine: text as it came, one record a line, some of them unreadable."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from iterable_pipelines.erasure.mentions import detector_of, pattern_of, without
from iterable_pipelines.erasure.parquet import ADDRESS
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.store import Erased, Log
from iterable_pipelines.erasure.tombstones import normal
from iterable_pipelines.landing.cut import faults, sync
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.settings import Settings

_NAMES = {"email": "email", "user_id": "userId", "itbl_user_id": "itblUserId"}


class QuarantinedDownloads:
    """`landing/quarantine`: NDJSON as Iterable sent it, until somebody accepts its loss."""

    name = "quarantine"

    def identifiers(self, settings: Settings, scratch: Path) -> list[Path]:
        """Who its readable records are about, and every address in any line."""
        found: set[tuple[str | None, ...]] = set()
        for file in _files(settings):
            for line in _lines(file):
                found.add(_identity(line))
                found |= {(address, None, None) for address in re.findall(ADDRESS, line)}
        # what is not UTF-8 is nobody's name
        found = {each for each in found if all(name is None or name.isprintable() for name in each)}
        if not found:
            return []
        to = scratch / "quarantine.parquet"
        columns = list(zip(*found, strict=True))
        pq.write_table(pa.table({kind: pa.array(columns[at], pa.string()) for at, kind in enumerate(_NAMES)}), to)
        return [to]

    def erase(self, settings: Settings, persons: Persons, log: Log) -> list[Erased]:
        """Take out the lines of the persons; a line that only names one, or cannot be read, says `erased` instead."""
        keys, erased = {normal(each) for each in persons.plain()}, []
        detector, pattern = re.compile(detector_of(persons.plain())), pattern_of(persons.plain())
        for file in _files(settings):
            fresh = file.with_suffix(".erasing")
            own = mentions = 0
            with fresh.open("w", encoding="utf-8", errors="surrogateescape", newline="") as target:
                for line in _lines(file):
                    if keys & {normal(each) for each in _identity(line) if each}:
                        own += 1
                        continue
                    clean = without(line, pattern) if detector.search(line) else line
                    mentions += clean != line
                    target.write(clean)
            if not own and not mentions:
                fresh.unlink()
                continue
            os.chmod(fresh, file.stat().st_mode)
            sync(fresh)
            before, after = file.stat().st_size, fresh.stat().st_size
            fresh.replace(file)
            sync(file.parent)
            _tell_manifest(settings, file)
            erased.append(Erased(str(file.relative_to(settings.data_dir)), own, before, after, mentions))
        return erased


def _files(settings: Settings) -> list[Path]:
    folder = settings.landing_dir / "quarantine"
    for left in folder.glob("*.erasing"):
        # of a run that was killed
        left.unlink()
    return sorted(folder.glob("*.ndjson"))


def _lines(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as text:
        yield from text


def _identity(line: str) -> tuple[str | None, ...]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None, None, None
    if not isinstance(record, dict):
        return None, None, None
    return tuple(str(record[name]) if record.get(name) else None for name in _NAMES.values())


def _tell_manifest(settings: Settings, file: Path) -> None:
    # the line that cannot be read stands elsewhere now
    fault = next(faults([file]), None)
    if fault:
        line, offset, _ = fault.fault
        with Manifest(settings.landing_dir).transaction() as con:
            con.execute(
                "update quarantine set line = ?, byte_offset = ? where path = ?",
                (line, offset, str(file.relative_to(settings.landing_dir))),
            )
