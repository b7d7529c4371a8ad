"""The tables of the schema `objects`: the statements that make them, and the select that reads a listing."""

from iterable_pipelines.landing.typed import typed_sql
from iterable_pipelines.objects.declarations import OBJECT_TYPES
from iterable_pipelines.objects.list_members.tables import create_statements as create_list_states
from iterable_pipelines.objects.object_type import Column, ObjectType


def create_statements() -> list[str]:
    """Every statement that makes the schema `objects`; each may run again on a warehouse that has it."""
    statements = ["create schema if not exists objects"]
    for kind in OBJECT_TYPES:
        own = ", ".join(f"{name} {sql_type}" for name, sql_type in stored_columns(kind).items())
        statements.append(
            f"create table if not exists objects.{kind.name} ({own}, _loaded_at TIMESTAMP, _load_id BIGINT, "
            f"_gone_at TIMESTAMP, PRIMARY KEY ({', '.join(kind.key)}))"
        )
        if kind.history:
            # every version of every row; the one that holds now has no end
            statements.append(
                f"create table if not exists objects.{kind.history} ({own}, _valid_from TIMESTAMP, "
                "_valid_to TIMESTAMP, _load_id BIGINT)"
            )
    statements += [
        "create table if not exists objects.refreshes (name VARCHAR, refreshed_at TIMESTAMP, rows BIGINT, "
        "changed BIGINT, gone BIGINT, requests BIGINT, run_id VARCHAR)",
        # what is asked for one by one: in which version it was asked for last, and "" or why nothing came
        "create table if not exists objects.asked (name VARCHAR, question VARCHAR, version VARCHAR, outcome VARCHAR, "
        "asked_at TIMESTAMP, PRIMARY KEY (name, question))",
        # what came without a usable key, in the last answer
        "create table if not exists objects.unreadable (name VARCHAR, record JSON, _loaded_at TIMESTAMP)",
        "alter table objects.unreadable add column if not exists asked JSON",
    ]
    # who is, and was, on which list: an interval each time somebody joins; left_at is NULL for who is on it now
    statements.append(
        "create table if not exists objects.list_members (list_id BIGINT, user_key VARCHAR, joined_at TIMESTAMP, "
        "left_at TIMESTAMP, source VARCHAR, _load_id BIGINT, PRIMARY KEY (list_id, user_key, joined_at))"
    )
    return [*statements, *create_list_states()]


def stored_columns(kind: ObjectType) -> dict[str, str]:
    """Name to SQL type of the columns that a fresh row brings along."""
    return {column.name: column.type for column in kind.columns} | {"record": "JSON"}


def fresh_sql(kind: ObjectType, asked: bool = False) -> str:
    """A select of the stored columns from the NDJSON file given as its one parameter; if `asked`, of `_asked` as well.

    A key that came twice, because rows moved between pages, stands once: as it came last. Rows whose key cannot be read
    all stay.
    """
    own = [f"{typed_sql(column.type, _text(column))} as {column.name}" for column in kind.columns]
    key = ", ".join(kind.key)
    return (
        f"select * exclude ({'_line' if asked else '_line, _asked'}) from (select {', '.join(own)}, "
        "json_extract(json, '$.asked')::VARCHAR as _asked, "
        "json_extract(json, '$.record')::VARCHAR as record, cast(json_extract(json, '$.line') as BIGINT) as _line "
        "from read_ndjson_objects(?) where json_exists(json, '$.record')) "
        f"qualify {' is null or '.join(kind.key)} is null "
        f"or row_number() over (partition by {key} order by _line desc) = 1"
    )


def _text(column: Column) -> str:
    extract = "json_extract" if column.type == "JSON" else "json_extract_string"
    return f"{extract}(json, '$.{'asked' if column.asked else 'record'}.{column.field_name}')"


def same_key(kind: ObjectType, one: str, other: str) -> str:
    """The condition that rows of the tables `one` and `other` are about the same object."""
    return " and ".join(f"{one}.{name} = {other}.{name}" for name in kind.key)
