"""Both sides beside what they were at the last agreement: SQL, and rows of Python only for what is not as it was."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from iterable_pipelines.activation.catalogs import NAME as ITEM_NAME
from iterable_pipelines.activation.desired import create_table, insert
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.quoting import literal
from iterable_pipelines.two_way.columns import Member, content_sql
from iterable_pipelines.two_way.decide import Action, Awaited, Seen, Side, decide, look, winner_of
from iterable_pipelines.two_way.declaration import TemplateTwoWay, TwoWay
from iterable_pipelines.two_way.normal import content_hash

_AT_ONCE = 2_000
_HASHES = [("key", pa.string()), ("hash", pa.string())]
_PROBLEMS = [(name, pa.string()) for name in ("key", "code", "message", "local", "remote")]
_DECIDED = [
    *((name, pa.string()) for name in ("key", "action", "seen", "local_hash", "remote_hash")),
    ("attempts", pa.int64()),
]
# the pairs of templates that we made: Iterable shows the id once it has made them
_RESOLVE = """
    update {pairs} p set key = s.key from scratch.shown s
    where p.awaits and s.alias = p.alias and p.key <> s.key and p.key not in (select key from scratch.shown)
    and s.alias in (select alias from scratch.shown group by alias having count(*) = 1)
    and s.key not in (select key from {pairs})
"""
_TEMPLATE_KEY = """
    case
        when given_id in (select key from scratch.shown) or given_id in (select key from scratch.pairs) then given_id
        when alias in (select alias from scratch.shown where alias is not null)
        then (select any_value(s.key) from scratch.shown s where s.alias = l.alias)
        when alias is not null then 'new:' || alias
    end
"""
_OPEN = """
    select key, coalesce(l.hash, '') as local_hash, coalesce(r.hash, '') as remote_hash,
        coalesce(p.local_hash, '') as local_before, coalesce(p.remote_hash, '') as remote_before,
        coalesce(p.awaits, false) as awaits, coalesce(p.earlier, []) as earlier, p.sent_at, p.attempts,
        coalesce(p.in_doubt, false) as in_doubt, l.modified, r.modified, s.winner, f.hash, f.code, f.message
    from (select key from scratch.local union select key from scratch.remote union select key from scratch.pairs)
    left join (select * from scratch.local join scratch.local_hash using (key)) l using (key)
    left join (select * from scratch.remote join scratch.remote_hash using (key)) r using (key)
    left join scratch.pairs p using (key)
    left join state.resolutions s using (key)
    left join state.refused f using (key)
    where (coalesce(l.hash, '') <> coalesce(p.local_hash, '') or coalesce(r.hash, '') <> coalesce(p.remote_hash, '')
        or p.awaits) and key not in (select key from scratch.problems)
"""


@dataclass(frozen=True)
class _Open:
    """A record that is not as it was, or is waited for."""

    key: str
    local: str
    remote: str
    local_before: str
    remote_before: str
    awaits: bool
    earlier: Sequence[str]
    sent_at: datetime | None
    attempts: int | None
    in_doubt: bool
    local_at: datetime | None
    remote_at: datetime | None
    winner: str | None
    refused: str | None
    code: str | None
    message: str | None

    @property
    def awaited(self) -> Awaited | None:
        if not self.awaits or self.sent_at is None:
            return None
        return Awaited(self.remote_before, frozenset(self.earlier), self.sent_at, self.attempts or 0, self.in_doubt)


def typed(members: Sequence[Member]) -> list[Member]:
    """The members under column names that nothing else has."""
    return [replace(each, column=f"c{place}") for place, each in enumerate(members)]


def compare(workspace: Workspace, two_way: TwoWay, members: Sequence[Member], rows: Path, now: datetime) -> None:
    """Fill scratch.local, remote, problems and decided from scratch.shown and the file `rows` of the table's."""
    con = workspace.con
    con.execute("create or replace table scratch.pairs as from state.pairs")
    con.execute(_RESOLVE.format(pairs="scratch.pairs"))
    create_table(con, "problems", _PROBLEMS)
    _load_remote(con, members)
    _load_local(con, two_way, rows)
    for side in ("local", "remote"):
        _hash_contents(con, two_way, side)
    _decide_all(con, two_way, now)


def resolve_keys(con: duckdb.DuckDBPyConnection) -> None:
    """Templates that we made go by the ids that Iterable gave them, in the state too."""
    con.execute(_RESOLVE.format(pairs="state.pairs"))


def _load_remote(con: duckdb.DuckDBPyConnection, members: Sequence[Member]) -> None:
    columns = typed(members)
    values = "".join(f", {each.value_sql('record')} as {each.column}" for each in columns)
    unfit = ", ".join(
        each.unfit_sql("record", "").replace(literal(each.column), literal(own.column))
        for each, own in zip(columns, members, strict=True)
    )
    con.execute(
        f"create or replace table scratch.remote as select * exclude (record), md5(content) as raw from (select *, "
        f"nullif(concat_ws(', ', {unfit or 'null'}), '') as unfit, record is null as unread, "
        f"{content_sql(columns)}::varchar as content from "
        f"(select key, alias, modified, record{values} from scratch.shown))"
    )
    con.execute(
        "insert into scratch.problems select key, if(unread, 'unreadable', 'unfit_value'), if(unread, "
        "'Iterable lists it, and does not show what is in it', 'the table cannot hold ' || unfit || ': give it another "
        "type there, such as JSON'), null, null from scratch.remote where unread or unfit is not null"
    )


