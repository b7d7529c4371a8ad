"""`syncs/*.yml`: one file, one sync, one asset. What all objects have in common; objects.py has what each adds."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from iterable_pipelines.activation.managed_fields import managed
from iterable_pipelines.declared import Declared, Section, Variable

FOLDER = "syncs"
# as fields they say who is meant: within dataFields they would change the identity (I7)
IDENTIFIERS = ("email", "userId")

Mode = Literal["insert", "update", "upsert", "mirror", "remove"]
OnLeave = Literal["keep", "null_fields", "unsubscribe", "delete", "clear", "disable", "exit"]
Approval = Literal[
    "mass_exit", "empty_source", "backfill", "delete", "send", "new_fields", "lost_state", "global_unsubscribe"
]
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


def _zone(given: str) -> str:
    try:
        ZoneInfo(given)
    except (ValueError, OSError, KeyError):
        raise ValueError("write the name of a time zone, such as Europe/Berlin or UTC") from None
    return given


def _field(given: str) -> str:
    if not all(part.strip() == part and part for part in given.split(".")):
        raise ValueError("write the name of a field; dots nest, as in address.city (V6)")
    return given


FieldName = Annotated[str, AfterValidator(_field)]
Zone = Annotated[str, AfterValidator(_zone)]
Columns = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Connection(Section):
    """Another project of Iterable's than the settings name: the variable that holds its key, and what it is."""

    key_env: Variable
    region: Literal["us", "eu"] = "us"
    project_type: Literal["email", "userid", "hybrid"]


class Sql(Section):
    """A query of one's own. `{{ as_of }}` and `{{ window_start }}` in it become moments (P11)."""

    sql: str


class Constant(Section):
    """A value instead of a column."""

    constant: Any


Given = str | Constant


class Match(Section):
    """The column that names the user, and which of Iterable's identifiers it is (G23, G27)."""

    column: str
    field: Literal["email", "userId"]


