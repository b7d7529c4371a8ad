"""The checks of every sync: what was acknowledged is read back, then its figures are looked at. They stop nothing."""

from collections.abc import Iterator, Sequence

import dagster as dg

from iterable_pipelines.activation.assets import asset_key
from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.errors import AlreadyRunning
from iterable_pipelines.activation.verify import verify_sync
from iterable_pipelines.activation.verify.watch import QUESTIONS, watch
from iterable_pipelines.api import IterableError
from iterable_pipelines.failures import explained
from iterable_pipelines.settings import Settings, load_settings

# told of by what is read back from Iterable
_READ_BACK = {"verified", "list_size"}
_DESCRIPTIONS = {
    "no_invalid_rows": "Every row of the source could be sent: none lacks a user or has a value that is refused.",
    "reject_ratio": "No more rows are refused than `max_failure_ratio` allows.",
    "freshness": "The last run that its schedule asked for ended well.",
    "count_deviation": "The source has about as many rows as in the runs before (`max_count_deviation`).",
    "verified": "What was read back from Iterable is as it was sent, up to `min_verified`.",
    "list_size": "Its lists have the members that were acknowledged.",
}


def activation_checks(syncs: Sequence[Sync]) -> list[dg.AssetChecksDefinition]:
    """One step of checks for each sync."""
    return [_sync_checks(each) for each in syncs]


def _sync_checks(sync: Sync) -> dg.AssetChecksDefinition:
    key = asset_key(sync)

    @dg.multi_asset_check(
        name=f"checks_of_{sync.name}",
        specs=[dg.AssetCheckSpec(name, asset=key, description=_DESCRIPTIONS[name]) for name in QUESTIONS],
        # without a result where a run is at work
        can_subset=True,
    )
    def look(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        asked = {each.name for each in context.selected_asset_check_keys}
        with explained(context):
            settings = load_settings()
            try:
                trouble = _read_back(context, settings, sync) if asked & _READ_BACK else ""
                found = watch(settings, sync)
            except AlreadyRunning as busy:
                context.log.info(str(busy))
                return
        for each in found:
            if each.name in asked:
                unread = trouble if each.name in _READ_BACK else ""
                yield dg.AssetCheckResult(
                    asset_key=key,
                    check_name=each.name,
                    passed=each.passed and not unread,
                    severity=dg.AssetCheckSeverity(each.severity),
                    description=" ".join(filter(None, (each.text, unread))),
                    metadata=each.figures,
                )

    return look


def _read_back(context: dg.AssetCheckExecutionContext, settings: Settings, sync: Sync) -> str:
    """Read back what has settled; returns why that did not work, which must not hide what the state tells."""
    try:
        verify_sync(settings, sync, log=context.log.info)
    except IterableError as error:
        return f"Iterable could not be asked: {error}"
    return ""
