"""What the copy for readers knows of who has unsubscribed, from what and when: users and the history of events.

A user record says that somebody is unsubscribed and not since when: then the moment counts at which that was first
seen. An event says when.
"""

from datetime import datetime, timedelta

import duckdb

from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.data_types import EMAIL, USERS
from iterable_pipelines.published import NothingPublished, has_table, reading
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.load import naive

# records that subscribe somebody
SUBSCRIBING = "op in ('add', 'change', 'retry') and endpoint in ('subscribe', 'subscriptions')"
# clocks differ, and an event is noted after the request
OWN_WITHIN = timedelta(minutes=5)
# sources of an unsubscribe that is certainly the person's, or their mailbox's (api.md 4.4)
PERSONAL = ("EmailLink", "HardBounce")

_STATES = {"channel": "$.unsubscribedChannelIds[*]", "message_type": "$.unsubscribedMessageTypeIds[*]"}
# arrays, and single ids, of what an event is about; a message type in the singular is that of the message
_TOLD = {
    "list": ("$.emailListIds[*]", "$.emailListId"),
    "channel": ("$.channelIds[*]", "$.channelId"),
    "message_type": ("$.messageTypeIds[*]", "$.noSuchMember"),
}
_COLUMNS = "identity_kind text, identity text, what text, id bigint, left_at timestamp, by_state boolean"


def copy_unsubscribed(workspace: Workspace, settings: Settings, newer_than: datetime | None) -> None:
    """Fill `scratch.unsubscribed(identity_kind, identity, what, id, left_at, by_state)`: of whom records subscribe.

    what: list, channel, message_type, everything (id 0); left_at: the newest moment known; by_state: the profile says
    so. `scratch.imported(identity_kind, identity, record)` has users that were fetched after `newer_than`.
    """
    con, folder = workspace.con, workspace.folder
    con.execute(f"create or replace table scratch.unsubscribed ({_COLUMNS})")
    con.execute("create or replace table scratch.imported (identity_kind text, identity text, record text)")
    files = {
        name: literal(str(folder / f"{name}.parquet"))
        for name in ("people", "exits", "told", "states", "fetched", "fresh")
    }
    con.execute(
        f"copy (select distinct identity_kind, identity from scratch.compared where {SUBSCRIBING} "
        f"and identity is not null) to {files['people']}"
    )
    con.execute(f"copy ({OWN_EXITS}) to {files['exits']}")
    try:
        with reading(settings, folder) as copy:
            _ask(copy, files, newer_than)
    except NothingPublished:
        return
    # a state that an older version has made, and that is only read, does not know
    known = con.execute("from duckdb_tables() where database_name = 'state' and table_name = 'unsubscribed'").fetchone()
    con.execute(f"create or replace table scratch.returned as {_returned(files) if known else _NOBODY}")
    seen = (
        "select identity_kind, identity, what, id, first_seen from state.unsubscribed anti join scratch.returned "
        f"using (identity_kind, identity, what, id) semi join {files['people']} using (identity_kind, identity)"
    )
    con.execute(
        "insert into scratch.unsubscribed select identity_kind, identity, what, id, max(left_at), bool_or(by_state) "
        "from (select identity_kind, identity, what, id, min(left_at) as left_at, true as by_state, true as is_left "
        f"from (from {files['states']} {f'union all {seen}' if known else ''}) group by all union all by name "
        f"select *, false as by_state from {files['told']}) group by identity_kind, identity, what, id "
        "having bool_or(is_left)"
    )
    con.execute(f"insert into scratch.imported from {files['fresh']}")


_NOBODY = "select '' as identity_kind, '' as identity, '' as what, 0::bigint as id limit 0"


def _returned(files: dict[str, str]) -> str:
    """Whoever was seen to have left something, and a newer record of theirs does not show it any more."""
    return (
        "select s.identity_kind, s.identity, s.what, s.id from state.unsubscribed s "
        f"join {files['fetched']} f using (identity_kind, identity) "
        f"anti join {files['states']} t using (identity_kind, identity, what, id) where f.fetched_at > s.first_seen"
    )


# when we ourselves took somebody off a list, or may have: that is no wish of theirs. What came before is followed by an
# entry
OWN_EXITS = (
    "select identity_kind, identity, (flags->>'$.listId')::bigint as id, "
    "coalesce(exits_from, last_acked_at) as exits_from, coalesce(exits_until, last_acked_at) as exits_until "
    "from state.acked where identity is not null "
    "and (exits_until is not null or (endpoint = 'unsubscribe' and not member))"
)


