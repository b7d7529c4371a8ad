"""What can be said for one run: in the launchpad, and on the command line (outbound.md 6.3)."""

from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from iterable_pipelines.activation.declaration import Approval
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.settings import SettingsError
from iterable_pipelines.settings_values import did_you_mean

APPROVALS: tuple[str, ...] = get_args(Approval)


@dataclass(frozen=True)
class Options:
    """approve: guards that may let this run pass. only_pks: these rows only. limit: the first so many rows by primary
    key; others stay as they are. as_of: the moment that windows end at, default the full hour. offline: a plan asks
    Iterable nothing.
    """

    dry_run: bool = False
    approve: tuple[Approval, ...] = ()
    only_pks: tuple[str, ...] = ()
    limit: int | None = None
    as_of: datetime | None = None
    offline: bool = False
    dagster_run_id: str | None = None


def options_of(
    dry_run: bool,
    approve: list[str],
    only_pks: list[str],
    limit: int | None,
    as_of: str | None,
    dagster_run_id: str | None = None,
    offline: bool = False,
) -> Options:
    """Options as they were written by a person. Raises SettingsError, with what is allowed."""
    for each in approve:
        if each not in APPROVALS:
            near = did_you_mean(each, APPROVALS)
            raise SettingsError(
                f"approve: {each!r} is no guard{near or ''}; there are {', '.join(APPROVALS)}. Nothing was sent."
            )
    try:
        moment = parse_hour(as_of) if as_of else None
    except ValueError as error:
        raise SettingsError(f"as_of: {error}. Nothing was sent.") from None
    return Options(
        dry_run=dry_run,
        approve=tuple(approve),  # type: ignore[arg-type]
        only_pks=tuple(only_pks),
        limit=limit,
        as_of=moment,
        offline=offline,
        dagster_run_id=dagster_run_id,
    )
