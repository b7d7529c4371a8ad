"""Is the connection right? Tells a wrong key from a wrong region from a key that may not export (checklist K22)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from iterable_pipelines.api.address import REGIONS
from iterable_pipelines.api.client import Iterable
from iterable_pipelines.api.errors import Broken, Busy, IterableError, Refused
from iterable_pipelines.api.ledger import Ledger
from iterable_pipelines.api.patience import Patience
from iterable_pipelines.hours import Window, now

Kind = Literal["ok", "wrong key", "wrong region", "no export rights", "unreachable", "busy"]


@dataclass(frozen=True)
class Connection:
    """What a check found. `message` says it in a sentence or two, with what to do next."""

    ok: bool
    message: str
    kind: Kind


def check_connection(
    key: str,
    base_url: str,
    ledger: Ledger,
    *,
    log: Callable[[str], None] | None = None,
    patience: Patience | None = None,
    regions: dict[str, str] | None = None,
    trust_environment: bool = False,
) -> Connection:
    """Ask for the channels, then for the export of one past second; on 401 ask the other data centre for the channels.

    Never raises an IterableError. Two requests, one of them an export. `regions` are the data centres, name to address;
    a key is tried in another one only if `base_url` is one of them, so it is never sent beyond Iterable.
    """
    regions = REGIONS if regions is None else regions
    # one answer is enough to tell; waiting is for imports
    patience = replace(patience or Patience(), attempts=1)

    def client(url: str) -> Iterable:
        return Iterable(key, url, ledger, log=log, patience=patience, trust_environment=trust_environment)

    try:
        asked = client(base_url)
        asked.get("/api/channels")
    except Refused as refusal:
        if refusal.status in (401, 403):
            return _wrong_key_or_region(client, base_url, regions)
        return Connection(False, f"{base_url} is not Iterable, or not set right: {refusal}", "unreachable")
    except (Broken, Busy) as error:
        return _not_now(base_url, error)
    try:
        with TemporaryDirectory() as folder:
            moment = now().replace(microsecond=0) - timedelta(hours=1)
            window = Window(moment, moment + timedelta(seconds=1))
            asked.export_events("emailSend", window, Path(folder) / "probe.ndjson")
    except Refused as refusal:
        if refusal.status in (401, 403):
            message = (
                f"The key is valid at {base_url}, but may not export (HTTP {refusal.status}). Exports need a "
                "server-side key: Integrations > API keys > New API key, type Server-side; then set ITERABLE_API_KEY"
            )
            return Connection(False, message, "no export rights")
        return Connection(False, f"The key is valid, but the export was refused: {refusal}", "no export rights")
    except (Broken, Busy) as error:
        return _not_now(base_url, error)
    return Connection(True, f"The key is valid at {base_url} and may export", "ok")


def _wrong_key_or_region(client: Callable[[str], Iterable], base_url: str, regions: dict[str, str]) -> Connection:
    here = next((name for name, url in regions.items() if url.rstrip("/") == base_url.rstrip("/")), None)
    for name, url in regions.items() if here else ():
        if name == here:
            continue
        try:
            client(url).get("/api/channels")
        except IterableError:
            continue
        message = f"The key belongs to the data centre {name!r}, not {here!r}: set ITERABLE_REGION={name}"
        return Connection(False, message, "wrong region")
    elsewhere = " nor in the other data centre" if here else ""
    message = (
        f"The key is not valid at {base_url}{elsewhere}: it is mistyped, disabled or revoked. Check ITERABLE_API_KEY"
    )
    return Connection(False, message, "wrong key")


def _not_now(base_url: str, error: Broken | Busy) -> Connection:
    if isinstance(error, Busy):
        message = f"{base_url} answers, but takes no more requests now: try again in {ceil(error.retry_after)} s"
        return Connection(False, message, "busy")
    return Connection(False, f"{base_url} cannot be reached: {error}", "unreachable")
