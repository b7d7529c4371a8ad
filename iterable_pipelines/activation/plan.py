"""What a run would do, or is about to: everything before the first request."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import duckdb

from iterable_pipelines.activation.catalog_setup import catalog_setups
from iterable_pipelines.activation.compile.objects import compiler_again, compiler_of
from iterable_pipelines.activation.consent.gate import ConsentGate
from iterable_pipelines.activation.consent.plan import consent_gate, count_consent_lookups, keep_consent
from iterable_pipelines.activation.costs import Costs, costs_of
from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.desired import compile_rows, refuse_shared_identities, refuse_shared_things
from iterable_pipelines.activation.diff import SENT, Diff
from iterable_pipelines.activation.endpoints import ENDPOINTS
from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.existence import (
    Gate,
    ask_imported_users,
    copy_known_events,
    count_lookups,
    gate_of,
)
from iterable_pipelines.activation.forgotten import leave_out_forgotten
from iterable_pipelines.activation.guards import Guard, Guards, refuse_unapproved
from iterable_pipelines.activation.keys import with_kept_key
from iterable_pipelines.activation.lists import find_list, show_list, wanted_list
from iterable_pipelines.activation.mappings import Mappings, clear_removed_fields
from iterable_pipelines.activation.meta import refuse_others, with_kept_name
from iterable_pipelines.activation.models import column_meta
from iterable_pipelines.activation.objects import ProfileSync, load_syncs
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.profile_fields import ProfileFields, compare_fields, fields_of_changes
from iterable_pipelines.activation.project import Project
from iterable_pipelines.activation.promise import promised, told
from iterable_pipelines.activation.shown import ShownChange, ShownRequest, shown_changes, shown_requests
from iterable_pipelines.activation.snapshot import IN_ORDER, Source, source_of, take_snapshot
from iterable_pipelines.activation.state import Workspace, open_workspace
from iterable_pipelines.api import Iterable
from iterable_pipelines.hours import hour_of, now
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings

Log = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is to be done, in figures. The changes are in `scratch.changes`, in the order in which they are sent.

    rows: of the source. whole: whether all of them were looked at. counts: records by op (diff.py). invalid, skipped,
    warned: what is wrong with rows, why they are not sent, and what is odd about them, by code. in_doubt: requests of a
    run that died. gate: asks for users first. Only where somebody asks for a plan (`plan_sync`): requests, changes, the
    first ones, with values of persons; wrong: the first invalid rows, primary key, code, path and message.
    """

    sync: str
    object: str
    mode: str
    as_of: datetime
    rows: int
    whole: bool
    mapping: str
    mapping_version: int
    counts: dict[str, int]
    invalid: dict[str, int]
    skipped: dict[str, int]
    warned: dict[str, int]
    costs: Costs
    fields: ProfileFields
    guards: tuple[Guard, ...]
    in_doubt: int
    warnings: tuple[str, ...]
    lists: tuple[str, ...] = ()
    requests: tuple[ShownRequest, ...] = ()
    changes: tuple[ShownChange, ...] = ()
    wrong: tuple[tuple[str, str, str, str], ...] = ()
    gate: Gate | ConsentGate | None = field(default=None, repr=False, compare=False)

    @property
    def sends(self) -> int:
        """How many records would be sent."""
        return sum(self.counts.get(op, 0) for op in SENT)

    @property
    def exit_code(self) -> int:
        """0: nothing to do. 2: there are changes. 3: some rows are invalid. 4: a guard stops it (outbound.md 6.4)."""
        if any(not each.approved for each in self.guards):
            return 4
        return 3 if self.invalid else 2 if self.sends else 0

    def refuse_unapproved(self) -> None:
        """Raise ActivationRefused where a guard stops the run."""
        refuse_unapproved(self.sync, self.guards)

    def as_json(self) -> dict[str, Any]:
        """The same for the same snapshot and state."""
        left_out = ("gate", "mapping")
        found = asdict(replace(self, gate=None)) | {"as_of": self.as_of.isoformat(), "exit_code": self.exit_code}
        return {name: each for name, each in found.items() if name not in left_out}