def _load_local(con: duckdb.DuckDBPyConnection, two_way: TwoWay, rows: Path) -> None:
    is_template = isinstance(two_way, TemplateTwoWay)
    key = _TEMPLATE_KEY if is_template else "alias"
    con.execute(
        f"create or replace table scratch.rows as select {key} as key, *, md5(content) as raw "
        f"from read_parquet({literal(str(rows))}) l"
    )
    needed = "client_template_id, or the template's id" if is_template else "key"
    con.execute(
        "insert into scratch.problems select '', 'missing_key', count(*) || $said, null, null from scratch.rows "
        "where key is null having count(*) > 0",
        {"said": f" rows have no {needed}: they belong to nothing"},
    )
    con.execute(
        "insert into scratch.problems select key, 'duplicate_key', 'several rows are about it, and nobody can tell "
        "which is right', null, null from scratch.rows where key is not null group by key having count(*) > 1"
    )
    if is_template:
        con.execute(
            "insert into scratch.problems select key, 'ambiguous_template', 'several templates in Iterable have this "
            "clientTemplateId: write the id of one', null, null from scratch.rows where given_id is distinct from key "
            "and alias in (select alias from scratch.shown group by alias having count(*) > 1)"
        )
    else:
        con.execute(
            "insert into scratch.problems select key, 'invalid_item_id', 'ids of items have letters, digits and "
            "dashes, up to 255 of them', null, null from scratch.rows "
            "where not regexp_full_match(key, $name)",
            {"name": ITEM_NAME.pattern},
        )
    con.execute(
        "create or replace table scratch.local as select * from scratch.rows where key is not null "
        "and key not in (select key from scratch.problems where code in ('duplicate_key', 'ambiguous_template'))"
    )


def _hash_contents(con: duckdb.DuckDBPyConnection, two_way: TwoWay, side: str) -> None:
    """The hash of every content. One whose text is what it was keeps it, and is not looked at."""
    create_table(con, f"{side}_hash", _HASHES)
    con.execute(
        f"insert into scratch.{side}_hash select s.key, p.{side}_hash from scratch.{side} s join scratch.pairs p "
        f"on p.key = s.key and p.{side}_raw = s.raw"
    )
    fresh = con.execute(
        f"select key, content from scratch.{side} where key not in (select key from scratch.{side}_hash) "
        "and key not in (select key from scratch.problems)"
    )
    with con.cursor() as other:
        while found := fresh.fetchmany(_AT_ONCE):
            hashes, wrong = [], []
            for key, content in found:
                try:
                    hashes.append((key, content_hash(two_way, content)))
                except ValueError as error:
                    wrong.append((key, "unserializable_value", f"a value is no JSON: {error}", None, None))
            insert(other, f"{side}_hash", _HASHES, hashes)
            insert(other, "problems", _PROBLEMS, wrong)


def _decide_all(con: duckdb.DuckDBPyConnection, two_way: TwoWay, now: datetime) -> None:
    create_table(con, "decided", _DECIDED)
    # read to the end first: what is written below is what it reads
    con.execute(f"create or replace table scratch.open as {_OPEN}")
    rows = con.execute("from scratch.open")
    with con.cursor() as other:
        while found := rows.fetchmany(_AT_ONCE):
            decided, problems = [], []
            for each in (_Open(*row) for row in found):
                action, seen, attempts, problem = _decided(two_way, each, now)
                decided.append((each.key, action, seen, each.local, each.remote, attempts))
                if problem:
                    problems.append((each.key, *problem, None, None))
            insert(other, "decided", _DECIDED, decided)
            insert(other, "problems", _PROBLEMS, problems)
    for side in ("local", "remote"):
        con.execute(
            f"update scratch.problems p set {side} = s.content from scratch.{side} s "
            "where p.code = 'conflict' and p.key = s.key"
        )


def _decided(two_way: TwoWay, it: _Open, now: datetime) -> tuple[Action, Seen, int, tuple[str, str] | None]:
    """The action, what Iterable shows, the number of this attempt to write, and what is wrong, as code and sentence."""
    awaited = it.awaited
    seen = look(awaited, it.remote, now, timedelta(seconds=two_way.settle_seconds))
    local = Side(it.local, it.local != it.local_before)
    waits = seen in ("unsettled", "again", "not_applied")
    remote = Side(it.remote_before, False) if waits else Side(it.remote, it.remote != it.remote_before)
    winner = it.winner or winner_of(two_way.conflict, it.local_at, it.remote_at)
    action = decide(local, remote, winner, two_way.deletes)  # type: ignore[arg-type]
    attempts = 1
    if action == "none" and seen == "again" and awaited and local.hash == awaited.hash:
        action = "delete_remote" if local.gone else "to_remote"
        # what nobody knows to have arrived was no attempt
        attempts = awaited.attempts + (0 if awaited.in_doubt else 1)
    if action == "to_remote" and it.refused == it.local:
        return "none", seen, attempts, (str(it.code), str(it.message))
    if action == "conflict":
        return action, seen, attempts, ("conflict", "changed on both sides, and nobody said which one wins")
    if action == "none" and seen == "not_applied":
        return action, seen, attempts, ("not_applied", "Iterable acknowledged it twice, and does not show it")
    return action, seen, attempts, None
