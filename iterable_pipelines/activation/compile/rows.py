"""What the compilers of all objects have in common: the mapping of a sync, settled for the columns of its source."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.fields import Fields, targets_of
from iterable_pipelines.activation.compile.identity import Identifying, Who
from iterable_pipelines.activation.compile.loose_names import spelled
from iterable_pipelines.activation.compile.moments import Moments
from iterable_pipelines.activation.compile.values import Values, verbatim
from iterable_pipelines.activation.declaration import IDENTIFIERS, Sync, To
from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.managed_fields import managed
from iterable_pipelines.activation.objects import CALL_MEMBERS, CallsSync
from iterable_pipelines.activation.project import ProjectType
from iterable_pipelines.activation.records import Compiled, Issue, Record
from iterable_pipelines.settings_values import did_you_mean

S = TypeVar("S", bound=Sync)
# of a sync's file, what changes no record (G11)
NO_MAPPING = {
    *("description", "source", "connection", "frequency", "enabled", "guards", "window", "first_run", "log_payloads"),
    *("max_failure_ratio", "on_mapping_change", "max_backfill_rows", "clear_removed_fields", "watermark"),
    *("key_retention_days", "on_type_mismatch", "strict_fields", "on_duplicate_identity", "on_email_exists"),
    *("on_leave", "existence", "existence_max_age_hours", "trust_ids", "on_delete", "allow_reuse", "include_history"),
    *("drift", "verify_after_seconds", "min_verified", "max_count_deviation", "renamed_from", "update_all"),
    "create_if_missing",
    *("consent", "consent_lookup", "state_max_age_minutes"),
}


@dataclass(frozen=True)
class Settled(Generic[S]):
    """A sync without "*", and whom its records are for."""

    sync: S
    project: ProjectType
    as_of: datetime


class RowCompiler(Generic[S]):
    """One object's way from rows to records. A subclass gives `compile`, and `leave` if there is something to say."""

    # whether a record changes a profile: then NULL clears a field unless it is said otherwise (V5)
    profile = False
    # whether fields are content, such as HTML: texts go as they are
    is_content = False
    needs_before = False

    def __init__(self, settled: Settled[S]) -> None:
        sync = self.sync = settled.sync
        self.project = settled.project
        self.as_of = settled.as_of
        nulls = sync.null_policy == "send" if sync.null_policy else self.profile
        self.zone = ZoneInfo(sync.naive_timezone)
        self.values = (
            verbatim(self.zone, nulls)
            if self.is_content
            else Values(self.zone, sync.convert_iso_strings, nulls, sync.on_long_value == "truncate")
        )
        self.identifying = Identifying(
            settled.project, sync.identify_by, sync.mode != "update", sync.placeholder_email, sync.longest_user_id
        )
        targets = targets_of(sync.targets, nulls=nulls, without=IDENTIFIERS if sync.needs_user else ())
        self.fields = Fields(
            targets, sync.constants, self.values, profile=self.profile, allowed=sync.allow_managed_fields
        )
        named = {to.to: column for column, to in sync.targets.items() if to.to in IDENTIFIERS}
        if sync.match:
            named[sync.match.field] = sync.match.column
        self._email, self._user_id = named.get("email", ""), named.get("userId", "")
        # a sync that was renamed goes on with the ids of its events
        self.ids = sync.renamed_from or sync.name
        self.columns = frozenset({*sync.roles, *sync.targets})

    @property
    def mapping(self) -> dict[str, Any]:
        """What is kept of a version of the mapping (G10); `compiler_again` makes a compiler of it."""
        said = self.sync.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=NO_MAPPING)
        # to be called otherwise changes no record either
        return {"sync": {**said, "name": self.ids}, "project_type": self.project}

    def who(self, row: Row, issues: list[Issue]) -> Who | None:
        """The user of a row."""
        return self.identifying.who(row.get(self._email), row.get(self._user_id), issues)

    def opted_in(self, row: Row, issues: list[Issue]) -> int | None:
        """When the row's user has opted in, in seconds; None where no column says so."""
        column = getattr(self.sync, "opted_in_at", None)
        return (
            Moments(self.as_of, self.zone, may_miss=True).created_at(row.get(column), issues, column)
            if column
            else None
        )

    def kept(self, who: Who) -> dict[str, Any]:
        """Identifiers that stay among the data too, where the sync says so (I7)."""
        return who.top if self.sync.keep_identifiers_in_data_fields else {}

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """The records of a row, or what is wrong with it."""
        raise NotImplementedError

    def leave(self, acknowledged: Acknowledged) -> Record | None:
        """Nothing is said of a row that is gone, unless a subclass knows what."""
        return None


