"""What an erasure did, as can be shown to whoever asks: when, how many, where, what is still open. Hashes, no names."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from iterable_pipelines.erasure.store import Erased
from iterable_pipelines.file_store import sync
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.warehouse import Warehouse


@dataclass(frozen=True)
class Certificate:
    """One run. `persons` are people of whom something was found, `hashes` their identifiers; `open` says of each store
    that was not erased why; `too_many` and `shared` are links that were not followed (links.py); `left` are identifiers
    that were found once more when all was done; `elsewhere` are copies that no erasure reaches."""

    run_id: str
    started_at: str
    finished_at: str
    tombstones: int
    persons: int
    hashes: list[str] = field(default_factory=list)
    erased: list[Erased] = field(default_factory=list)
    open: dict[str, str] = field(default_factory=dict)
    too_many: int = 0
    shared: int = 0
    left: int = 0
    seconds: float = 0.0
    elsewhere: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether nothing is still open and nothing was found once more."""
        return not self.open and not self.left

    @property
    def rows(self) -> int:
        """Rows of the persons' own that were erased, in all stores."""
        return sum(each.rows for each in self.erased)

    @property
    def mentions(self) -> int:
        """Rows of others in which a person was named."""
        return sum(each.mentions for each in self.erased)


def keep(settings: Settings, certificate: Certificate) -> Path:
    """Write a certificate beside the others, durable."""
    folder = certificates_folder(settings)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / f"{certificate.started_at.replace(':', '')}-{certificate.run_id[:8]}.json"
    aside = file.with_suffix(".part")
    aside.write_text(json.dumps(asdict(certificate), indent=1))
    os.chmod(aside, 0o600)
    sync(aside)
    aside.replace(file)
    sync(folder)
    return file


def certificates(settings: Settings) -> list[Certificate]:
    """Every certificate there is, the newest first."""
    files = sorted(certificates_folder(settings).glob("*.json"), reverse=True)
    return [_read(json.loads(file.read_text())) for file in files]


def certificates_folder(settings: Settings) -> Path:
    """Where certificates lie, one JSON file each."""
    return settings.data_dir / "erasure" / "certificates"


def publish(settings: Settings, warehouse: Warehouse) -> None:
    """Make the table `erasure.certificates` of all of them, anew. Raises WarehouseFailed."""
    known = certificates(settings)
    with warehouse.transaction() as con:
        con.execute("create schema if not exists erasure")
        con.execute(
            "create or replace table erasure.certificates (run_id VARCHAR, started_at TIMESTAMP, "
            "finished_at TIMESTAMP, tombstones BIGINT, persons BIGINT, rows BIGINT, mentions BIGINT, places BIGINT, "
            "open VARCHAR[], links_not_followed BIGINT, identifiers_left BIGINT, seconds DOUBLE)"
        )
        for each in known:
            con.execute(
                "insert into erasure.certificates values (?, ?::timestamptz at time zone 'UTC', "
                "?::timestamptz at time zone 'UTC', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    each.run_id, each.started_at, each.finished_at, each.tombstones, each.persons, each.rows,
                    each.mentions, len(each.erased), sorted(each.open), each.too_many + each.shared, each.left,
                    each.seconds,
                ],
            )  # fmt: skip


def _read(stored: dict[str, Any]) -> Certificate:
    return Certificate(**stored | {"erased": [Erased(**each) for each in stored["erased"]]})
