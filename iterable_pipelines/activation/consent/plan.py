"""Consent in a plan: who is not put on a list, and what of a subscription is left out (SQL over the published copy)."""

from collections.abc import Callable
from datetime import datetime, timedelta

from iterable_pipelines.activation.consent.gate import ConsentGate
from iterable_pipelines.activation.consent.known import SUBSCRIBING, copy_unsubscribed
from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.lists import find_list, wanted_list
from iterable_pipelines.activation.memberships import AudienceSync, ConsentSync, ListSync, MemberSync, SubscriptionSync
from iterable_pipelines.activation.source import moment_literal
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.api import Iterable
from iterable_pipelines.published import NothingPublished, has_table, reading
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings

UNSUBSCRIBED, KEPT = "unsubscribed", "consent_kept"
# two reads for each: more of them take minutes, and then the import decides alone
MOST_LOOKUPS = 20_000


def keep_consent(
    workspace: Workspace, settings: Settings, sync: Sync, client: Iterable | None, moment: datetime
) -> list[str]:
    """Skip who must not be put on a list, in `scratch.compared`; returns what to say of it. Nothing else changes."""
    if not isinstance(sync, ConsentSync) or (isinstance(sync, MemberSync) and sync.consent == "not_needed"):
        return []
    _hear_opt_ins(workspace)
    if not _count(workspace, f"scratch.compared where {SUBSCRIBING}"):
        return []
    newest = None
    if isinstance(sync, SubscriptionSync) and sync.state_max_age_minutes:
        newest = moment - timedelta(minutes=sync.state_max_age_minutes)
    copy_unsubscribed(workspace, settings, newest)
    if isinstance(sync, SubscriptionSync):
        return _tell_what_stays(workspace, moment)
    return _skip_members(workspace, settings, sync, client, moment)


def consent_gate(
    workspace: Workspace, settings: Settings, sync: Sync, clients: Callable[[], Iterable]
) -> ConsentGate | None:
    """The gate of a run, for what is in `scratch.changes`; None where nobody is subscribed."""
    if not count_consent_lookups(workspace, sync) and not isinstance(sync, SubscriptionSync):
        return None
    if not _count(workspace, f"scratch.changes where {SUBSCRIBING}"):
        return None
    return ConsentGate(workspace, marketing_channels(settings, sync), clients)


def count_consent_lookups(workspace: Workspace, sync: Sync) -> int:
    """How many users the gate will ask for."""
    if isinstance(sync, SubscriptionSync):
        there = _count(workspace, _IMPORTED_THERE)
        fresh = "scratch.imported using (identity_kind, identity)" if there else "(select 1) on false"
        return _count(workspace, f"scratch.changes {'anti' if there else 'left'} join {fresh} where {SUBSCRIBING}")
    if not isinstance(sync, MemberSync) or sync.consent == "not_needed" or sync.consent_lookup == "import":
        return 0
    found = _count(workspace, f"scratch.changes where {SUBSCRIBING}")
    return found if sync.consent_lookup == "lookup" or found <= MOST_LOOKUPS else 0


def marketing_channels(settings: Settings, sync: Sync) -> frozenset[int] | None:
    """The channels whose unsubscribe keeps somebody off the list: the one that the file names, or all of marketing
    e-mail; None for every channel, where it is not known which are.
    """
    if isinstance(sync, ListSync | AudienceSync) and sync.list and sync.list.channel_id is not None:
        return frozenset({sync.list.channel_id})
    try:
        with reading(settings) as copy:
            if not has_table(copy, "objects", "channels"):
                return None
            found = copy.execute(
                "select id from objects.channels where record->>'$.channelType' = 'Marketing' "
                "and record->>'$.messageMedium' = 'Email'"
            ).fetchall()
    except NothingPublished:
        return None
    return frozenset(each for (each,) in found) or None


_IMPORTED_THERE = "duckdb_tables() where database_name = 'scratch' and table_name = 'imported'"


