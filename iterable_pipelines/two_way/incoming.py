"""What comes into the table: the rows that are decided on, as a file for the one transaction that writes them."""

from collections.abc import Sequence
from pathlib import Path

from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.quoting import literal, quoted
from iterable_pipelines.two_way.columns import Member
from iterable_pipelines.two_way.compare import typed
from iterable_pipelines.two_way.declaration import TemplateTwoWay, TwoWay

# a row that is a template's, and does not say its id yet
_LINKED = "or (l.key is not null and r.key is not null and l.given_id is distinct from r.key)"


def write_incoming(workspace: Workspace, two_way: TwoWay, members: Sequence[Member], to: Path) -> int:
    """Write the rows to update, insert, delete or link into the Parquet file `to`; returns how many there are."""
    is_template = isinstance(two_way, TemplateTwoWay)
    own = [(two_way.key, "coalesce(r.alias, l.alias)" if is_template else "r.key")]
    if isinstance(two_way, TemplateTwoWay):
        own.append((two_way.id_column, "try_cast(r.key as bigint)"))
    if two_way.modified_at:
        own.append((two_way.modified_at, "r.modified"))
    written = {name for name, _ in own}
    values = [f"{sql} as {quoted(name)}" for name, sql in own]
    values += [
        f"r.{each.column} as {quoted(kept.column)}"
        for each, kept in zip(typed(members), members, strict=True)
        if kept.column not in written
    ]
    op = (
        "case d.action when 'delete_local' then 'delete' when 'to_local' then if(l.key is null, 'insert', 'update') "
        "else 'link' end"
    )
    con = workspace.con
    con.execute(
        f"copy (select {op} as _op, coalesce(l.key, r.key) as _key, l.alias as _alias, l.given_id as _given, "
        f"l.raw as _expected, {', '.join(values)} from scratch.local l full join scratch.remote r using (key) "
        "left join scratch.decided d on d.key = coalesce(l.key, r.key) "
        f"where d.action in ('to_local', 'delete_local') {_LINKED if is_template else ''}) "
        f"to {literal(str(to))} (format parquet)"
    )
    return int(con.execute(f"select count(*) from read_parquet({literal(str(to))})").fetchall()[0][0])