def _ask(copy: duckdb.DuckDBPyConnection, files: dict[str, str], newer_than: datetime | None) -> None:
    """Write the files `states`, `told` and `fresh`."""
    copy.execute(f"create temp table people as from read_parquet({files['people']})")
    users = "select lower(trim(email)) as email, user_id, record, _fetched_at"
    there = f"streams.{USERS} where _current" if has_table(copy, "streams", USERS) else f"({_NO_USERS})"
    source = f"{users} from {there}"
    copy.execute(
        f"create temp table matched as with u as ({source}) "
        "select p.*, u.* from people p join u on p.identity_kind = 'email' and u.email = p.identity union all "
        "select p.*, u.* from people p join u on p.identity_kind = 'userId' and u.user_id = p.identity"
    )
    states = " union all ".join(
        f"select identity_kind, identity, {literal(what)} as what, _fetched_at as left_at, "
        f"unnest(json_extract_string(record, {literal(path)})) as id from matched"
        for what, path in _STATES.items()
    )
    copy.execute(
        "copy (select identity_kind, identity, what, try_cast(id as bigint) as id, min(left_at) as left_at from "
        f"({states}) where try_cast(id as bigint) is not null group by all) to {files['states']}"
    )
    copy.execute(
        "copy (select identity_kind, identity, max(_fetched_at) as fetched_at from matched group by all) "
        f"to {files['fetched']}"
    )
    newest = f"timestamp {literal(str(naive(newer_than)))}" if newer_than else "timestamp 'infinity'"
    copy.execute(
        f"copy (select identity_kind, identity, record::varchar as record from matched where _fetched_at > {newest} "
        "qualify row_number() over (partition by identity_kind, identity order by _fetched_at desc) = 1) "
        f"to {files['fresh']}"
    )
    copy.execute(
        f"copy ({_told(has_table(copy, 'streams', EMAIL), files['states'], files['exits'])}) to {files['told']}"
    )


def _told(is_there: bool, states: str, exits: str) -> str:
    """The newest that events say of each person and thing: `is_left` unless they were subscribed since."""
    if not is_there:
        return f"select *, false as is_left from {states} limit 0"
    event = "data_type, created_at as left_at, record, message_id, campaign_id"
    ids = " union all ".join(
        f"select * exclude (record), {literal(what)} as what, unnest(list_append("
        # the page where somebody may unsubscribe is no unsubscribe yet, unless it says from what
        f"json_extract_string(record, {literal(many)}), if(data_type = 'hostedUnsubscribeClick', null, "
        f"json_extract_string(record, {literal(one)})))) as id from happened"
        for what, (many, one) in _TOLD.items()
    )
    personal = ", ".join(map(literal, PERSONAL))
    none_of = " and ".join(
        f"len(json_extract_string(record, {literal(many)})) = 0 and json_extract_string(record, {literal(one)}) is null"
        for many, one in _TOLD.values()
    )
    return f"""
        with names as (
            select identity_kind, identity, identity_kind as kind, identity as name from people
            union select identity_kind, identity, 'email', email from matched where email <> ''
            union select identity_kind, identity, 'userId', user_id from matched where user_id <> ''
        ), events as (
            select lower(trim(email)) as email, user_id, {event}, record->>'$.unsubSource' as source
            from streams.{EMAIL} where data_type in ('emailUnSubscribe', 'emailSubscribe', 'hostedUnsubscribeClick')
        ), happened as (
            select n.identity_kind, n.identity, e.* exclude (email, user_id) from names n
            join events e on n.kind = 'email' and e.email = n.name
            union
            select n.identity_kind, n.identity, e.* exclude (email, user_id) from names n
            join events e on n.kind = 'userId' and e.user_id = n.name
        ), about as (
            select identity_kind, identity, data_type, left_at, what, try_cast(id as bigint) as id,
                message_id is null and campaign_id is null and coalesce(source, '') not in ({personal}) as may_be_own
            from ({ids})
            union all
            select identity_kind, identity, data_type, left_at, 'everything', 0, false from happened
            where data_type = 'emailUnSubscribe' and {none_of}
        ), theirs as (
            select a.* from about a where a.id is not null and not (a.may_be_own and a.what = 'list' and exists (
                from read_parquet({exits}) x where x.identity_kind = a.identity_kind and x.identity = a.identity
                and x.id = a.id and a.left_at between x.exits_from - interval {OWN_WITHIN.seconds} seconds
                and x.exits_until + interval {OWN_WITHIN.seconds} seconds))
        ), newest as (
            select identity_kind, identity, what, id, max(left_at) filter (data_type <> 'emailSubscribe') as left_at,
                max(left_at) filter (data_type = 'emailSubscribe') as back_at
            from theirs group by all
        )
        select n.identity_kind, n.identity, what, id, left_at,
            left_at >= coalesce(back_at, left_at)
            and (what in ('list', 'everything') or left_at > coalesce(seen, timestamp '0001-01-01')) as is_left
        from newest n left join (select identity_kind, identity, max(_fetched_at) as seen from matched group by all) m
        on (m.identity_kind, m.identity) = (n.identity_kind, n.identity) where left_at is not null
    """


_NO_USERS = (
    "select null::varchar as email, null::varchar as user_id, null::json as record, "
    "null::timestamp as _fetched_at limit 0"
)
