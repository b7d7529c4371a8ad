"""The landed files of webhooks: whole bodies, with the person inside."""

from pathlib import Path

import duckdb

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.erasure.landed_files import landed_identifiers, landed_names
from iterable_pipelines.erasure.parquet import Hit, Shape, hits, scratch_duckdb, sha256_of, write_without
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.store import Erased, Log
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.landing.nearby import Nearby, landed_batches
from iterable_pipelines.landing.scratch import scratch_folder
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.webhook_record import named_in_sql
from iterable_pipelines.webhooks.parts import WebhookParts

_NAMES = {"email": "email", "user_id": "userId", "itbl_user_id": "itblUserId"}


def body_identity_sql(kind: str, body: str) -> str:
    """The identifier of a kind that a webhook's body carries, as SQL."""
    texts = [f"nullif({each}, '')" for each in named_in_sql(body, [_NAMES[kind]])]
    return f"coalesce({', '.join(texts)})"


def body_own_sql(body: str) -> str:
    """Whether a webhook's body is about a person, as a condition of `is_person`."""
    return " or ".join(f"is_person({each})" for each in named_in_sql(body))


_FOLDER = "webhooks"
_SHAPE = Shape({kind: body_identity_sql(kind, "body") for kind in _NAMES}, body_own_sql("body"), "body")


class WebhookFiles:
    """`landing/webhooks`: Parquet, one file per move and hour, named in a table beside the manifest."""

    name = "webhook files"

    def identifiers(self, settings: Settings, scratch: Path) -> list[Path]:
        """Who the bodies are about, and the addresses in them besides."""
        return landed_identifiers(settings, _FOLDER, _SHAPE, scratch, "landing/webhooks")

    def erase(self, settings: Settings, persons: Persons, log: Log) -> list[Erased]:
        """Write the files with a hit anew under their own name: the loader goes by their number, not by their bytes."""
        erased = []
        parts = WebhookParts(Manifest.of(settings))
        with (
            scratch_folder(settings.landing_dir, "erasure-") as folder,
            scratch_duckdb(folder, settings.memory_limit, "landing/webhooks") as con,
        ):
            for near, files in landed_batches(settings, landed_names(settings, _FOLDER)):
                for hit in list(hits(con, files, _SHAPE, persons)):
                    fresh = folder / "fresh.parquet"
                    write_without(con, hit, _SHAPE, fresh)
                    erased.append(_swap(con, parts, near, hit, fresh))
        return erased


def _swap(con: duckdb.DuckDBPyConnection, parts: WebhookParts, near: Nearby, hit: Hit, fresh: Path) -> Erased:
    name, before, after = near.name_of(hit.path), hit.path.stat().st_size, fresh.stat().st_size
    (rows,) = con.execute("select count(*) from read_parquet(?)", [str(fresh)]).fetchone() or (0,)
    # the table first: whoever is killed in between finds the same person in the same file again
    with parts.manifest.transaction() as manifest:
        manifest.execute(
            "update webhook_parts set rows = ?, bytes = ?, sha256 = ? where path = ?",
            (rows, after, sha256_of(fresh), name),
        )
    crashpoint("erasure_webhook_file")
    near.store.put(fresh, name)
    return Erased(f"landing/{name}", hit.own, before, after, hit.mentions)
