"""The tables of the schema `streams`: their columns, and where in a record each column comes from."""

from dataclasses import dataclass

import duckdb

from iterable_pipelines.data_types import ACTIVITY_STREAMS, USERS, Stream
from iterable_pipelines.landing.typed import typed_sql


@dataclass(frozen=True)
class Column:
    """A column read from the record: the first of `paths` that is present and not null, as `type`."""

    name: str
    type: str
    paths: tuple[str, ...]


_IDS = ("campaign", "template", "message_type", "channel", "content", "experiment", "workflow")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return "$." + first + "".join(word.capitalize() for word in rest)


_IDENTITY = (
    Column("email", "VARCHAR", ("$.email",)),
    Column("user_id", "VARCHAR", ("$.userId",)),
    Column("itbl_user_id", "VARCHAR", ("$.itblUserId",)),
)

_ACTIVITY = (
    *_IDENTITY,
    Column("created_at", "TIMESTAMP", ("$.createdAt",)),
    Column("event_name", "VARCHAR", ("$.eventName",)),
    Column("message_id", "VARCHAR", ("$.messageId",)),
    *(Column(f"{name}_id", "BIGINT", (_camel(f"{name}_id"),)) for name in _IDS),
    *(Column(f"{name}_name", "VARCHAR", (_camel(f"{name}_name"),)) for name in ("campaign", "template", "workflow")),
    Column("experience_id", "VARCHAR", ("$.experience_id",)),
)

USER_COLUMNS = (
    *_IDENTITY,
    # the user export flattens Iterable's own objects to keys with a dot in them (api.md 3.7, 12)
    Column("email_domain", "VARCHAR", ('$."itblInternal.emailDomain"',)),
    Column("first_name", "VARCHAR", ("$.firstName", "$.first_name")),
    Column("last_name", "VARCHAR", ("$.lastName", "$.last_name")),
    Column("gender", "VARCHAR", ("$.gender",)),
    Column("city", "VARCHAR", ("$.city",)),
    Column("country", "VARCHAR", ("$.country",)),
    Column("region", "VARCHAR", ("$.region",)),
    Column("timezone", "VARCHAR", ("$.timeZone",)),
    Column("locale", "VARCHAR", ("$.locale",)),
    Column("phone_number", "VARCHAR", ("$.phoneNumber",)),
    Column("signup_source", "VARCHAR", ("$.signupSource",)),
    Column("signup_date", "TIMESTAMP", ("$.signupDate",)),
    Column("profile_updated_at", "TIMESTAMP", ("$.profileUpdatedAt",)),
)


def columns_of(stream: Stream) -> tuple[Column, ...]:
    """The columns of a stream's table that are read from its records, in the table's order."""
    if stream.name == USERS:
        return USER_COLUMNS
    own = (Column(name, kind, paths) for name, (kind, paths) in stream.columns.items())
    return (*_ACTIVITY, *own)


def user_key_sql(project_type: str) -> str:
    """The expression for `user_key`: lower-cased trimmed email, else user_id; in userid projects the reverse."""
    email = "nullif(lower(trim(email)), '')"
    user_id = "nullif(user_id, '')"
    first, second = (user_id, email) if project_type == "userid" else (email, user_id)
    return f"coalesce({first}, {second}, nullif(itbl_user_id, ''))"


def extraction_sql(columns: tuple[Column, ...], source: str, keep: str, more_paths: tuple[str, ...] = ()) -> str:
    """A select that reads `columns` from the text column `record` of `source`, parsing each record once.

    `keep` names what else to select, in which `texts[n]` are the extracted texts: those of `more_paths` come last. A
    value of another type than the column's is NULL; it stays readable in `record`.
    """
    # a JSON null and a missing key both come out as SQL NULL
    paths = [path for column in columns for path in column.paths]
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in (*paths, *more_paths))
    selected, position = [], 1
    for column in columns:
        found = [f"texts[{index}]" for index in range(position, position + len(column.paths))]
        position += len(column.paths)
        text = found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"
        selected.append(f"{typed_sql(column.type, text)} as {column.name}")
    return (
        f"select {', '.join(selected)}, {keep} "
        f"from (select *, json_extract_string(record, [{listed}]) as texts from {source})"
    )


def next_load_id(con: duckdb.DuckDBPyConnection) -> int:
    """A number larger than that of every load before."""
    found = con.execute("select nextval('streams.load_ids')").fetchone()
    return int(found[0]) if found else 0


