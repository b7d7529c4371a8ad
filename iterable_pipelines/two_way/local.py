"""The table of the warehouse: made, read and written through the warehouse's one door, each in a short transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from iterable_pipelines.quoting import literal, quoted
from iterable_pipelines.two_way.columns import Member, content_sql, inferred
from iterable_pipelines.two_way.declaration import CatalogTwoWay, TemplateTwoWay, TwoWay
from iterable_pipelines.two_way.errors import TwoWayRefused
from iterable_pipelines.two_way.template_members import MEMBERS, SQL_TYPES


@dataclass(frozen=True)
class Table:
    """The table as a run needs it. `missing` are the statements that make it so, and are none where it is."""

    name: str
    members: tuple[Member, ...]
    missing: tuple[str, ...]


def table_of(
    con: duckdb.DuckDBPyConnection, two_way: TwoWay, shown: dict[str, dict[str, bool]], defined: dict[str, str]
) -> Table:
    """The table as it has to be to hold what Iterable shows. Changes nothing.

    Raises TwoWayRefused for columns that lack, have types that cannot go both ways, or names that clash.
    """
    schema, name = two_way.schema_and_table
    there = dict(
        con.execute(
            "select column_name, data_type from duckdb_columns() where schema_name = ? and table_name = ? "
            "order by column_index",
            [schema, name],
        ).fetchall()
    )
    if con.execute("from duckdb_views() where schema_name = ? and view_name = ?", [schema, name]).fetchone():
        raise TwoWayRefused(
            f"{two_way.name}: {two_way.table} is a view, whose rows nobody can write. Nothing was changed.\n"
            f"Next: name a table in two_way/{two_way.name}.yml"
        )
    types = _known_types(two_way, shown, defined)
    pairs = _pairs(two_way, there, types)
    own = {two_way.key: "VARCHAR", **({two_way.modified_at: "TIMESTAMP"} if two_way.modified_at else {})}
    if isinstance(two_way, TemplateTwoWay):
        own[two_way.id_column] = "BIGINT"
    known = {each.lower(): each for each in there}
    # columns ignore case, members do not
    spelt = {column: known.get(column.lower(), column) for column in [*own, *pairs]}
    members = tuple(
        Member(spelt[column], member, there.get(spelt[column]) or types.get(member, "VARCHAR"))
        for column, member in pairs.items()
    )
    _check(two_way, own, members, there)
    new = [each for each in members if each.column not in there]
    qualified = f"{quoted(schema)}.{quoted(name)}"
    if there:
        statements = [f"alter table {qualified} add column {quoted(each.column)} {each.type}" for each in new]
        lacking = {column: kind for column, kind in own.items() if spelt[column] not in there}
        if two_way.key in lacking:
            raise TwoWayRefused(
                f"{two_way.name}: {two_way.table} has no column {two_way.key}, by which its rows are told apart. "
                f"Nothing was changed.\nNext: name the column in `key` of two_way/{two_way.name}.yml"
            )
        statements += [f"alter table {qualified} add column {quoted(name)} {kind}" for name, kind in lacking.items()]
    else:
        columns = {**own, **{each.column: each.type for each in new}}
        listed = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns.items())
        statements = [f"create schema if not exists {quoted(schema)}", f"create table {qualified} ({listed})"]
        statements += _comments(two_way, qualified, new)
    return Table(qualified, _with_alias(two_way, members), tuple(statements))


def _known_types(two_way: TwoWay, shown: dict[str, dict[str, bool]], defined: dict[str, str]) -> dict[str, str]:
    if isinstance(two_way, TemplateTwoWay):
        return {name: SQL_TYPES[kind] for name, kind in MEMBERS[two_way.medium].items() if name != "clientTemplateId"}
    return {name: inferred(kinds, defined.get(name)) for name, kinds in shown.items()}


def _pairs(two_way: TwoWay, there: dict[str, str], types: dict[str, str]) -> dict[str, str]:
    """Column to member."""
    if not two_way.is_everything:
        return two_way.fields
    own = {each.lower() for each in two_way.own_columns}
    lower = {each.lower() for each in types}
    # columns that somebody added are members from now on
    added = [each for each in there if each.lower() not in own and each.lower() not in lower]
    for each in added:
        try:
            two_way.check_member(each)
        except ValueError as error:
            raise TwoWayRefused(
                f"{two_way.name}: column {error}. Nothing was changed.\n"
                f"Next: name the columns that are members in `fields` of two_way/{two_way.name}.yml"
            ) from None
    return {**{name: name for name in types}, **{each: each for each in added}}


def _check(two_way: TwoWay, own: dict[str, str], members: Sequence[Member], there: dict[str, str]) -> None:
    wrong = [f"{each.column} is of type {each.type}: make it JSON" for each in members if not each.is_known]
    names = [each.lower() for each in own] + [each.column.lower() for each in members]
    twice = sorted({each for each in names if names.count(each) > 1})
    wrong += [f"{each} is the name of two columns, where case does not count" for each in twice]
    if wrong:
        raise TwoWayRefused(
            f"{two_way.name}: {two_way.table}: {'; '.join(wrong)}. Nothing was changed.\n"
            f"Next: change the table, or give the member another column in `fields` of two_way/{two_way.name}.yml"
        )


def _with_alias(two_way: TwoWay, members: Sequence[Member]) -> tuple[Member, ...]:
    # a template's client id may change like anything else of it: what stays is its own id
    alias = [Member(two_way.key, "clientTemplateId", "VARCHAR")] if isinstance(two_way, TemplateTwoWay) else []
    return (*alias, *members)


def _comments(two_way: TwoWay, table: str, members: Sequence[Member]) -> list[str]:
    what = f"catalog {two_way.catalog}" if isinstance(two_way, CatalogTwoWay) else "templates"
    told = {two_way.key: f"Names the {two_way.things[:-1]} in Iterable."}
    if isinstance(two_way, TemplateTwoWay):
        what = f"{two_way.medium} templates"
        told |= {two_way.key: "clientTemplateId: needed to make a template.", two_way.id_column: "Given by Iterable."}
    if two_way.modified_at:
        told[two_way.modified_at] = "When the row was changed, UTC: write it with every edit."
    told |= {each.column: f"Member {each.name}." for each in members}
    text = f"Kept alike with Iterable's {what}, both ways: two_way/{two_way.name}.yml."
    return [
        f"comment on table {table} is {literal(text)}",
        *(f"comment on column {table}.{quoted(column)} is {literal(each)}" for column, each in told.items()),
    ]


def read_rows(con: duckdb.DuckDBPyConnection, two_way: TwoWay, table: Table, to: Path) -> None:
    """Every row as (alias, given_id, modified, content) into the Parquet file `to`."""
    modified = quoted(two_way.modified_at) if two_way.modified_at else "null"
    con.execute(
        f"copy (select nullif({quoted(two_way.key)}::varchar, '') as alias, {_id_of(two_way)}::varchar as given_id, "
        f"{modified}::timestamp as modified, {content_sql(table.members)}::varchar as content from {table.name}) "
        f"to {literal(str(to))} (format parquet)"
    )


def write_rows(con: duckdb.DuckDBPyConnection, two_way: TwoWay, table: Table, incoming: Path, applied: Path) -> None:
    """Make the table what the Parquet file `incoming` says, and write the keys for which that was done to `applied`.

    op is update, insert, delete or link, which only notes a template's id. A row that is not as it was read any more,
    by the hash of its content in `expected`, stays as it is: it was edited meanwhile, and the next run looks again.
    """
    own = [two_way.key, *([two_way.id_column] if isinstance(two_way, TemplateTwoWay) else [])]
    written = [*own, *([two_way.modified_at] if two_way.modified_at else [])]
    written += [each.column for each in table.members if each.column not in written]
    same = f"nullif(t.{quoted(two_way.key)}::varchar, '') is not distinct from i._alias"
    if isinstance(two_way, TemplateTwoWay):
        same += f" and t.{quoted(two_way.id_column)}::varchar is not distinct from i._given"
    con.execute(
        f"create temp table incoming as select i.*, t.rowid as _row from read_parquet({literal(str(incoming))}) i "
        f"left join {table.name} t on i._op <> 'insert' and {same} "
        f"and md5({content_sql(table.members, 't.')}::varchar) = i._expected"
    )
    con.execute("delete from incoming where _op <> 'insert' and _row is null")
    # a row of this key has come meanwhile; templates may share a clientTemplateId, which is of each that has its id
    taken = f"t.{quoted(two_way.key)}::varchar = i.{quoted(two_way.key)}::varchar"
    if isinstance(two_way, TemplateTwoWay):
        id_column = quoted(two_way.id_column)
        taken = f"t.{id_column} = i.{id_column} or (t.{id_column} is null and {taken})"
    con.execute(f"delete from incoming i using {table.name} t where i._op = 'insert' and ({taken})")
    # an item's id stays, and an index of the table's owner does not like it written
    updated = written if isinstance(two_way, TemplateTwoWay) else written[1:]
    for op, columns in (("update", updated), ("link", own[1:])):
        if columns:
            listed = ", ".join(f"{quoted(each)} = i.{quoted(each)}" for each in columns)
            con.execute(f"update {table.name} t set {listed} from incoming i where i._op = '{op}' and t.rowid = i._row")
    con.execute(f"delete from {table.name} where rowid in (select _row from incoming where _op = 'delete')")
    listed = ", ".join(map(quoted, written))
    con.execute(f"insert into {table.name} ({listed}) select {listed} from incoming where _op = 'insert'")
    con.execute(
        f"copy (select _key as key from incoming where _op <> 'link') to {literal(str(applied))} (format parquet)"
    )
    con.execute("drop table incoming")


def _id_of(two_way: TwoWay) -> str:
    return quoted(two_way.id_column) if isinstance(two_way, TemplateTwoWay) else "null"
