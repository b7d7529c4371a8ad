"""Static lists: how many are on them, and with a full reading, who is missing and who is there without our doing."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from iterable_pipelines.activation.verify.notebook import COLUMNS, Notebook, promise_of
from iterable_pipelines.activation.verify.promises import VERIFIED
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api import IterableError
from iterable_pipelines.hours import now
from iterable_pipelines.objects.list_members.read import is_gone, names_sql, read_list
from iterable_pipelines.objects.list_members.tables import READING, State
from iterable_pipelines.quoting import literal

_LIST_ID = "cast(flags ->> '$.listId' as bigint)"
_OF_LISTS = "endpoint in ('subscribe', 'unsubscribe')"


@dataclass(frozen=True)
class ListCount:
    """A list as Iterable counts it, and how many were acknowledged as its members. `size`: None for one that is gone.

    `foreign` are on it without our doing, and stay there; None unless the list was read, and shows what we go by.
    """

    list_id: int
    size: int | None
    acknowledged: int
    foreign: int | None = None


def count_lists(notebook: Notebook, client: Client) -> list[ListCount]:
    """The size of every list that something was promised of; each takes one of the five requests a minute."""
    rows = notebook.con.execute(
        f"select {_LIST_ID} as list_id, count(*) filter (endpoint = 'subscribe') from promises where {_OF_LISTS} "
        "and list_id is not null group by all order by list_id"
    ).fetchall()
    return [ListCount(list_id, _size(client, list_id), acknowledged) for list_id, acknowledged in rows]


def read_members(notebook: Notebook, counted: ListCount, connect: Callable[[], Client]) -> ListCount:
    """Read a whole list, and note every promise that it shows to be kept; what it lacks is left to be looked for.

    Raises IterableError, NotWhole among them: a list that may have been cut does not say who is missing.
    """
    if counted.size is None:
        return counted
    con, of_list = notebook.con, f"{_LIST_ID} = {counted.list_id} and {_OF_LISTS}"
    kinds = {kind for (kind,) in con.execute(f"select distinct identity_kind from promises where {of_list}").fetchall()}
    # a line is one name of a user: asked so, the user id where there is one, else the address (api.md 5.3)
    kind = "userId" if kinds == {"userId"} else "email"
    file = notebook.folder / f"list-{counted.list_id}.txt"
    project_type = "userid" if kind == "userId" else "email"
    read_list(connect(), State(counted.list_id, READING, now()), project_type, file, lambda moment: moment)
    name = "name" if kind == "userId" else "lower(name)"
    con.execute(
        f"create or replace table members as select distinct {name} as name from {names_sql(literal(str(file)))}"
    )
    on_it = "identity in (select name from members)"
    rows = notebook.rows(
        f"select {', '.join(COLUMNS)} from promises where {of_list} and chosen and identity_kind = {literal(kind)} "
        # whoever was sent with fields of the profile is looked at there
        f"and case endpoint when 'subscribe' then {on_it} and (payload -> '$.dataFields') is null else not {on_it} end"
    )
    notebook.add((promise_of(row), VERIFIED) for row in rows)
    ours = f"select identity from promises where {of_list} and endpoint = 'subscribe'"
    ((foreign,),) = con.execute(f"select count(*) from members where name not in ({ours})").fetchall()
    return replace(counted, foreign=foreign if kinds == {kind} else None)


def _size(client: Client, list_id: int) -> int | None:
    try:
        return int(client.get_text(f"/api/lists/{list_id}/size").strip(' "\r\n'))
    except IterableError as error:
        if is_gone(error):
            return None
        raise
