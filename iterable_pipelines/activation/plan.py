"""What a run would do, or is about to: everything before the first request."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from iterable_pipelines.activation.compile.objects import compiler_again, compiler_of
from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.desired import compile_rows
from iterable_pipelines.activation.diff import Diff
from iterable_pipelines.activation.mappings import Mappings
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.project import Project
from iterable_pipelines.activation.snapshot import IN_ORDER, source_of, take_snapshot
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.api import Iterable
from iterable_pipelines.hours import hour_of, now

Log = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is to be done. The changes themselves are in `scratch.changes`, in the order in which they are sent."""

    sync: str
    as_of: datetime
    mapping: str
    mapping_version: int
    rows: int
    whole: bool
    counts: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The same for the same snapshot and state."""
        return asdict(self) | {"as_of": self.as_of.isoformat()}


def make_plan(
    workspace: Workspace, project: Project, sync: Sync, options: Options, client: Iterable | None, log: Log = print
) -> Plan:
    """Fill the scratch file with what is to be sent. Nothing of the state changes, and nothing is sent."""
    as_of = options.as_of or hour_of(now())
    settings = project.settings
    source = source_of(settings, sync, as_of)
    compiler = compiler_of(sync, project.type, as_of, source.columns)
    mappings = Mappings(workspace, compiler, lambda mapping: compiler_again(mapping, as_of))
    is_baseline = mappings.is_first and (sync.first_run == "from_now" or not getattr(sync, "include_history", True))
    if is_baseline:
        # what is left out of the first look would be taken for new by the next
        options = Options(as_of=as_of)
    snapshot = take_snapshot(workspace, settings, sync, source, compiler.columns or (), options, mappings.columns)
    everything = mappings.is_new
    compile_rows(workspace, snapshot, compiler, everything)
    mappings.compile_former(snapshot)
    Diff(workspace, sync, snapshot, compiler, mappings, options, now(), everything, is_baseline).compare()
    con = workspace.con
    con.execute(
        f"create table scratch.changes as select row_number() over (order by stage, moment nulls first, {IN_ORDER}, "
        "key, output) as number, op, endpoint, flags, stage, needs, moment, key, pk, output, identity_kind, identity, "
        f"payload, payload_hash, {mappings.version}::bigint as mapping_version, member, seq from scratch.compared "
        "where op in ('add', 'change', 'remove', 'retry')"
    )
    counts = dict(con.execute("select op, count(*) from scratch.compared group by op order by op").fetchall())
    return Plan(sync.name, as_of, mappings.text, mappings.version, snapshot.rows, snapshot.whole, counts)
