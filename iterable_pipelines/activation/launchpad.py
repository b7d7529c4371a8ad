"""What can be set for one run of a sync in Dagster's launchpad."""

import dagster as dg
from pydantic import Field

from iterable_pipelines.activation.options import APPROVALS, Options, options_of


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
