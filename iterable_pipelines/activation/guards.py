"""What stops a run before anything is sent, unless it is approved for that run (P12, R11, R13)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from iterable_pipelines.activation.declaration import Approval, Sync
from iterable_pipelines.activation.diff import SENT
from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.mappings import Mappings
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.profile_fields import MOST_FIELDS, ProfileFields
from iterable_pipelines.activation.row_log import SCHEMA
from iterable_pipelines.activation.snapshot import Snapshot
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.published import has_table, reading
from iterable_pipelines.settings import Settings

_ACKNOWLEDGED = f"select count(*) from {SCHEMA}.sync_rows where sync = ? and outcome in ('acked', 'accepted', 'noop')"


# what is deleted with all that is in it
_WHOLES = {
    "whole_catalog_gone": "catalogs, with their items and collections,",
    "whole_list_gone": "lists, with all who are on them,",
}
_SENT = f"op in {SENT}"


@dataclass(frozen=True)
class Guard:
    """One that speaks up: `message` has the figures. Without a name nothing but the file can help."""

    name: Approval | None
    message: str
    approved: bool = False

    @property
    def title(self) -> str:
        """What it is called where people read of it."""
        return self.name or "type_conflict"


@dataclass(frozen=True)
class Guards:
    """All that is looked at, for one plan."""

    workspace: Workspace
    settings: Settings
    sync: Sync
    snapshot: Snapshot
    mappings: Mappings
    options: Options
    fields: ProfileFields

    def check(self) -> tuple[Guard, ...]:
        """Those that speak up, in a fixed order."""
        said: list[tuple[Approval | None, str]] = [
            ("empty_source", self._empty_source()),
            ("mass_exit", self._mass_exit()),
            ("backfill", self._backfill()),
            ("delete", self._delete()),
            ("send", self._send()),
            ("new_fields", self._new_fields()),
            (None, self._type_conflict()),
            ("lost_state", self._lost_state()),
            ("global_unsubscribe", self._global_unsubscribe()),
        ]
        return tuple(Guard(name, message, name in self.options.approve) for name, message in said if message)

    def _empty_source(self) -> str:
        if self.sync.is_history or self.sync.guards.allow_empty:
            return ""
        before = self._members()
        if self.snapshot.rows and not (self.snapshot.whole and self._nobody_stays(before)):
            return ""
        found = "no row of the source names anybody" if self.snapshot.rows else "the source has no row"
        return f"{found}, and {before:,} were acknowledged before" if before else ""

    def _nobody_stays(self, before: int) -> bool:
        """Whether rows there may be, but of nobody: without primary keys, or without users."""
        leaving = self._one("select count(distinct key) from scratch.compared where op = 'remove'")
        return leaving == before and not self._one("select count(*) from scratch.compared where member")

    def _mass_exit(self) -> str:
        leaving = self._one("select count(distinct key) from scratch.compared where op = 'remove'")
        before, guards = self._members(), self.sync.guards
        if leaving < guards.remove_at_least or leaving <= guards.max_remove_ratio * before:
            return ""
        allowed = f"`guards.max_remove_ratio` allows {guards.max_remove_ratio:.0%}"
        return f"{leaving:,} of {before:,} would leave, and {allowed}"

    def _backfill(self) -> str:
        version, most = self.mappings.version, self.sync.max_backfill_rows
        resent = self._one(
            "select count(*) from scratch.compared c join state.acked a on a.key = c.key and a.output = c.output "
            f"where c.op = 'change' and a.member and a.mapping_version <> {version}"
        )
        if resent <= most:
            return ""
        return f"the mapping was changed, {resent:,} rows would be sent again, and `max_backfill_rows` is {most:,}"

    def _delete(self) -> str:
        said = []
        if users := self._one("select count(*) from scratch.compared where op = 'remove' and endpoint = 'delete'"):
            said.append(f"{users:,} users would be deleted in Iterable, with all their history")
        for endpoint, what in _WHOLES.items():
            names = self.workspace.con.execute(
                f"select identity from scratch.compared where {_SENT} and endpoint = ? order by 1", [endpoint]
            ).fetchall()
            if names:
                shown = ", ".join(name for (name,) in names[:10]) + (", …" if len(names) > 10 else "")
                said.append(f"{len(names):,} {what} would be deleted in Iterable: {shown}")
        return "; ".join(said)

    def _send(self) -> str:
        """What reaches people, and cannot be called back."""
        said = []
        messages, people = self._both(
            f"select count(*), count(distinct (identity_kind, identity)) from scratch.compared where {_SENT} "
            "and endpoint = 'in_app'"
        )
        if messages:
            said.append(f"{messages:,} in-app messages would be sent to {people:,} people")
        blasts, lists = self._both(
            f"with blasts as (select payload::json as body from scratch.compared where {_SENT} "
            "and endpoint = 'campaign' and ((body->>'$.scheduleSend') = 'true' or (body->'$.sendAt') is not null)) "
            "select count(*), (select count(distinct list) from "
            "(select unnest(from_json(body->'$.listIds', '[\"BIGINT\"]')) as list from blasts)) from blasts"
        )
        if blasts:
            said.append(f"{blasts:,} campaigns would be sent to everybody on {lists:,} lists")
        return "; ".join(said)

    def _new_fields(self) -> str:
        new, most = self.fields.new, self.sync.guards.max_new_fields
        if self.sync.create_new_fields is False:
            return ""
        if len(new) + self.fields.known > MOST_FIELDS and new:
            room = f"{self.fields.known:,} of {MOST_FIELDS:,} fields are there already"
        elif len(new) > most:
            room = f"`guards.max_new_fields` is {most}"
        else:
            return ""
        shown = ", ".join(new[:10]) + (", …" if len(new) > 10 else "")
        return f"{len(new)} fields would be made that can never be deleted ({shown}), and {room}"

    def _type_conflict(self) -> str:
        # a trait is its one field; of other syncs Iterable refuses the rows that do not fit
        if self.sync.object != "trait" or not self.fields.conflicts:
            return ""
        name, there, sent = self.fields.conflicts[0]
        return (
            f"the field {name} is of type {there} in Iterable for ever, and {sent} would be sent: choose another `key`"
        )

    def _lost_state(self) -> str:
        if not self.mappings.is_first or self._one("select count(*) from state.acked"):
            return ""
        if not self.settings.published_path.exists():
            # nothing was ever published, so nothing of this sync
            return ""
        with reading(self.settings) as con:
            there = has_table(con, SCHEMA, "sync_rows")
            found = con.execute(_ACKNOWLEDGED, [self.sync.name]).fetchone() if there else None
        known = found[0] if found else 0
        if not known:
            return ""
        return (
            f"its state (data/activation/{self.sync.name}.duckdb) is gone, and the warehouse knows of {known:,} rows "
            "that were acknowledged: all would be sent again"
        )

    def _global_unsubscribe(self) -> str:
        leaving = self._one(
            "select count(*) from scratch.compared where op in ('add', 'change', 'remove', 'retry') "
            "and endpoint = 'unsubscribe' and (flags::json->>'$.channelUnsubscribe') = 'true'"
        )
        told = "would be unsubscribed from everything, because `channel_unsubscribe` is true"
        return f"{leaving:,} {told}" if leaving else ""

    def _members(self) -> int:
        return self._one("select count(distinct key) from state.acked where member")

    def _both(self, sql: str) -> tuple[int, int]:
        found: tuple[int, int] | None = self.workspace.con.execute(sql).fetchone()
        return found or (0, 0)

    def _one(self, sql: str) -> int:
        found: tuple[Any, ...] | None = self.workspace.con.execute(sql).fetchone()
        return found[0] if found else 0


def refuse_unapproved(sync: str, guards: Sequence[Guard]) -> None:
    """Raise ActivationRefused for guards that stop the run, with what to type if it is meant."""
    stopping = [each for each in guards if not each.approved]
    if not stopping:
        return
    told = "\n".join(f"  {each.title}: {each.message}" for each in stopping)
    flags = " ".join(f"--approve {each.name}" for each in stopping if each.name)
    if any(each.name is None for each in stopping):
        then = f"correct syncs/{sync}.yml, then iterable-pipelines sync plan {sync}"
    else:
        then = (
            f"iterable-pipelines sync plan {sync} shows it; if it is meant, iterable-pipelines sync run {sync} {flags}"
        )
    raise ActivationRefused(
        f"{sync}: stopped before anything was sent; what was acknowledged is safe.\n{told}\nNext: {then}"
    )
