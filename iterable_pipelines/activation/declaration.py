"""`syncs/*.yml`: one file, one sync, one asset. What all objects have in common; objects.py has what each adds."""

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from iterable_pipelines.declared import Declared, Section, Variable

FOLDER = "syncs"

Mode = Literal["insert", "update", "upsert", "mirror", "remove"]
OnLeave = Literal["keep", "null_fields", "unsubscribe", "delete", "clear", "disable", "exit"]
Approval = Literal["mass_exit", "empty_source", "backfill", "delete", "new_fields", "lost_state"]
_FREQUENCIES = ("hourly", "daily", "weekly", "on_upstream", "manual")
# minutes past the hour at which profiles are built; by then the copy for readers is a new one
_CRON = {"hourly": "30 * * * *", "daily": "30 6 * * *", "weekly": "30 6 * * 1"}
_REF = re.compile(r"ref\(\s*['\"](?P<model>\w+)['\"]\s*\)")


def _listed(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


def _fields(given: Any) -> Any:
    """Each column with its To. "*" stands for all other columns, under their own names."""
    if given == "*":
        given = {"*": "*"}
    if not isinstance(given, dict):
        raise ValueError('write `column: field` a line, or "*" for all columns')
    # YAML reads the word null as nothing, also where it is a name
    written = {column: {"to": to} if isinstance(to, str) else to for column, to in given.items()}
    return {
        column: {"null" if name is None else name: value for name, value in to.items()} if isinstance(to, dict) else to
        for column, to in written.items()
    }


def _frequency(given: str) -> str:
    if given in _FREQUENCIES:
        return given
    from dagster._utils.schedules import is_valid_cron_schedule

    if not is_valid_cron_schedule(given):
        raise ValueError(f"write one of {', '.join(_FREQUENCIES)}, or five fields of cron, such as '15 6 * * *' (UTC)")
    return given


Columns = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Connection(Section):
    """Another project of Iterable's than the settings name: the variable that holds its key, and what it is."""

    key_env: Variable
    region: Literal["us", "eu"] = "us"
    project_type: Literal["email", "userid", "hybrid"]


class Sql(Section):
    """A query of one's own. `{{ as_of }}` and `{{ window_start }}` in it become moments (P11)."""

    sql: str


class Match(Section):
    """The column that names the user, and which of Iterable's identifiers it is (G23, G27)."""

    column: str
    field: Literal["email", "userId"]


class To(Section):
    """Where a column goes: `to` may hold dots, which nest (V6). `null`: whether NULL clears the field (V5)."""

    to: str
    null: Literal["send", "omit"] | None = None
    unordered: bool = False


class Guards(Section):
    """What stops a run before anything is sent, unless it is approved (P12, R11)."""

    max_remove_ratio: float = Field(0.5, ge=0, le=1)
    # fewer leave than this, and the ratio does not matter
    remove_at_least: int = Field(100, ge=0)
    max_new_fields: int = Field(5, ge=0)
    allow_empty: bool = False


class Sync(Declared):
    """One sync. The classes in objects.py say which modes and on_leave are legal for their object (outbound.md 6.1)."""

    modes: ClassVar[tuple[Mode, ...]]
    leaves: ClassVar[tuple[OnLeave, ...]] = ("keep",)
    # whether rows are events: their first run must be chosen (G, section 2.2)
    is_history: ClassVar[bool] = False

    object: Any
    connection: Connection | None = None
    source: str | Sql
    primary_key: Columns
    match: Match | None = None
    mode: Mode = "upsert"
    on_leave: OnLeave = "keep"
    fields: Annotated[dict[str, To], BeforeValidator(_fields)] = Field(default_factory=dict)
    constants: dict[str, Any] = Field(default_factory=dict)
    null_policy: Literal["send", "omit"] | None = None
    on_mapping_change: Literal["updates_only", "backfill"] = "updates_only"
    max_backfill_rows: int = Field(10_000, ge=0)
    clear_removed_fields: bool = False
    frequency: Annotated[str, AfterValidator(_frequency)] = "on_upstream"
    enabled: bool = True
    guards: Guards = Guards()
    delivery: Literal["bulk", "single"] = "bulk"
    window: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,5}[hdw]$")] | None = None
    first_run: Literal["backfill", "from_now"] | None = None
    renamed_from: str | None = None
    log_payloads: bool = False
    max_failure_ratio: float = Field(0.05, ge=0, le=1)
    volatile: Columns = ()
    naive_timezone: str = "UTC"
    convert_iso_strings: bool = True
    on_long_value: Literal["error", "truncate"] = "error"
    create_new_fields: bool | None = None
    merge_nested_objects: bool | None = None
    allow_managed_fields: Columns = ()
    identify_by: Literal["email", "userId"] | None = None
    placeholder_email: bool = False
    on_email_exists: Literal["fail", "merge"] = "fail"
    on_type_mismatch: Literal["reject_row", "drop_field"] = "reject_row"
    strict_fields: bool = False
    on_duplicate_identity: Literal["next_request", "error"] = "next_request"
    keep_identifiers_in_data_fields: bool = False
    watermark: str | None = None
    key_retention_days: int = Field(400, ge=1)
    # what to do about values that somebody else has changed at Iterable since they were acknowledged (6.6)
    drift: Literal["report", "correct"] = "report"
    # before this many seconds nothing is read back; None: what the kind of record needs
    verify_after_seconds: int | None = Field(None, ge=0)
    min_verified: float = Field(0.99, ge=0, le=1)
    # how far the number of rows of a run may lie from that of the runs before (D5)
    max_count_deviation: float = Field(0.5, gt=0)

    @model_validator(mode="after")
    def _fit_together(self) -> "Sync":
        if self.mode not in self.modes:
            raise ValueError(f"`mode` of a {self.object} must be {_either(self.modes)}, not {self.mode}")
        if self.on_leave not in self.leaves:
            raise ValueError(f"`on_leave` of a {self.object} must be {_either(self.leaves)}, not {self.on_leave}")
        if self.is_history and self.first_run is None:
            raise ValueError(
                "`first_run` must be chosen, because old events can start journeys: backfill sends all rows there are, "
                "from_now only those that come from now on"
            )
        return self

    @property
    def schedule(self) -> str | None:
        """When to run (UTC cron); None for syncs that follow their source, or are run by hand (G12, P11)."""
        if self.frequency == "on_upstream":
            # time alone moves people out of a window
            return _CRON["hourly"] if self.window else None
        return None if self.frequency == "manual" else _CRON.get(self.frequency, self.frequency)

    @property
    def model(self) -> str | None:
        """The dbt model of `ref('…')`; None for another source."""
        found = _REF.fullmatch(self.source.strip()) if isinstance(self.source, str) else None
        return found["model"] if found else None

    def place(self, root: Path) -> tuple[str, ...]:
        """Two syncs may write to the same place; that two write the same field is looked at elsewhere (R14)."""
        return (self.name,)


def _either(allowed: tuple[str, ...]) -> str:
    return allowed[0] if len(allowed) == 1 else f"{', '.join(allowed[:-1])} or {allowed[-1]}"


__all__ = ["FOLDER", "Columns", "Connection", "Guards", "Match", "Mode", "OnLeave", "Sql", "Sync", "To"]
