"""The daily erasure as an asset, and the check that nobody is left."""

from datetime import UTC, datetime

import dagster as dg

from iterable_pipelines.erasure.certificate import Certificate, certificates
from iterable_pipelines.erasure.pull import Pulled, pull
from iterable_pipelines.erasure.run import erase, follow_up, identifiers_left
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.failures import explained
from iterable_pipelines.resources import IterableResource, open_project
from iterable_pipelines.settings import Settings, load_settings

FORGOTTEN = dg.AssetKey(["erasure", "forgotten"])


class _Lists(dg.Config):
    """What the run may do that a guard forbids."""

    approve_lift: bool = False


def erasure_assets() -> list[dg.AssetsDefinition]:
    """One asset, without partitions."""

    @dg.asset(
        key=FORGOTTEN,
        group_name="erasure",
        kinds={"iterable", "duckdb", "sqlite"},
        owners=["team:data"],
        pool="warehouse",
    )
    def forgotten(
        context: dg.AssetExecutionContext, config: _Lists, iterable: IterableResource
    ) -> dg.MaterializeResult[None]:
        """Whoever Iterable lists as forgotten, or asked us, is erased from every file; a certificate says so."""
        with explained(context):
            project, _, _ = open_project(context.log.info)
            pulled = pull(iterable.client(context.log.info), project, context.log.info, config.approve_lift)
            certificate = erase(project, context.log.info, run_id=context.run.run_id)
            follow_up(project, certificate, context.log.info)
        return dg.MaterializeResult(metadata=_metadata(project, pulled, certificate))

    return [forgotten]


def erasure_checks() -> list[dg.AssetChecksDefinition]:
    """That nobody with a tombstone is left."""

    @dg.asset_check(asset=FORGOTTEN, name="nothing_left")
    def nothing_left(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        """Hashes every identifier that any store holds: none of them may have a tombstone."""
        with explained(context):
            project = load_settings()
            left = identifiers_left(project)
        newest = next(iter(certificates(project)), None)
        still_open = sorted(newest.open) if newest else []
        return dg.AssetCheckResult(
            passed=not left and not still_open,
            metadata={"identifiers_left": left, "still_open": ", ".join(still_open) or "none"},
        )

    return [nothing_left]


def _metadata(project: Settings, pulled: Pulled, certificate: Certificate) -> dict[str, int | float | str]:
    return {
        "tombstones_new": pulled.added,
        "tombstones_lifted": pulled.lifted,
        "persons": certificate.persons,
        "rows": certificate.rows,
        "rows_of_others": certificate.mentions,
        "places": len(certificate.erased),
        "seconds": certificate.seconds,
        "still_open": ", ".join(sorted(certificate.open)) or "none",
        "links_not_followed": certificate.too_many + certificate.shared,
        "identifiers_left": certificate.left,
        "oldest_pending_hours": pending_hours(project),
    }


def pending_hours(project: Settings) -> float:
    """How many hours the oldest tombstone has waited for an erasure that left nothing open; 0 for none."""
    complete = next((each.started_at for each in certificates(project) if each.complete), "")
    since = Tombstones(project).pending_since(complete)
    return round((datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds() / 3600, 1) if since else 0.0
