"""The daemon's ticks, one after the other: what the automation conditions ask for since the tick before."""

from datetime import datetime
from typing import Any

import dagster as dg


class Ticks:
    """Ticks of the daemon on some definitions; the first sees everything that happened before."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.definitions, self.instance = definitions, instance
        self._cursor: Any = None

    def requested(self, *keys: dg.AssetKey, at: datetime | None = None) -> int:
        """One tick, now or `at` a time; for how much of these assets it asks."""
        found = self._tick(at)
        return sum(found.get_num_requested(key) for key in keys)

    def models(self) -> set[str]:
        """One tick; the models that it asks for."""
        found = self._tick()
        keys = self.definitions.resolve_all_asset_keys()
        names = {"/".join(key.path) for key in keys if found.get_num_requested(key)}
        return {name for name in names if name.startswith(("profiles/", "marts/"))}

    def _tick(self, at: datetime | None = None) -> dg.EvaluateAutomationConditionsResult:
        found = dg.evaluate_automation_conditions(
            self.definitions, self.instance, cursor=self._cursor, evaluation_time=at
        )
        self._cursor = found.cursor
        return found
