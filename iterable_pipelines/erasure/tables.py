"""How each table of the warehouse is copied without somebody: found from the catalog, whatever the table is for."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from iterable_pipelines.data_types import ACTIVITY_STREAMS
from iterable_pipelines.erasure.duckdb_rows import TEXTS, names_sql
from iterable_pipelines.erasure.parquet import addresses_sql
from iterable_pipelines.erasure.tombstones import Kind
from iterable_pipelines.erasure.webhook_files import body_identity_sql, body_own_sql
from iterable_pipelines.quoting import literal, quoted

# columns that say whom a row is about: with one of the forgotten in any of them, the row goes
OWNERS: dict[str, Kind] = {
    "email": "email",
    "user_email": "email",
    "user_id": "user_id",
    "it_user_id": "user_id",
    "itbl_user_id": "itbl_user_id",
    "user_key": "user_id",
    "unique_user_key": "user_id",
    "raw_key": "user_id",
}
# the row log's: anybody else's `pk` may be a product's, or an item's
_PRIMARY_KEY = ("activation", "pk")
# lists of keys that a person goes by
_OWNING_LISTS = ("_raw_keys", "_other_keys")
# made of streams and objects by dbt: what they say of others is made anew, so only who they are about is looked at
_DERIVED = ("profiles", "marts", "audiences")
_LANDED = frozenset(stream.name for stream in ACTIVITY_STREAMS)


@dataclass(frozen=True)
class Table:
    """A table of the warehouse: its columns with their types, in order, and those of its primary key."""

    schema: str
    name: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        """Its name within a database, as SQL."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def owners(self) -> dict[str, Kind]:
        """Its columns that say whom a row is about."""
        texts = [name for name, kind in self.columns if kind == "VARCHAR"]
        keys: dict[str, Kind] = {name: "user_id" for name in texts if (self.schema, name) == _PRIMARY_KEY}
        return {name: OWNERS[name.lower()] for name in texts if name.lower() in OWNERS} | keys

    @property
    def own_sql(self) -> str:
        """Whether a row is a person's, as a condition of `is_person`."""
        conditions = [f"is_person({quoted(name)})" for name in self.owners]
        lists = [name for name, kind in self.columns if kind == "VARCHAR[]" and name in _OWNING_LISTS]
        conditions += [f"list_has_any({quoted(name)}, (select list(key) from person_keys))" for name in lists]
        if (self.schema, self.name) == ("streams", "unknown_webhooks"):
            conditions.append(body_own_sql("body"))
        # two rows whose key says `erased` would be one
        conditions += [names_sql(quoted(name)) for name, _ in self.texts if name in self.key]
        return " or ".join(f"coalesce({each}, false)" for each in conditions) or "false"

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Its other columns in which a person may be named, each with its type."""
        return [
            (name, kind)
            for name, kind in self.columns
            if name not in self.owners and (kind in TEXTS or ("VARCHAR" in kind and self.schema not in _DERIVED))
        ]

    @property
    def names_sql(self) -> str:
        """Whether a person may be named in a row's texts, as a condition of `names_person`."""
        if not self.texts:
            return "false"
        joined = ", ".join(f"{quoted(name)}::varchar" for name, _ in self.texts)
        named = f"names_person(concat_ws(chr(10), {joined}))"
        return f"case when {self.covered_sql} then false else {named} end" if self.is_landed else named

    @property
    def is_landed(self) -> bool:
        """Whether its rows come from landed files, in which every text is looked through."""
        return self.schema == "streams" and self.name in _LANDED

    @property
    def covered_sql(self) -> str:
        """Whether a row of such a table comes from a file that is there; what webhooks told of it does not."""
        hours = "(data_type, _hour) in (select data_type, hour from covered)"
        return f"coalesce(_source = 'export' and webhook is null and {hours}, false)"

    @property
    def copied_sql(self) -> str:
        """What the copy of a row says, as the list of a select from `source`, with `_named` among the columns."""
        names = {name for name, _ in self.texts}
        return ", ".join(
            f"case when _named then try_cast(without_persons({quoted(name)}) as {kind}) else {quoted(name)} end "
            f"as {quoted(name)}"
            if name in names
            else quoted(name)
            for name, kind in self.columns
        )


def tables_of(con: duckdb.DuckDBPyConnection, database: str) -> list[Table]:
    """Every table of a database."""
    found = con.execute(
        "select schema_name, table_name, list(column_name order by column_index), "
        "list(data_type order by column_index), coalesce((select any_value(constraint_column_names) "
        "from duckdb_constraints() as key where key.database_name = tables.database_name and key.schema_name = "
        "tables.schema_name and key.table_name = tables.table_name and constraint_type = 'PRIMARY KEY'), []) "
        "from duckdb_columns() join duckdb_tables() as tables using (database_name, schema_name, table_name) "
        "where database_name = ? group by all order by all",
        [database],
    ).fetchall()
    return [
        Table(schema, name, tuple(zip(names, kinds, strict=True)), tuple(key))
        for schema, name, names, kinds, key in found
    ]


def identifiers_sql(tables: Sequence[Table], database: str) -> str:
    """A select of email, user_id and itbl_user_id, as stores offer them, of all that these tables hold."""
    selects = ["select null::varchar as email, null::varchar as user_id, null::varchar as itbl_user_id where false"]
    for table in tables:
        source = f"{quoted(database)}.{table.sql}"
        # together, so that they are linked
        linked = [name for name in ("email", "user_id", "itbl_user_id") if name in table.owners]
        if linked:
            together = ", ".join(
                f"{name if name in linked else 'null::varchar'} as {name}"
                for name in ("email", "user_id", "itbl_user_id")
            )
            selects.append(f"select distinct {together} from {source}")
        # one by one: a key may be any of the three, and links nothing that the others do not; in streams it is one
        selects += [
            f"select distinct case when contains({quoted(name)}, '@') then {quoted(name)} end, "
            f"case when not contains({quoted(name)}, '@') then {quoted(name)} end, null from {source}"
            for name in table.owners
            if name not in linked and not table.is_landed
        ]
        if (table.schema, table.name) == ("streams", "unknown_webhooks"):
            named = ", ".join(body_identity_sql(kind, "body") for kind in ("email", "user_id", "itbl_user_id"))
            selects.append(f"select distinct {named} from {source}")
        known = "email" if "email" in table.owners else "null::varchar"
        if table.is_landed:
            source = f"(from {source} where not {table.covered_sql})"
        selects += [
            addresses_sql(quoted(name), source, known)
            for name, kind in table.texts
            if table.schema not in _DERIVED and name in ("record", "webhook", "body")
        ]
    return " union ".join(selects)


def same_schema(con: duckdb.DuckDBPyConnection, one: str, other: str) -> bool:
    """Whether two databases have the same tables, keys, views, indexes, sequences, macros and comments."""
    told = [
        "select schema_name, table_name, comment, sql from duckdb_tables()",
        "select schema_name, table_name, column_name, comment, column_default, is_nullable from duckdb_columns()",
        "select schema_name, view_name, comment, sql from duckdb_views()",
        "select schema_name, index_name, comment, sql from duckdb_indexes()",
        "select schema_name, sequence_name, comment, sql from duckdb_sequences()",
        "select schema_name, function_name, comment, macro_definition from duckdb_functions()",
    ]
    for left, right in ((one, other), (other, one)):
        for select in told:
            sides = [f"{select} where database_name = {literal(side)}" for side in (left, right)]
            if con.execute(" except all ".join(sides)).fetchone():
                return False
    return True
