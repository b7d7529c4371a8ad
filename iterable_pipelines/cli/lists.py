"""`lists`: who keeps which list up to date, how old it is, and how long a round of all of them takes."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

import duckdb
import typer
from rich.markup import escape

from iterable_pipelines.api import LIMITS
from iterable_pipelines.cli.console import CannotGoOn, out, say, table
from iterable_pipelines.hours import now
from iterable_pipelines.objects.list_members.order import TURN, TURN_EVERY, Queue, plan_lists
from iterable_pipelines.objects.list_members.staleness import COLUMNS, as_row, since_when, stalest_first, too_old
from iterable_pipelines.objects.list_members.tables import (
    READING,
    USERS,
    MemberList,
    State,
    load_lists,
    save_states,
)
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.streams import Warehouse, WarehouseLocked

_MINUTE, _MOST_TROUBLES = 60.0, 20


def lists(
    plan: Annotated[bool, typer.Option("--plan", help="When each list is asked for, and how long that takes.")] = False,
    trust: Annotated[
        int | None,
        typer.Option("--trust", metavar="LIST", help="Take this list as it comes, whatever Iterable counts, or not."),
    ] = None,
) -> None:
    """Show each list, its members, how they are known and how old that is; asks nothing of Iterable."""
    settings, moment = load_settings(), now()
    found = _load(settings, moment, trust)
    planned = plan_lists(found, moment, LIMITS["list users"])
    next_turns = Queue(found).resting() | planned.turns
    shown = table("", *COLUMNS[:-1], "next turn", "trouble", numbers=("list", "members", "age"))
    for each in stalest_first(found, moment):
        *cells, _ = as_row(each, moment)
        turn = next_turns.get(each.id)
        wait = f"in {(turn - moment).total_seconds() / _MINUTE:.0f} min" if turn else ""
        shown.add_row(*map(escape, cells), wait, since_when(each))
    out().print(shown)
    static = sum(each.state.known_by == USERS for each in found)
    asked = sum(each.state.known_by == READING for each in found)
    say(f"{len(found):,} lists: {static:,} come with the user records, {asked:,} are asked for, the others are not.")
    if old := too_old(found, moment):
        say(f"{len(old):,} lists in live campaigns are more than an hour old, the first: {old[0].id}.")
    in_trouble = [each for each in found if each.state.trouble and not each.state.gone_at]
    for each in in_trouble[:_MOST_TROUBLES]:
        say(f"List {each.id}: {each.state.trouble}")
    if in_trouble:
        say(f"{len(in_trouble):,} lists in trouble keep the members they have, and are tried more and more rarely.")
    if plan:
        limit, minutes = LIMITS["list users"], (planned.done_at - moment).total_seconds() / _MINUTE
        say(
            f"{len(planned.turns):,} lists are due. To ask for them takes {planned.requests:,} requests and "
            f"{minutes:,.1f} minutes: Iterable allows {limit.calls} a minute, lists in live campaigns come again in "
            f"between, and turns last {TURN.seconds // 60} of every {TURN_EVERY.seconds // 60} minutes."
        )
        say("Where the number of members has changed, their count is asked for too, which has a budget of its own.")
    say("Next: the asset objects/list_members takes the turns; ITERABLE_DYNAMIC_LISTS chooses the lists to ask for.")


def _load(settings: Settings, moment: datetime, trust: int | None) -> list[MemberList]:
    """All lists; `trust` names one whose mark of being trusted is turned around first."""
    if not settings.warehouse_path.exists():
        raise CannotGoOn(
            f"Nothing is imported yet: there is no {settings.warehouse_path}.\n"
            "Next: iterable-pipelines dev, or iterable-pipelines backfill --from … --to …"
        )
    warehouse = Warehouse.of(settings, lambda text: None, wait_seconds=3)
    try:
        warehouse.prepare()
        with warehouse.transaction() as con:
            found = load_lists(con, settings, moment)
            if trust is not None:
                save_states(con, [_turned_around(found, trust)])
            return found
    except WarehouseLocked:
        if trust is not None or not settings.published_path.exists():
            raise
        with duckdb.connect(settings.published_path, read_only=True) as con:
            return load_lists(con, settings, moment)


def _turned_around(found: list[MemberList], list_id: int) -> State:
    for each in found:
        if each.id == list_id:
            trusted = not each.state.trusted
            say(f"List {list_id} is {'taken as it comes' if trusted else 'held against its count again'} from now on.")
            return replace(each.state, trusted=trusted, failures=0)
    raise typer.BadParameter(f"Iterable lists no list {list_id}; iterable-pipelines lists shows them")
