"""The tables behind `objects.list_members`: how each list stands, and up to where the users were looked at."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from iterable_pipelines.settings import Settings

# a campaign in one of these states may send to its lists at any moment (api.md 5.1)
LIVE_STATES = ("Running", "Scheduled", "Ready", "Recurring", "Starting")
USERS, READING, NOTHING = "users", "reading", "nothing"


def create_statements() -> list[str]:
    """Every statement that makes these tables; each may run again on a warehouse that has them."""
    return [
        # lines, fingerprint, ended: what the last complete reading looked like, for the next one to be held against
        "create table if not exists objects.list_states (list_id BIGINT PRIMARY KEY, known_by VARCHAR, "
        "noticed_at TIMESTAMP, tried_at TIMESTAMP, read_at TIMESTAMP, members BIGINT, joined BIGINT, departed BIGINT, "
        "requests BIGINT, seconds DOUBLE, lines BIGINT, fingerprint VARCHAR, ended BOOLEAN, failures BIGINT, "
        "trouble VARCHAR, trouble_since TIMESTAMP, gone_at TIMESTAMP, trusted BOOLEAN)",
        "create table if not exists objects.list_users_seen (load_id BIGINT, others VARCHAR, seen_at TIMESTAMP)",
    ]


@dataclass(frozen=True)
class State:
    """How a list stands; a row of `objects.list_states`.

    `read_at` is the moment for which its members are known, `members` how many they are; `joined` and `departed` are
    what the last try changed, `requests` all tries, `seconds` what the last reading took. `failures` counts tries in a
    row that brought nothing, `trouble` says why. `gone_at` is when Iterable first said that there is no such list.
    `trusted` lists are taken as they come, whatever Iterable counts.
    """

    list_id: int
    known_by: str
    noticed_at: datetime
    tried_at: datetime | None = None
    read_at: datetime | None = None
    members: int = 0
    joined: int = 0
    departed: int = 0
    requests: int = 0
    seconds: float = 0.0
    lines: int | None = None
    fingerprint: str | None = None
    ended: bool = True
    failures: int = 0
    trouble: str | None = None
    trouble_since: datetime | None = None
    gone_at: datetime | None = None
    trusted: bool = False


@dataclass(frozen=True)
class MemberList:
    """A list of the project, and how it stands. `live`: a campaign that may send now goes to it, or leaves it out."""

    name: str
    type: str | None
    live: bool
    state: State

    @property
    def id(self) -> int:
        """Iterable's listId."""
        return self.state.list_id


_STATE_COLUMNS = tuple(State.__dataclass_fields__)


def load_lists(con: duckdb.DuckDBPyConnection, settings: Settings, moment: datetime) -> list[MemberList]:
    """Every list that Iterable listed last time, by id; one without a state is noticed at `moment`."""
    columns = ", ".join(f"list_states.{name}" for name in _STATE_COLUMNS[2:])
    found = con.execute(
        "with live as (select distinct try_cast(unnest(list_concat(json_extract_string(list_ids, '$[*]'), "
        "json_extract_string(suppression_list_ids, '$[*]'))) as BIGINT) as list_id from objects.campaigns "
        "where _gone_at is null and list_contains($1, campaign_state)) "
        f"select id, name, list_type, live.list_id is not null, {columns} from objects.lists "
        "left join live on live.list_id = id left join objects.list_states on list_states.list_id = id "
        "where _gone_at is null order by id",
        [list(LIVE_STATES)],
    ).fetchall()
    lists = []
    stored: list[Any]
    for list_id, name, list_type, live, *stored in found:
        known_by = how_known(settings, list_id, list_type)
        if stored[0] is None:
            state = State(list_id, known_by, moment)
        else:
            aware: list[Any] = [each.replace(tzinfo=UTC) if isinstance(each, datetime) else each for each in stored]
            state = State(list_id, known_by, *aware)
        lists.append(MemberList(name or "", list_type, live, state))
    return lists


def how_known(settings: Settings, list_id: int, list_type: str | None) -> str:
    """USERS where the records of users say who is on the list, READING where it is asked for, else NOTHING.

    Profiles show static lists only (api.md 5.3); one that is named in `dynamic_lists` is asked for all the same.
    """
    chosen = settings.dynamic_lists
    if isinstance(chosen, tuple) and list_id in chosen:
        return READING
    if list_type == "Standard" and not settings.skip_users:
        return USERS
    return READING if chosen == "all" else NOTHING


def save_states(con: duckdb.DuckDBPyConnection, states: list[State]) -> None:
    """Write these states over those that are stored."""
    if not states:
        return
    columns = [[_plain(getattr(state, name)) for state in states] for name in _STATE_COLUMNS]
    values = ", ".join(f"unnest(${number})" for number in range(1, len(columns) + 1))
    con.execute(
        f"insert or replace into objects.list_states ({', '.join(_STATE_COLUMNS)}) select {values}",
        columns,
    )


def _plain(value: object) -> object:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
