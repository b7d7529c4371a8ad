"""What differs between what Iterable should have and what it has acknowledged (S4, P5): `scratch.changes`.

All of it is SQL over `scratch.desired` and `state.acked`; only re-entries and those who leave go through the compiler.

The op of a record in `scratch.compared` is add, change, remove or retry, which are sent, or one of these: same ·
rebased (only the mapping has changed) · held (just this was refused before, for good) · baseline (taken for sent:
`first_run: from_now`) · skipped and refused (by rule, with a `reason`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from iterable_pipelines.activation.compile.compiler import Compiler
from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.desired import (
    ACKNOWLEDGED,
    acknowledged_of,
    create_records,
    insert_records,
    record_row,
)
from iterable_pipelines.activation.forgotten import forgotten_sql
from iterable_pipelines.activation.mappings import Mappings
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.outcomes import RETRY_HORIZON_DAYS
from iterable_pipelines.activation.snapshot import IN_ORDER, Snapshot, rows_of
from iterable_pipelines.activation.source import moment_literal
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.quoting import literal

# what is sent
SENT = ("add", "change", "remove", "retry")

# the newest refusal of each record, by Iterable
_REFUSED_BEFORE = (
    "select key, output, arg_max(payload_hash, last_seen) as payload_hash, bool_or(terminal) as terminal, "
    "min(first_seen) as first_seen from state.issues where output <> '' and severity = 'error' group by key, output"
)
# a cart that an order came after is an old one: the order has emptied it (C9)
_STALE_CART = (
    "d.endpoint = 'cart' and d.moment is not null and exists (from state.acked p where p.output = 'purchase' "
    "and p.identity_kind = d.identity_kind and p.identity = d.identity "
    "and (p.payload->>'$.createdAt')::bigint > d.moment)"
)
# rows that were wrong when they were looked at, and are as they were
_WRONG_BEFORE = (
    "a.pk in (select i.pk from state.issues i semi join scratch.snapshot s on s.pk = i.pk where i.output = '' "
    "and i.severity = 'error' and i.pk not in (select pk from scratch.looked))"
)
# what there is once for each user is still wanted, by another row that is here
_OF_SOMEBODY_HERE = (
    "a.output in ('user', 'cart') and coalesce((a.identity_kind, a.identity) in (select (identity_kind, identity) "
    "from scratch.desired union all select (identity_kind, identity) from state.acked "
    "where member and key in (from scratch.present)), false)"
)
_CHANGED = "a.member and not d.membership and a.payload_hash <> d.payload_hash"
# the history of one user would stay with the other (G8)
_OF_ANOTHER = (
    "a.member and a.first_acked_at is not null "
    "and (a.identity_kind, a.identity) is distinct from (d.identity_kind, d.identity)"
)
_UNKNOWN_EVENT = "a.key is null and d.payload->>'$.id' not in (select id from scratch.known_events)"


@dataclass(frozen=True)
class Diff:
    """One comparison. `everything`: whether all rows were compiled. `is_baseline`: whether new ones are old news."""

    workspace: Workspace
    sync: Sync
    snapshot: Snapshot
    compiler: Compiler
    mappings: Mappings
    options: Options
    moment: datetime
    everything: bool
    is_baseline: bool

    def compare(self) -> None:
        """Fill `scratch.compared`: each record that is desired, or gone, and its op."""
        one_each = (
            "select * from scratch.desired where not membership union all select * from scratch.desired "
            f"where membership qualify row_number() over (partition by key, output order by {IN_ORDER}) = 1"
        )
        self.workspace.con.execute(
            "create table scratch.compared as select d.* exclude (seq), "
            # who enters again is told from the entry before, and an entry that is repeated is not (P6)
            "case when a.key is null then 0 when not d.membership or a.member then a.seq else a.seq + 1 end as seq, "
            f"true as member, {self._op()} as op, {self._reason()} as reason from ({one_each}) d "
            "left join state.acked a on a.key = d.key and a.output = d.output "
            "left join scratch.former f on f.key = a.key and f.output = a.output and f.version = a.mapping_version "
            f"left join ({_REFUSED_BEFORE}) i on i.key = d.key and i.output = d.output"
        )
        self._hold_what_needs_another()
        self._reenter()
        self._leave()

    def _op(self) -> str:
        """The op of `d`, which is desired: `a` is acknowledged, `f` it under its former mapping, `i` refused before."""
        other_mapping = f"a.member and a.mapping_version <> {self.mappings.version}"
        alike = "a.member and (d.membership or a.payload_hash = d.payload_hash)"
        again = "i.payload_hash = d.payload_hash"
        horizon = moment_literal(self.moment - timedelta(days=RETRY_HORIZON_DAYS))
        is_new = "(a.key is null or not a.member)"
        # what was made once is not made again: an in-app message would reach its user a second time
        is_backfill = self.sync.on_mapping_change == "backfill" and (self.sync.is_history or self.sync.mode != "insert")
        arms = [
            *((each, "refused") for each in self._refusals()),
            ("a.in_doubt", "retry"),
            *((each, "skipped") for each in self._skips()),
            *([(is_new, "baseline")] if self.is_baseline else []),
            *([(other_mapping, "change")] if is_backfill else []),
            (f"{alike} and {other_mapping}", "rebased"),
            (alike, "same"),
            (f"{other_mapping} and f.payload_hash = a.payload_hash", "rebased"),
            (f"{again} and (i.terminal or i.first_seen < {horizon})", "held"),
            (again, "retry"),
            (is_new, "add"),
            ("true", "change"),
        ]
        return _case(arms)

    def _reason(self) -> str:
        return _case([*self._refusals().items(), *self._skips().items(), ("true", "")])

    def _refusals(self) -> dict[str, str]:
        """Condition and code of what must not be sent."""
        return {_OF_ANOTHER: "event_identity_changed"} if self.sync.is_history else {}

    def _skips(self) -> dict[str, str]:
        """Condition and reason of what is not sent, by rule."""
        # only calls bring carts and orders of the same users
        skips = {_STALE_CART: "stale_cart"} if self.sync.object == "calls" else {}
        if self.sync.mode == "insert":
            skips[_CHANGED] = "already_inserted"
        if self.sync.mode == "update" and self.sync.is_history and not getattr(self.sync, "trust_ids", False):
            skips[_UNKNOWN_EVENT] = "not_in_iterable"
        return skips

    def _hold_what_needs_another(self) -> None:
        """Nothing goes without what must come first: held as long as that is."""
        self.workspace.con.execute(
            "update scratch.compared c set op = 'held' where c.needs <> '' and exists (from scratch.compared n "
            "where n.pk = c.pk and n.output = c.needs and n.op = 'held')"
        )

    def _reenter(self) -> None:
        """Give those who enter again records of their own: compiled first, they were taken for first entries (P6)."""
        con = self.workspace.con
        create_records(con, "reentered")
        sql = (
            "select s.pk, c.seq, list(c.key || chr(31) || c.output) as wanted, any_value(s.row) as row "
            "from scratch.compared c join scratch.snapshot s on s.pk = c.pk where c.membership and c.seq > 0 "
            "and c.op in ('add', 'change', 'retry') group by s.pk, c.seq"
        )
        for batch in rows_of(self.workspace, self.snapshot, sql):
            rows = [
                record_row(pk, record, seq)
                for (pk, seq, wanted), row in batch
                for record in self.compiler.compile(pk, row, seq).records
                if f"{record.key}\x1f{record.output}" in wanted
            ]
            insert_records(con, "reentered", rows)
        con.execute(
            "update scratch.compared c set payload = r.payload, moment = r.moment "
            "from scratch.reentered r where r.key = c.key and r.output = c.output"
        )

    def _leave(self) -> None:
        """Add what tells Iterable of keys that are desired no more."""
        con = self.workspace.con
        if (self.sync.on_leave == "keep" and self.sync.mode != "mirror") or self.options.limit is not None:
            return
        create_records(con, "leaving")
        con.execute(
            f"create table scratch.present as select pk as key from scratch.snapshot union {self._desired_keys()}"
        )
        # what is wrong with a row does not say that it is gone
        stays = ["a.pk in (select pk from scratch.issues where severity = 'error')", _WRONG_BEFORE, _OF_SOMEBODY_HERE]
        # even to be removed, an address would have to be sent
        stays.append(forgotten_sql(self.workspace, "a"))
        if getattr(self.sync, "on_identity_removed", "exit") == "keep":
            stays.append("a.pk in (select pk from scratch.snapshot)")
        if self.options.only_pks:
            stays.append(f"a.pk not in ({self._only()})")
        with con.cursor() as reader:
            found = reader.execute(
                f"select {ACKNOWLEDGED.format('a')} from state.acked a where (a.member or a.in_doubt) "
                f"and a.key not in (from scratch.present) and not ({' or '.join(stays)})",
            )
            while structs := found.fetchmany(5_000):
                gone = [acknowledged_of(struct) for (struct,) in structs]
                told = ((each, self.compiler.leave(each)) for each in gone)
                rows = [record_row(each.pk, record, each.seq) for each, record in told if record is not None]
                insert_records(con, "leaving", rows)
        con.execute(
            "insert into scratch.compared by name select d.*, false as member, '' as reason, case "
            "when i.payload_hash = d.payload_hash and i.terminal then 'held' else 'remove' end as op "
            f"from scratch.leaving d left join ({_REFUSED_BEFORE}) i on i.key = d.key and i.output = d.output"
        )

    def _desired_keys(self) -> str:
        """Keys that rows carry, compiled or not: another row may have the identity of one that is gone (P5)."""
        keys = "select key from scratch.desired union from scratch.contested"
        if self.everything:
            return keys
        if self.options.only_pks:
            # rows that were not asked for stay as they are
            others = f"where e.pk not in ({self._only()})"
        else:
            others = "semi join scratch.snapshot s on s.pk = e.pk and s.source_hash = e.source_hash where true"
        return f"{keys} union select e.key from state.seen e {others} and e.key is not null"

    def _only(self) -> str:
        return ", ".join(map(literal, self.options.only_pks))


def _case(arms: list[tuple[str, str]]) -> str:
    return f"case {' '.join(f'when {condition} then {literal(result)}' for condition, result in arms)} end"