def wrong(issues: list[Issue]) -> bool:
    """Whether one of them keeps the row from being sent."""
    return any(each.severity == "error" for each in issues)


def settle(
    sync: S,
    project: ProjectType,
    as_of: datetime,
    columns: Mapping[str, str],
    column_meta: Mapping[str, Mapping[str, Any]],
) -> Settled[S]:
    """The sync with "*" written out. Raises ActivationRefused for columns that are not there, or must not be sent."""
    here = f"syncs/{sync.name}.yml"
    for column in sorted({*sync.roles, *sync.bookkeeping, *sync.targets} - {"*"} - set(columns)):
        near = did_you_mean(column, columns) or f"; it has {', '.join(columns)}"
        raise ActivationRefused(
            f"{here} names the column {column}, which its source does not have{near}\nNothing was sent.\n"
            f"Next: correct {here}, then iterable-pipelines sync plan {sync.name}"
        )
    if isinstance(sync, CallsSync):
        found = {member: there for member in CALL_MEMBERS if (there := spelled(columns, member))} | sync.columns
        if "type" not in found:
            raise ActivationRefused(
                f"{here}: its source has no column `type`, which says what each call is. Nothing was sent.\n"
                f"Next: name it under `columns`, as in `type: kind`, then iterable-pipelines sync plan {sync.name}"
            )
        # every member of a STRUCT is there in every row: NULL is not what the call said
        absent = "omit" if columns.get(found.get("traits", ""), "").upper().startswith("STRUCT") else None
        said = {"columns": found, "null_policy": sync.null_policy or absent}
        return Settled(sync.model_copy(update=said), project, as_of)
    star = sync.fields.get("*")
    if star is None:
        return Settled(sync, project, as_of)
    fields = {column: to for column, to in sync.fields.items() if column != "*"}
    for column in columns:
        known = column_meta.get(column, {})
        if column in fields or column in sync.roles or column in sync.bookkeeping or known.get("ignore"):
            continue
        name = known.get("field") or column
        if sync.of_profile and name not in sync.allow_managed_fields and (why := managed(name)):
            raise ActivationRefused(
                f'{here}: "*" takes the column {column} too: {why}. Nothing was sent.\n'
                f"Next: list the columns under `fields` one by one, then iterable-pipelines sync plan {sync.name}"
            )
        if sync.of_profile and name in ("id", "phone"):
            # an identifier (I7), and the name that Iterable has for a phone number (K1)
            if name == "id":
                continue
            name = "phoneNumber"
        fields[column] = To.model_validate(
            {"to": name, "null": star.null, "type": known.get("type"), "unordered": bool(known.get("unordered"))}
        )
    _refuse_doubles(here, sync.name, fields)
    return Settled(sync.model_copy(update={"fields": fields}), project, as_of)


def _refuse_doubles(here: str, name: str, fields: Mapping[str, To]) -> None:
    places: dict[str, str] = {}
    for column, to in fields.items():
        other = places.setdefault(to.to, column)
        if other != column:
            raise ActivationRefused(
                f'{here}: "*" sends the columns {other} and {column} to the same field {to.to}. Nothing was sent.\n'
                f"Next: give one of them another name under `fields`, then iterable-pipelines sync plan {name}"
            )
