"""The static list that a sync writes to: by id, found by its exact name, or made once; its id is then kept (P3)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.errors import ActivationFailed, ActivationRefused, InDoubt
from iterable_pipelines.activation.memberships import AudienceSync, ListSync, ToList
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.api import Broken, Iterable
from iterable_pipelines.hours import now
from iterable_pipelines.streams.load import naive

_LISTS = "/api/lists"
# so long a list that was made may be missing among those that Iterable names (api.md 6.2)
_APPEARS_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True)
class Wanted:
    """Which list a sync asks for: `list_id`, or else the name."""

    sync: str
    name: str
    list_id: int | None
    create: bool


def wanted_list(sync: Sync) -> Wanted | None:
    """The list of a sync; None for one without any. An audience's is called like its key, and made if need be (P3)."""
    if isinstance(sync, ListSync):
        to: ToList = sync.list
    elif isinstance(sync, AudienceSync) and "list" in sync.outputs:
        to = sync.list or ToList(create=True)
    else:
        return None
    name = to.name or (sync.field if isinstance(sync, AudienceSync) else "")
    return Wanted(sync.name, name, to.id, to.create)


def find_list(workspace: Workspace, wanted: Wanted, client: Iterable) -> int | None:
    """The id of the list; None if there is none and it is to be made. Iterable is asked at most once.

    Raises ActivationRefused for one that is not there and not to be made, whose name several have, or that is another
    than the one this sync's members are on. Raises IterableError.
    """
    pinned = _pinned(workspace)
    if pinned and wanted.list_id in (None, pinned[1]) and (wanted.list_id or wanted.name == pinned[0]):
        return pinned[1]
    found = wanted.list_id or _named(wanted, client)
    if pinned and found != pinned[1]:
        raise ActivationRefused(
            f"list_changed: syncs/{wanted.sync}.yml names another list than the one its members are on, which is "
            f"{pinned[1]}. Nothing was sent.\nNext: write list: {{id: {pinned[1]}}}; or, so that all go to the other, "
            f"iterable-pipelines sync reset {wanted.sync} --how resend"
        )
    if not found and not wanted.create:
        raise ActivationRefused(
            f"list_not_found: there is no list of type Standard called {wanted.name}. Nothing was sent.\n"
            f"Next: write its exact name or its id into syncs/{wanted.sync}.yml, or create: true"
        )
    return found


def settle_list(workspace: Workspace, sync: Sync, client: Iterable, log: Callable[[str], None]) -> int | None:
    """Find or make the list, pin its id, and write it into what is planned; None for a sync without a list.

    A list is never made twice: a name that was asked for is looked for first, and again while it may yet appear (S9).
    Raises as `find_list`, and InDoubt while it is not known whether the list was made.
    """
    wanted = wanted_list(sync)
    if wanted is None:
        return None
    list_id = find_list(workspace, wanted, client) or _made(workspace, wanted, client, log)
    if _pinned(workspace) != (wanted.name, list_id):
        _note(workspace, wanted, list_id)
    _write_down(workspace, list_id)
    return list_id


def forget_list(workspace: Workspace) -> None:
    """Let the next run use whichever list the file names: for one whose members all go again."""
    workspace.con.execute("delete from state.lists where list_id is not null")


def show_list(workspace: Workspace, sync: Sync) -> None:
    """Write the id of the list into what is planned as far as it is known: Iterable is not asked."""
    wanted, pinned = wanted_list(sync), _pinned(workspace)
    known = wanted.list_id or (pinned[1] if pinned else None) if wanted else None
    if known is not None:
        _write_down(workspace, known)


def _pinned(workspace: Workspace) -> tuple[str, int] | None:
    """Name and id of the list that the members are on."""
    found = workspace.con.execute("select name, list_id from state.lists where list_id is not null").fetchone()
    return (found[0], found[1]) if found else None


def _write_down(workspace: Workspace, list_id: int) -> None:
    workspace.con.execute(
        "update scratch.changes set flags = json_merge_patch(coalesce(flags, '{}'), ?::json) "
        "where endpoint in ('subscribe', 'unsubscribe')",
        [json.dumps({"listId": list_id})],
    )


def _named(wanted: Wanted, client: Iterable) -> int | None:
    lists: list[dict[str, Any]] = client.get(_LISTS).get("lists", [])
    found = [each["id"] for each in lists if each.get("name") == wanted.name and each.get("listType") == "Standard"]
    if len(found) > 1:
        raise ActivationRefused(
            f"{len(found)} lists are called {wanted.name}: {', '.join(map(str, found))}. Nothing was sent.\n"
            f"Next: write the id of the one you mean into syncs/{wanted.sync}.yml, list: {{id: …}}"
        )
    return int(found[0]) if found else None


def _made(workspace: Workspace, wanted: Wanted, client: Iterable, log: Callable[[str], None]) -> int:
    """Make the list. What is in doubt is written down first, because a second list of the name would be made (S8)."""
    tried = workspace.con.execute("select noted_at from state.lists where name = ?", [wanted.name]).fetchone()
    if tried and naive(now()) - tried[0] < _APPEARS_WITHIN:
        raise _in_doubt(wanted)
    _note(workspace, wanted, None)
    try:
        answer = client.write("POST", _LISTS, json.dumps({"name": wanted.name}).encode())
    except Broken:
        answer = None
    made = (answer.json() or {}).get("listId") if answer and answer.status < 300 else None
    if isinstance(made, int):
        log(f"{wanted.sync}: the list {wanted.name} was made, its id is {made}")
        return made
    if answer and 400 <= answer.status < 500:
        with workspace.transaction() as con:
            con.execute("delete from state.lists")
        raise ActivationFailed(
            f"{wanted.sync}: Iterable did not make the list {wanted.name}: {answer.status} "
            f"{(answer.json() or {}).get('code', '')}. Nothing was sent, and the state is safe.\n"
            f"Next: make a static list of that name in Iterable, then iterable-pipelines sync run {wanted.sync}"
        )
    found = _named(wanted, client)
    if found is None:
        raise _in_doubt(wanted)
    return found


def _note(workspace: Workspace, wanted: Wanted, list_id: int | None) -> None:
    """What the state knows of the list: its id, or that it was asked for."""
    with workspace.transaction() as con:
        con.execute("delete from state.lists")
        con.execute("insert into state.lists values (?, ?, ?)", [wanted.name, list_id, naive(now())])


def _in_doubt(wanted: Wanted) -> InDoubt:
    return InDoubt(
        f"{wanted.sync}: it is not known whether the list {wanted.name} was made, because no answer came. Nothing else "
        f"was sent, and the state is safe.\nNext: iterable-pipelines sync run {wanted.sync} in ten minutes: it looks "
        "for the list first"
    )
