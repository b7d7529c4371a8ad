"""What an export is asked for, in the two spellings that Iterable wants (api.md 3.2, 3.5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from iterable_pipelines.hours import Window

JSON_STREAM = "application/x-json-stream"
_MOMENT = "%Y-%m-%d %H:%M:%S +00:00"


@dataclass(frozen=True)
class Selection:
    """The records of a data type in a window; of one campaign, and with some fields only, where that is asked for.

    `only_fields` keeps the fields named, `omit_fields` drops them; empty means all.
    """

    data_type: str
    window: Window
    only_fields: Sequence[str] = ()
    omit_fields: Sequence[str] = ()
    campaign_id: int | None = None

    def as_query(self) -> dict[str, Any]:
        """The query of GET /api/export/data.json."""
        # an array here: the name is repeated
        return self._asked() | ({"onlyFields": list(self.only_fields)} if self.only_fields else {})

    def as_body(self) -> dict[str, Any]:
        """The body of POST /api/export/start."""
        only = {"onlyFields": ",".join(self.only_fields)} if self.only_fields else {}
        return {"outputFormat": JSON_STREAM} | self._asked() | only

    def __str__(self) -> str:
        campaign = "" if self.campaign_id is None else f" of campaign {self.campaign_id}"
        return f"{self.data_type} {self.window}{campaign}"

    def _asked(self) -> dict[str, Any]:
        start, end = self.window.start.astimezone(UTC), self.window.end.astimezone(UTC)
        asked: dict[str, Any] = {
            "dataTypeName": self.data_type,
            "startDateTime": start.strftime(_MOMENT),
            "endDateTime": end.strftime(_MOMENT),
        }
        if self.omit_fields:
            asked["omitFields"] = ",".join(self.omit_fields)
        if self.campaign_id is not None:
            asked["campaignId"] = self.campaign_id
        return asked
