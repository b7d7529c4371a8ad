"""Users merge: the newest version of each identity stays, whatever the order in which hours are loaded."""

from pathlib import Path

import duckdb

from iterable_pipelines.data_types import USERS
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.landed import landed_sql
from iterable_pipelines.streams.tables import USER_COLUMNS, extraction_sql, user_key_sql

_NEWEST = "profile_updated_at desc nulls last, _fetched_at desc, md5(record)"
# itblUserId survives a change of email; where it is missing, the key is all there is (api.md 1.8)
_IDENTITY = "coalesce('itbl:' || nullif(itbl_user_id, ''), 'key:' || user_key, 'none:' || md5(record))"


def merge_users(con: duckdb.DuckDBPyConnection, settings: Settings, files: list[Path], load_id: int) -> None:
    """Merge the users of the temporary table `batch` and its files into `streams.iterable_users`.

    One row per identity, the newest `profileUpdatedAt`, so that an old hour run again takes no user back. Where two
    identities share a user_key (an address that moved from one person to another) the newest of them is `_current`.
    """
    if not files:
        return
    source = (
        f"(select landed.*, batch.fetched_at from {landed_sql(con, settings, files)} as landed join batch using (path))"
    )
    extracted = extraction_sql(USER_COLUMNS, source, "record, hour as _hour, fetched_at as _fetched_at")
    con.execute(
        f"create or replace temp table arrived as select *, {_IDENTITY} as identity from (select *, "
        f"{user_key_sql(settings.project_type)} as user_key from ({extracted})) "
        f"qualify row_number() over (partition by identity order by {_NEWEST}) = 1"
    )
    con.execute(
        f"create or replace temp table stored as select *, {_IDENTITY} as identity from streams.{USERS} "
        f"where {_IDENTITY} in (select identity from arrived)"
    )
    # what is not newer than what is stored has nothing to say
    con.execute(
        "delete from arrived using stored where arrived.identity = stored.identity and ("
        "coalesce(arrived.profile_updated_at, timestamp '0001-01-01'), arrived._fetched_at) "
        "<= (coalesce(stored.profile_updated_at, timestamp '0001-01-01'), stored._fetched_at)"
    )
    con.execute(
        "delete from arrived using stored where arrived.identity = stored.identity and arrived.record = stored.record"
    )
    con.execute(
        "create or replace temp table touched as select user_key from arrived union "
        "select stored.user_key from stored join arrived using (identity)"
    )
    con.execute(f"delete from streams.{USERS} where {_IDENTITY} in (select identity from arrived)")
    con.execute(
        f"insert into streams.{USERS} by name select * exclude (identity), 'export' as _source, "
        f"now() at time zone 'UTC' as _loaded_at, {load_id} as _load_id, true as _current from arrived"
    )
    con.execute(
        f"update streams.{USERS} set _current = ranked.first, _load_id = {load_id} from (select rowid as row, "
        f"row_number() over (partition by user_key order by {_NEWEST}) = 1 as first from streams.{USERS} "
        "where user_key in (select user_key from touched)) as ranked "
        f"where {USERS}.rowid = ranked.row and {USERS}._current <> ranked.first"
    )