def event_columns(stream: Stream) -> dict[str, str]:
    """Name to SQL type of every column of an activity stream's table, in its order."""
    return {
        "data_type": "VARCHAR",
        "event_id": "VARCHAR",
        "user_key": "VARCHAR",
        **{column.name: column.type for column in columns_of(stream)},
        "record": "JSON",
        "_hour": "TIMESTAMP",
        "_source": "VARCHAR",
        "_loaded_at": "TIMESTAMP",
        "_load_id": "BIGINT",
        # the body of the event's webhook, and the digest it goes by
        **_TOLD,
    }


_TOLD = {"webhook": "JSON", "_webhook_id": "VARCHAR"}


def create_events_table(stream: Stream) -> str:
    """The statement that makes an activity stream's table."""
    columns = ", ".join(
        f"{name} {kind}{' USING COMPRESSION zstd' if name == 'record' else ''}"
        for name, kind in event_columns(stream).items()
    )
    return f"create table if not exists streams.{stream.name} ({columns})"


def create_statements(events: bool = True) -> list[str]:
    """Every statement that makes the schema `streams`; each may run again on a warehouse that has it.

    Without `events` it is without the tables of activity streams.
    """
    statements = ["create schema if not exists streams", "create sequence if not exists streams.load_ids"]
    for stream in ACTIVITY_STREAMS if events else ():
        statements.append(create_events_table(stream))
        # warehouses of before there were webhooks lack them
        statements += [
            f"alter table streams.{stream.name} add column if not exists {name} {kind}" for name, kind in _TOLD.items()
        ]
    users = ", ".join(f"{column.name} {column.type}" for column in USER_COLUMNS)
    statements.append(
        f"create table if not exists streams.{USERS} (user_key VARCHAR, {users}, record JSON USING COMPRESSION zstd, "
        "_hour TIMESTAMP, _fetched_at TIMESTAMP, _source VARCHAR, _loaded_at TIMESTAMP, _load_id BIGINT, "
        "_current BOOLEAN)"
    )
    statements.append(
        "create table if not exists streams.loads (load_id BIGINT, stream VARCHAR, data_type VARCHAR, hour TIMESTAMP, "
        "digest VARCHAR, rows BIGINT, late_rows BIGINT, loaded_at TIMESTAMP, run_id VARCHAR, token BIGINT)"
    )
    statements.append(
        "create table if not exists streams.lateness (data_type VARCHAR, from_age INTEGER, to_age INTEGER, "
        "rows BIGINT, rows_before BIGINT, hours BIGINT)"
    )
    # the hours that webhooks changed, and by which landed part; `load_id` is counted together with that of `loads`.
    # `only_added` says that no row was changed or taken out. A row without a stream says that every part up to its own
    # is loaded
    statements.append(
        "create table if not exists streams.webhook_loads (load_id BIGINT, part_id BIGINT, stream VARCHAR, "
        "data_type VARCHAR, hour TIMESTAMP, rows BIGINT, matched BIGINT, only_added BOOLEAN, loaded_at TIMESTAMP, "
        "run_id VARCHAR)"
    )
    # webhooks that no stream takes: unknown names, no readable time, before the start
    statements.append(
        "create table if not exists streams.unknown_webhooks (event_name VARCHAR, received_at TIMESTAMP, "
        "digest VARCHAR, reason VARCHAR, body JSON)"
    )
    # what the manifest holds now, what became of it, and which hours the UI was told are red (completeness.py)
    statements += [
        "create table if not exists streams.landed (part_id BIGINT, data_type VARCHAR, hour TIMESTAMP, "
        "fetched_at TIMESTAMP, pass VARCHAR, rows BIGINT, late_rows BIGINT, exported BIGINT, digest VARCHAR, "
        "path VARCHAR)",
        "create table if not exists streams.completeness (stream VARCHAR, data_type VARCHAR, hour TIMESTAMP, "
        "state VARCHAR, rows_exported BIGINT, rows_landed BIGINT, rows_loaded BIGINT, file_there BOOLEAN, "
        "fetched_at TIMESTAMP, late_rows BIGINT, rows_low DOUBLE, rows_high DOUBLE, trouble VARCHAR, "
        "_part_id BIGINT, _load_id BIGINT)",
        # hours that left by the retention, and what they add to the counts of people and campaigns (retention/rows.py)
        "create table if not exists streams.expired_hours (stream VARCHAR, hour TIMESTAMP, rows BIGINT, "
        "expired_at TIMESTAMP)",
        "create table if not exists streams.expired_activity (user_key VARCHAR, data_type VARCHAR, campaign_id BIGINT, "
        "experiment_id BIGINT, template_id BIGINT, campaign_name VARCHAR, template_name VARCHAR, events BIGINT, "
        "first_at TIMESTAMP, last_at TIMESTAMP, total DECIMAL(38, 6))",
        "create table if not exists streams.red_hours (stream VARCHAR, hour TIMESTAMP, check_name VARCHAR)",
    ]
    return statements
