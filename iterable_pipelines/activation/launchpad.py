"""What can be set for one run of a sync in Dagster's launchpad."""

from typing import get_args

import dagster as dg
from pydantic import Field

from iterable_pipelines.activation.declaration import Approval
from iterable_pipelines.activation.options import Options
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.settings import SettingsError
from iterable_pipelines.settings_values import did_you_mean

APPROVALS: tuple[str, ...] = get_args(Approval)


class RunOptions(dg.Config):
    """The options of a run. Left as they are, everything that changed is sent."""

    dry_run: bool = Field(
        False, description="Say what would be sent, in the run's log and the asset's Events; send nothing."
    )
    approve: list[str] = Field([], description=f"Guards that may let this run pass: {', '.join(APPROVALS)}.")
    only_pks: list[str] = Field([], description="Primary keys: these rows only. Columns of one key are joined by |.")
    limit: int | None = Field(None, ge=1, description="The first so many rows by primary key; others stay as they are.")
    as_of: str | None = Field(
        None, description="The hour that windows end at, UTC, such as 2026-11-01T03. By default the present one."
    )

    def options(self, dagster_run_id: str | None = None) -> Options:
        """The same, checked. Raises SettingsError, with what is allowed."""
        return options_of(self.dry_run, self.approve, self.only_pks, self.limit, self.as_of, dagster_run_id)


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
