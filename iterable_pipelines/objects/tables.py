"""The tables of the schema `objects`: the statements that make them, and the select that reads a listing."""

from iterable_pipelines.landing.timestamps import timestamp_sql
from iterable_pipelines.objects.declarations import OBJECT_TYPES, Column, ObjectType
from iterable_pipelines.objects.list_members.tables import create_statements as create_list_states


def create_statements() -> list[str]:
    """Every statement that makes the schema `objects`; each may run again on a warehouse that has it."""
    statements = ["create schema if not exists objects"]
    for kind in OBJECT_TYPES:
        own = ", ".join(f"{name} {sql_type}" for name, sql_type in own_columns(kind).items())
        statements.append(
            f"create table if not exists objects.{kind.name} (id BIGINT PRIMARY KEY, {own}, record JSON, "
            "_loaded_at TIMESTAMP, _load_id BIGINT, _gone_at TIMESTAMP)"
        )
    statements.append(
        "create table if not exists objects.refreshes (name VARCHAR, refreshed_at TIMESTAMP, rows BIGINT, "
        "changed BIGINT, gone BIGINT, requests BIGINT, run_id VARCHAR)"
    )
    # who is, and was, on which list: an interval each time somebody joins; left_at is NULL for who is on it now
    statements.append(
        "create table if not exists objects.list_members (list_id BIGINT, user_key VARCHAR, joined_at TIMESTAMP, "
        "left_at TIMESTAMP, source VARCHAR, _load_id BIGINT, PRIMARY KEY (list_id, user_key, joined_at))"
    )
    return [*statements, *create_list_states()]


def own_columns(kind: ObjectType) -> dict[str, str]:
    """Name to SQL type of the columns between `id` and `record`."""
    return {column.name: column.type for column in kind.columns} | dict.fromkeys(kind.asked, "VARCHAR")


def fresh_sql(kind: ObjectType) -> str:
    """A select of `id`, the own columns and `record` from the NDJSON file given as its one parameter.

    An id that came twice, because rows moved between pages, stands once: as it came last.
    """
    own = [f"{_typed(column)} as {column.name}" for column in kind.columns]
    own += [f"json_extract_string(json, '$.asked.{parameter}') as {name}" for name, parameter in kind.asked.items()]
    key = f"try_cast(json_extract_string(json, '$.record.{kind.id_field}') as BIGINT)"
    return (
        f"select {key} as id, {', '.join(own)}, json_extract(json, '$.record')::VARCHAR as record "
        "from read_ndjson_objects(?) "
        f"qualify row_number() over (partition by {key} order by cast(json_extract(json, '$.line') as BIGINT) desc) = 1"
    )


def _typed(column: Column) -> str:
    if column.type == "JSON":
        return f"json_extract(json, '$.record.{column.field_name}')"
    text = f"json_extract_string(json, '$.record.{column.field_name}')"
    if column.type == "TIMESTAMP":
        return timestamp_sql(text)
    return text if column.type == "VARCHAR" else f"try_cast({text} as {column.type})"
