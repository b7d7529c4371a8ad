"""Static lists, from the records of users: what each profile says of itself, by SQL alone.

A profile names the lists it is on (`emailListIds`, in projects of the other types `userListIds`), not since when. The
moment taken is the `profileUpdatedAt` of the record that first, or last, showed it: every way of joining and leaving
moves it, it only grows, and it is there. Subscribe events name lists too, and their second is the better one, but bulk
updates make none (api.md 6.1), they come late, and one would have to guess which event belongs to which change.
"""

from dataclasses import replace
from datetime import UTC, datetime

import duckdb

from iterable_pipelines.hours import HOUR
from iterable_pipelines.objects.list_members.intervals import Moved, count_members, move_tables, write_intervals
from iterable_pipelines.objects.list_members.tables import USERS, MemberList, State, save_states
from iterable_pipelines.streams.load import naive

_NOW_ON = "select list_id, user_key from objects.list_members where left_at is null"
_CURRENT = "streams.iterable_users where _current and user_key is not null"
_LISTS = "list_concat(" + ", ".join(f"record->>'$.{name}[*]'" for name in ("emailListIds", "userListIds")) + ")"


def follow_users(
    con: duckdb.DuckDBPyConnection, lists: list[MemberList], moment: datetime
) -> tuple[list[MemberList], Moved]:
    """Let static lists follow the users whose rows changed since the last time, or all if the lists themselves did.

    Streams keep the newest record of each user, so an hour that is run again changes nothing here. Who has no row any
    more, because the address changed or the user was erased, leaves at `moment`; who was on a list that is gone,
    static or not, leaves when it was first missed. Without any users at all, nothing is concluded.

    Returns all lists as they stand now, static ones as of the newest hour of users, and how many moved in all.
    """
    move_tables(con)
    con.execute(
        "insert into leaving select list_id, user_key, lists._gone_at from objects.list_members "
        "join objects.lists on lists.id = list_id where left_at is null and lists._gone_at is not null"
    )
    (known_until,) = con.execute(
        f"select max(hour) from streams.loads where data_type = 'user' and exists (from {_CURRENT})"
    ).fetchone() or (None,)
    if known_until:
        _compare(con, lists, moment)
    moved = write_intervals(con, USERS)
    if known_until:
        known_at = known_until.replace(tzinfo=UTC) + HOUR
        members = count_members(con, [each.id for each in lists if each.state.known_by == USERS])
        lists = [
            replace(each, state=_state(each, known_at, members.get(each.id, 0), moved.get(each.id, Moved(0, 0))))
            for each in lists
        ]
    save_states(con, [each.state for each in lists])
    return lists, Moved(sum(each.joined for each in moved.values()), sum(each.departed for each in moved.values()))


def _compare(con: duckdb.DuckDBPyConnection, lists: list[MemberList], moment: datetime) -> None:
    """Fill `joining` and `leaving` with what the records say otherwise than the intervals."""
    con.execute(
        "create or replace temp table others as select unnest($1)::BIGINT as list_id union select id from "
        "objects.lists where _gone_at is not null union select list_id from objects.list_states "
        f"where known_by <> '{USERS}' and list_id not in (select id from objects.lists)",
        [[each.id for each in lists if each.state.known_by != USERS]],
    )
    # a list that came, went or changed its kind may concern any user
    (others,) = con.execute("select string_agg(list_id, ',' order by list_id) from others").fetchone() or (None,)
    seen = con.execute(
        "select load_id from objects.list_users_seen where others is not distinct from ?", [others]
    ).fetchone()
    con.execute(
        f"create or replace temp table said as select user_key, coalesce(profile_updated_at, _fetched_at) as moment, "
        f"{_LISTS} as listed from {_CURRENT} and _load_id > ?",
        [seen[0] if seen else -1],
    )
    con.execute(
        "create or replace temp table wanted as select distinct list_id, user_key, moment from (select "
        "try_cast(unnest(listed) as BIGINT) as list_id, user_key, moment from said) "
        "anti join others using (list_id) where list_id is not null"
    )
    con.execute(f"insert into joining select * from wanted anti join ({_NOW_ON}) using (list_id, user_key)")
    con.execute(
        f"insert into leaving with static as ({_NOW_ON} and list_id not in (select list_id from others)) "
        "select list_id, user_key, said.moment from static join said using (user_key) "
        "anti join wanted using (list_id, user_key) union all select list_id, user_key, ?::TIMESTAMP from static "
        f"anti join (select user_key from {_CURRENT}) using (user_key)",
        [naive(moment)],
    )
    con.execute("delete from objects.list_users_seen")
    con.execute(
        "insert into objects.list_users_seen select coalesce(max(_load_id), -1), ?, now() at time zone 'UTC' "
        f"from {_CURRENT}",
        [others],
    )


def _state(each: MemberList, known_at: datetime, members: int, moved: Moved) -> State:
    if each.state.known_by != USERS:
        return each.state
    return State(
        each.id,
        USERS,
        each.state.noticed_at,
        trusted=each.state.trusted,
        tried_at=known_at,
        read_at=known_at,
        members=members,
        joined=moved.joined,
        departed=moved.departed,
    )