@dataclass(frozen=True)
class Preview:
    """One row: what would be sent, or was; `changes` has its fields old and new, `issues` code, message and path."""

    pk: str
    requests: tuple[ShownRequest, ...]
    changes: tuple[ShownChange, ...]
    issues: tuple[tuple[str, str, str], ...]
    guards: tuple[Guard, ...]

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON."""
        return asdict(self)


def plan_sync(settings: Settings, sync: Sync, options: Options, log: Log = print, shown: int = 3) -> Plan:
    """What a run would do, with the first `shown` requests and changes. Works while there is no state, and for a
    disabled sync (G9). Raises as `make_plan`, AlreadyRunning and SettingsError.
    """
    project = Project.of(settings, sync)
    sync = with_kept_key(project, sync)
    client = None if options.offline else project.client(log)
    with open_workspace(settings, sync.name, renamed_from=sync.renamed_from, log=log) as workspace:
        refuse_others(workspace, settings, sync, project)
        plan = make_plan(workspace, project, sync, options, client, log)
        wanted = wanted_list(sync)
        is_missing = wanted and client and find_list(workspace, wanted, client) is None
        show_list(workspace, sync)
        wrong = workspace.con.execute(
            "select pk, code, path, message from scratch.issues where severity = 'error' order by all limit ?", [shown]
        ).fetchall()
        return replace(
            plan,
            wrong=tuple(wrong),
            warnings=(*plan.warnings, *_mixed(settings, sync)),
            lists=(wanted.name,) if wanted and is_missing else (),
            requests=shown_requests(workspace, shown),
            changes=shown_changes(workspace, shown * 10, SENT),
        )


def preview_pk(settings: Settings, sync: Sync, pk: str, log: Log = print) -> Preview:
    """The exact requests of one row, as if it had to be sent now; nothing is. Iterable is not asked anything.

    Raises ActivationRefused for a primary key that the source does not have, and as `plan_sync`.
    """
    project = Project.of(settings, sync)
    sync = with_kept_key(project, sync)
    as_of = hour_of(now())
    with open_workspace(settings, sync.name, renamed_from=sync.renamed_from, log=log) as workspace:
        refuse_others(workspace, settings, sync, project)
        source, options = source_of(settings, sync, as_of), Options(only_pks=(pk,), offline=True)
        plan = plan_rows(workspace, project, sync, source, options, None, log, is_preview=True)
        con = workspace.con
        if not con.execute("from scratch.snapshot").fetchone():
            raise ActivationRefused(
                f"{sync.name}: its source has no row whose {'|'.join(sync.primary_key)} is {pk}. Nothing was sent.\n"
                f"Next: iterable-pipelines sync plan {sync.name} --show-values shows some of its rows"
            )
        con.execute("update scratch.compared set op = 'change' where op in ('same', 'rebased', 'held')")
        number_changes(workspace, plan.mapping_version)
        show_list(workspace, sync)
        issues = con.execute(
            "select code, message, path from scratch.issues union all select reason, '', '' from scratch.skipped "
            "union all select reason, '', '' from scratch.compared where op in ('refused', 'skipped')"
        ).fetchall()
        return Preview(
            pk, shown_requests(workspace, 10), shown_changes(workspace, 10, SENT), tuple(issues), plan.guards
        )


def make_plan(
    workspace: Workspace, project: Project, sync: Sync, options: Options, client: Iterable | None, log: Log = print
) -> Plan:
    """Fill the scratch file with what is to be sent. Nothing of the state changes, and nothing is sent.

    `client` asks Iterable which fields there are; None asks nothing. The guards only speak up:
    `Plan.refuse_unapproved` stops. Raises ActivationRefused, NothingPublished, WarehouseFailed, and IterableError.
    """
    as_of = options.as_of or hour_of(now())
    return plan_rows(workspace, project, sync, source_of(project.settings, sync, as_of), options, client, log)


def plan_rows(
    workspace: Workspace,
    project: Project,
    sync: Sync,
    source: Source,
    options: Options,
    client: Iterable | None,
    log: Log,
    is_preview: bool = False,
) -> Plan:
    """A plan of the rows of `source`; as a preview also of those that were seen as they are."""
    settings, con, moment = project.settings, workspace.con, now()
    sync = with_kept_name(workspace, sync)
    compiler = compiler_of(sync, project.type, source.as_of, source.columns, column_meta(settings, sync))
    mappings = Mappings(workspace, compiler, lambda mapping: compiler_again(mapping, source.as_of))
    from_now = sync.first_run == "from_now" or not getattr(sync, "include_history", True)
    is_baseline = mappings.is_first and from_now and not is_preview
    if is_baseline:
        # what the first look leaves out would be taken for new by the next one
        options = Options(approve=options.approve)
    snapshot = take_snapshot(workspace, settings, sync, source, compiler.columns or (), options, mappings.columns)
    everything = is_preview or mappings.is_new
    compile_rows(workspace, snapshot, compiler, everything)
    leave_out_forgotten(workspace, settings)
    if isinstance(sync, ProfileSync) and sync.on_duplicate_identity == "error":
        refuse_shared_identities(workspace)
    if sync.code_of_doubles:
        refuse_shared_things(workspace, sync.code_of_doubles)
    mappings.compile_former(snapshot)
    copy_known_events(workspace, settings, sync)
    Diff(workspace, sync, snapshot, compiler, mappings, options, moment, everything, is_baseline).compare()
    said = [*_not_there(con, options.only_pks), *sync.warnings, *mappings.warnings(sync, source.columns)]
    if sync.clear_removed_fields:
        clear_removed_fields(workspace, mappings)
    said += ask_imported_users(workspace, settings, sync, moment)
    said += keep_consent(workspace, settings, sync, None if options.offline else client, moment)
    number_changes(workspace, mappings.version)
    if client is not None:
        said += _of_other_days(con, client)
    fields = ProfileFields()
    wanted = fields_of_changes(con)
    if wanted and client is not None and not options.offline:
        fields = compare_fields(client, wanted)
        said += fields.warnings(sync)
    if client is not None and not options.offline:
        said += map(str, catalog_setups(workspace, sync, client))
    guards = Guards(workspace, settings, sync, snapshot, mappings, options, fields).check()
    counts = _counted(con, "op", "scratch.compared")
    unsent = _counted(con, "reason", "scratch.skipped")
    unsent |= _counted(con, "reason", "scratch.compared where op = 'skipped'")
    gate: Gate | ConsentGate | None = gate_of(workspace, sync, lambda: project.client(log))
    gate = gate or consent_gate(workspace, settings, sync, lambda: project.client(log))
    doubtful = con.execute("select count(*) from state.outbox where state in ('sending', 'unknown')").fetchone()
    return Plan(
        sync.name,
        str(sync.object),
        sync.mode,
        source.as_of,
        snapshot.rows,
        snapshot.whole,
        mappings.text,
        mappings.version,
        counts,
        _counted(con, "code", "scratch.issues where severity = 'error'")
        | _counted(con, "reason", "scratch.compared where op = 'refused'"),
        unsent,
        _counted(con, "code", "scratch.issues where severity = 'warning'"),
        costs_of(con, count_lookups(workspace, sync) + count_consent_lookups(workspace, sync)),
        fields,
        guards,
        doubtful[0] if doubtful else 0,
        tuple(said),
        gate=gate,
    )


def number_changes(workspace: Workspace, version: int) -> None:
    """Fill `scratch.changes`: what is sent, in the order of stages, moments and primary keys (B4, C9)."""
    workspace.con.execute(
        f"create or replace table scratch.changes as select row_number() over (order by stage, moment nulls first, "
        # somebody with a new address leaves by the old one before entering by the new one
        f"{IN_ORDER}, member, key, output) as number, op, endpoint, flags, stage, needs, moment, key, pk, output, "
        f"identity_kind, identity, payload, payload_hash, {version}::bigint as mapping_version, member, seq "
        f"from scratch.compared where op in ({', '.join(map(literal, SENT))})"
    )


def _not_there(con: duckdb.DuckDBPyConnection, pks: tuple[str, ...]) -> list[str]:
    there = con.execute("select pk from scratch.snapshot where list_contains(?, pk)", [list(pks)]).fetchall()
    return [f"the source has no row with the primary key {pk}" for pk in pks if (pk,) not in there]


def _of_other_days(con: duckdb.DuckDBPyConnection, client: Iterable) -> list[str]:
    """What a day has no room for (R18)."""
    found = con.execute(
        "select endpoint, count(*) from scratch.changes where endpoint in ('forget', 'unforget') group by endpoint"
    ).fetchall()
    days = {name: promised(client, ENDPOINTS[name], number) for name, number in found}
    return [f"Iterable takes 1,000 a day of {name}: {told(each)}" for name, each in days.items() if len(each) > 1]


def _counted(con: duckdb.DuckDBPyConnection, column: str, table: str) -> dict[str, int]:
    return dict(con.execute(f"select {column}, count(*) from {table} group by 1 order by 1").fetchall())


def _mixed(settings: Settings, sync: Sync) -> list[str]:
    """Bulk and single requests about the same users may overtake each other (B6)."""
    return [
        f"{other.name} sends {other.delivery} requests and {sync.name} {sync.delivery} ones: for the same users "
        "Iterable may apply them in another order"
        for other in load_syncs(settings)
        if other.enabled
        and (other.connection, other.is_history) == (sync.connection, sync.is_history)
        and other.delivery != sync.delivery
    ]