class To(Section):
    """Where a column goes: `to` may hold dots, which nest (V6). `null`: whether NULL clears the field (V5).

    `type`: what it is converted to. `unordered`: whether two arrays with the same members are the same (S4).
    """

    to: FieldName
    null: Literal["send", "omit"] | None = None
    type: Literal["string", "long", "double", "boolean", "json"] | None = None
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
    # whether `fields` may hold more than the identifiers of the user
    takes_fields: ClassVar[bool] = False
    # whether they are fields of the profile: some of those are Iterable's own (K3)
    of_profile: ClassVar[bool] = False
    # whether `match`, or a field named email or userId, must say who is meant
    needs_user: ClassVar[bool] = True
    # of records about a thing, the code of rows that name the same one: none of them is sent
    code_of_doubles: ClassVar[str] = ""
    # the fields below that name a column of the source
    naming_columns: ClassVar[tuple[str, ...]] = ()

    object: Any
    connection: Connection | None = None
    source: str | Sql
    primary_key: Annotated[Columns, Field(min_length=1)]
    match: Match | None = None
    keep_identifiers_in_data_fields: bool = False
    allow_managed_fields: Columns = ()
    mode: Mode = "upsert"
    on_leave: OnLeave = "keep"
    fields: Annotated[dict[str, To], BeforeValidator(_fields)] = Field(default_factory=dict)
    constants: dict[FieldName, Any] = Field(default_factory=dict)
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
    naive_timezone: Zone = "UTC"
    convert_iso_strings: bool = True
    on_long_value: Literal["error", "truncate"] = "error"
    create_new_fields: bool | None = None
    merge_nested_objects: bool | None = None
    identify_by: Literal["email", "userId"] | None = None
    placeholder_email: bool = False
    on_email_exists: Literal["fail", "merge"] = "fail"
    on_type_mismatch: Literal["reject_row", "drop_field"] = "reject_row"
    strict_fields: bool = False
    longest_user_id: int = Field(52, ge=1)
    watermark: str | None = None
    key_retention_days: int = Field(400, ge=1)
    # what to do about values that somebody else has changed at Iterable since they were acknowledged (6.6)
    drift: Literal["report", "correct"] = "report"
    # before this many seconds nothing is read back; None: what the kind of record needs
    verify_after_seconds: int | None = Field(None, ge=0)
    min_verified: float = Field(0.99, ge=0, le=1)
    # how far the number of rows of a run may lie from that of the runs before (D5)
    max_count_deviation: float = Field(0.5, gt=0)

    @field_validator("fields")
    @classmethod
    def _one_place_each(cls, fields: dict[str, To], info: ValidationInfo) -> dict[str, To]:
        for column, to in fields.items():
            if (column == "*") != (to.to == "*"):
                raise ValueError(
                    f'"*" stands for all other columns, under their own names: write "*": "*", not {to.to}'
                )
            cls._may_be_written(to.to, info)
        match = info.data.get("match")
        taken = {match.field: match.column} if match else {}
        for column, to in fields.items():
            if taken.setdefault(to.to, column) != column:
                raise ValueError(f"the columns {taken[to.to]} and {column} both go to {to.to}")
        _refuse_overlap(to.to for to in fields.values())
        return fields

    @field_validator("constants")
    @classmethod
    def _no_column_goes_there(cls, constants: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if constants and not cls.takes_fields:
            raise ValueError("this object has no fields of your own")
        for name in constants:
            cls._may_be_written(name, info)
            if name in IDENTIFIERS and cls.needs_user:
                raise ValueError(f"{name} names the user: it cannot be the same for all rows")
        _refuse_overlap([*(to.to for to in info.data.get("fields", {}).values()), *constants])
        return constants

    @classmethod
    def _may_be_written(cls, name: str, info: ValidationInfo) -> None:
        if not cls.takes_fields and name not in IDENTIFIERS:
            raise ValueError(f"this object has no fields of your own: only email and userId can be named, not {name}")
        if not cls.of_profile:
            return
        if name == "id" and not info.data.get("keep_identifiers_in_data_fields"):
            raise ValueError("id is an identifier, not a field of the profile (I7): give it another name")
        if name not in info.data.get("allow_managed_fields", ()) and (why := managed(name)):
            raise ValueError(why)

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
        targets = {to.to for to in self.targets.values()}
        if self.needs_user and self.match is None and not targets & {*IDENTIFIERS, "*"}:
            raise ValueError("nobody is named: write `match: {column: …, field: email}`, or field: userId")
        if self.takes_fields and "*" not in targets and (unknown := set(self.volatile) - targets - set(self.constants)):
            raise ValueError(f"`volatile` names {sorted(unknown)[0]}, which is no field of this sync")
        return self

    @property
    def targets(self) -> dict[str, To]:
        """Columns and the fields they go to."""
        return self.fields

    @property
    def profile_fields(self) -> frozenset[str]:
        """The fields of the profile that it writes by name: no other sync may (R14)."""
        named = {*(to.to for to in self.targets.values()), *self.constants}
        return frozenset(named - {"*", *IDENTIFIERS}) if self.of_profile else frozenset()

    @property
    def roles(self) -> frozenset[str]:
        """Columns that `fields` need not name, because the sync names them elsewhere: "*" leaves them out."""
        named = [getattr(self, each) for each in self.naming_columns]
        return frozenset(each for each in (self.match and self.match.column, *named) if isinstance(each, str))

    @property
    def bookkeeping(self) -> frozenset[str]:
        """Columns that say which row it is, and are not sent."""
        return frozenset(each for each in (*self.primary_key, self.watermark) if each)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is legal in the file and yet has no effect, or not the one that it seems to have."""
        return ()

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


def _refuse_overlap(names: Iterable[str]) -> None:
    """A field is written once, and is either a value or an object (V6)."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the field {name} stands there twice")
        seen.add(name)
    for name in sorted(seen):
        parts = name.split(".")
        for end in range(1, len(parts)):
            if (above := ".".join(parts[:end])) in seen:
                raise ValueError(f"{above} is a field already, so {name} cannot be within it")


def _either(allowed: tuple[str, ...]) -> str:
    return allowed[0] if len(allowed) == 1 else f"{', '.join(allowed[:-1])} or {allowed[-1]}"


__all__ = [
    "FOLDER",
    "IDENTIFIERS",
    "Columns",
    "Connection",
    "Constant",
    "FieldName",
    "Given",
    "Guards",
    "Match",
    "Mode",
    "OnLeave",
    "Sql",
    "Sync",
    "To",
]
