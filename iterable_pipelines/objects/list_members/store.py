"""Store what tries to read lists brought: members as intervals, states, all of it in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb

from iterable_pipelines.api import IterableError
from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.erasure.gate import Gate
from iterable_pipelines.erasure.tombstones import Tombstones
from iterable_pipelines.objects.list_members.intervals import count_members, move_tables, write_intervals
from iterable_pipelines.objects.list_members.read import Reading, is_gone, names_sql
from iterable_pipelines.objects.list_members.tables import READING, MemberList, State, save_states
from iterable_pipelines.streams.load import naive
from iterable_pipelines.streams.warehouse import Warehouse


@dataclass(frozen=True)
class Try:
    """What asking for a list at `tried_at` brought: a complete reading, or an error."""

    each: MemberList
    tried_at: datetime
    result: Reading | IterableError


def store_tries(
    warehouse: Warehouse, project_type: str, tries: Sequence[Try], tombstones: Tombstones | None = None
) -> list[MemberList]:
    """Write them, without the forgotten (`tombstones`), and return the lists as they stand now.

    Who is not in a complete reading leaves at its moment, who is new in it joins. A list without a complete reading
    keeps its members, unless Iterable says that it is gone: then everybody leaves. A reading that another process has
    overtaken changes nothing. No list may be among the tries twice. Raises WarehouseFailed, with nothing stored.
    """
    with warehouse.transaction() as con:
        stored = con.execute("select list_id, read_at, trusted from objects.list_states").fetchall()
        read_at = {list_id: moment for list_id, moment, _ in stored}
        # a command may have changed that since the list was asked for
        trusted = {list_id for list_id, _, taken_as_it_comes in stored if taken_as_it_comes}
        current = [each for each in tries if not read_at.get(each.each.id) or _moment(each) > read_at[each.each.id]]
        move_tables(con)
        _stage_readings(con, project_type, current, tombstones)
        _stage_gone(con, current)
        moved = write_intervals(con, READING)
        members = count_members(con, [each.each.id for each in current])
        after = []
        for each in current:
            joined, departed = moved.get(each.each.id, (0, 0))
            state = replace(
                state_after(each),
                members=members.get(each.each.id, 0),
                joined=joined,
                departed=departed,
                trusted=each.each.id in trusted,
            )
            after.append(replace(each.each, state=state))
        save_states(con, [each.state for each in after])
        crashpoint("before_commit")
    return after


def _moment(each: Try) -> datetime:
    return naive(each.tried_at if isinstance(each.result, IterableError) else each.result.read_at)


def _stage_readings(
    con: duckdb.DuckDBPyConnection, project_type: str, tries: Sequence[Try], tombstones: Tombstones | None
) -> None:
    """Compare every reading with who is on its list now. Lines are resolved to user keys by address and by user id.

    A line says not which of the two it is. What no user record knows stands for itself: addresses in lower case, as
    the user key will be once the record comes.
    """
    readings = {each.each.id: each.result for each in tries if isinstance(each.result, Reading)}
    con.execute(
        "create or replace temp table batch as select unnest($1)::BIGINT as list_id, unnest($2)::TIMESTAMP as read_at, "
        "unnest($3)::VARCHAR as path",
        [
            list(readings),
            [naive(each.read_at) for each in readings.values()],
            [str(each.file) for each in readings.values()],
        ],
    )
    if not readings:
        return
    con.execute(
        f"create or replace temp table line as select distinct list_id, name from {names_sql('$1')} "
        "join batch using (path)",
        [[str(each.file) for each in readings.values()]],
    )
    con.execute(f"delete from line where {Gate(con, tombstones).refuses('name')}")
    by_email = _known_as("lower(trim(email))", "lower(name)")
    by_user_id = _known_as("user_id", "name")
    first, second = ("by_user_id", "by_email") if project_type == "userid" else ("by_email", "by_user_id")
    itself = "line.name" if project_type == "userid" else "if(contains(line.name, '@'), lower(line.name), line.name)"
    con.execute(
        f"create or replace temp table shown as with by_email as ({by_email}), by_user_id as ({by_user_id}) "
        f"select distinct list_id, coalesce({first}.user_key, {second}.user_key, {itself}) as user_key from line "
        "left join by_email on by_email.name = lower(line.name) left join by_user_id on by_user_id.name = line.name"
    )
    con.execute(
        "insert into joining select list_id, user_key, read_at from shown join batch using (list_id) anti join "
        "(select list_id, user_key from objects.list_members where left_at is null) using (list_id, user_key)"
    )
    con.execute(
        "insert into leaving select list_id, user_key, read_at from objects.list_members join batch using (list_id) "
        "anti join shown using (list_id, user_key) where left_at is null"
    )


def _known_as(stored: str, asked: str) -> str:
    """Names that are exactly one current user's, among those asked for, and that user's key."""
    return (
        f"select {stored} as name, min(user_key) as user_key from streams.iterable_users where _current "
        f"and user_key is not null and {stored} in (select {asked} from line) group by 1 having count(*) = 1"
    )


def _stage_gone(con: duckdb.DuckDBPyConnection, tries: Sequence[Try]) -> None:
    for each in tries:
        if isinstance(each.result, IterableError) and is_gone(each.result):
            con.execute(
                "insert into leaving select list_id, user_key, ?::TIMESTAMP from objects.list_members "
                "where left_at is null and list_id = ?",
                [naive(each.tried_at), each.each.id],
            )


def state_after(each: Try) -> State:
    """How the list stands once this is stored, but for its members."""
    before, result = each.each.state, each.result
    state = replace(before, known_by=READING, tried_at=each.tried_at, requests=before.requests + 1)
    if isinstance(result, Reading):
        return replace(
            state,
            read_at=result.read_at,
            seconds=result.seconds,
            lines=result.lines,
            fingerprint=result.fingerprint,
            ended=result.ended,
            failures=0,
            trouble=None,
            trouble_since=None,
            gone_at=None,
        )
    state = replace(
        state,
        failures=before.failures + 1,
        trouble=str(result),
        trouble_since=before.trouble_since or each.tried_at,
    )
    if is_gone(result):
        # that nobody is on it is known, too
        return replace(
            state, read_at=each.tried_at, lines=None, fingerprint=None, gone_at=before.gone_at or each.tried_at
        )
    return state
