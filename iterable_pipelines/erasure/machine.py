"""What a machine goes by among those that share tables: each has a warehouse of its own."""

import os
from uuid import uuid4

from iterable_pipelines.settings import Settings


def machine_of(settings: Settings) -> str:
    """A name that stays with the data folder, made on first use. Raises OSError."""
    file = settings.data_dir / "erasure" / "machine"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = file.with_name(f"machine.{uuid4().hex}")
        beside.write_text(uuid4().hex)
        os.replace(beside, file)
    return file.read_text().strip()