def _skip_members(
    workspace: Workspace, settings: Settings, sync: Sync, client: Iterable | None, moment: datetime
) -> list[str]:
    wanted = wanted_list(sync)
    list_id = wanted.list_id if wanted else None
    if wanted and list_id is None and client is not None:
        list_id = find_list(workspace, wanted, client)
    channels = marketing_channels(settings, sync)
    of_channel = "true" if channels is None else f"u.id in ({', '.join(map(str, sorted(channels)))})"
    workspace.con.execute(
        f"update scratch.compared c set op = 'skipped', reason = {literal(UNSUBSCRIBED)} where {SUBSCRIBING} "
        "and exists (from scratch.unsubscribed u where u.identity_kind = c.identity_kind and u.identity = c.identity "
        f"and (u.what = 'everything' or u.what = 'list' and u.id = {list_id or -1} "
        f"or u.what = 'channel' and {of_channel}) "
        f"and not {_opted_in_since(moment, 'c.moment', 'u.left_at')})"
    )
    lookups = _count(workspace, f"scratch.compared where {SUBSCRIBING}")
    if isinstance(sync, MemberSync) and sync.consent_lookup == "auto" and lookups > MOST_LOOKUPS:
        return [
            f"{lookups:,} are more than can be asked for right before (`consent_lookup: lookup` asks all the same): "
            "whether they have unsubscribed is told by the import alone"
        ]
    return []


def _hear_opt_ins(workspace: Workspace) -> None:
    """Whoever has opted in since they were put on a list may have left it in between: they are put on it again."""
    workspace.con.execute(
        "update scratch.compared c set op = 'retry' from state.acked a where a.key = c.key and a.output = c.output "
        "and c.op = 'same' and c.endpoint = 'subscribe' and c.moment > epoch(a.last_acked_at)"
    )


def _opted_in_since(now: datetime, opted_in: str, left_at: str) -> str:
    """Whether somebody opted in after they left; an opt-in that is still to come counts as one of now."""
    # least() passes over NULL
    return f"({opted_in} is not null and least({opted_in}, epoch({moment_literal(now)})) > epoch({left_at}))"


def _tell_what_stays(workspace: Workspace, moment: datetime) -> list[str]:
    """By what is imported; what a user has right before the request decides."""
    who, left = "key, identity_kind, identity, moment", "scratch.unsubscribed using (identity_kind, identity"
    gains = " union all ".join(
        f"select {who}, {literal(what)} as what, unnest((payload->'$.changes.{what}.in')::bigint[]) as id from asking"
        for what, _ in _WHOLE
    )
    whole = " or ".join(
        f"what = {literal(what)} and (payload->'$.{name}') is not null and "
        f"{'' if what == 'list' else 'not '}list_contains((payload->'$.{name}')::bigint[], id)"
        for what, name in _WHOLE
    )
    rows, ids = workspace.con.execute(
        f"with asking as (select {who}, payload::json as payload from scratch.compared where {SUBSCRIBING}), "
        f"gains as ({gains}), stays as (select key, moment, left_at from gains "
        f"join {left}, what, id) union all select key, moment, left_at from asking join {left}) where {whole}) "
        f"select count(distinct key), count(*) from stays where not {_opted_in_since(moment, 'moment', 'left_at')}"
    ).fetchone() or (0, 0)
    if not rows:
        return []
    why = "these people have unsubscribed, and no newer opt-in is known"
    return [f"{KEPT}: {ids:,} subscriptions of {rows:,} rows are left out: {why}"]


# where a whole array would subscribe: by what it has of lists, by what it lacks of the others
_WHOLE = (
    ("list", "emailListIds"),
    ("channel", "unsubscribedChannelIds"),
    ("message_type", "unsubscribedMessageTypeIds"),
)


def _count(workspace: Workspace, what: str) -> int:
    found = workspace.con.execute(f"select count(*) from {what}").fetchone()
    return found[0] if found else 0
