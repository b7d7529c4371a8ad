"""Whether users and things exist, for the modes insert and update, which the API does not have (G2–G4)."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from iterable_pipelines.activation.asking import Lookups, not_asked
from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.lookups import LOOKUPS
from iterable_pipelines.activation.objects import ProfileSync
from iterable_pipelines.activation.outcomes import Outcome
from iterable_pipelines.activation.records import OF_USERS
from iterable_pipelines.activation.requests import Change
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.activation.things import ThingSync
from iterable_pipelines.api import Iterable, IterableError
from iterable_pipelines.data_types import USERS
from iterable_pipelines.published import has_table, reading
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings

# more lookups than this take a quarter of an hour: then the imported users are asked first
_MOST_LOOKUPS = 20_000

INSERTED, EXISTS, MISSING = "already_inserted", "already_exists", "not_in_iterable"
AMBIGUOUS = "ambiguous_template"


class Gate:
    """Asks Iterable for each user, or thing, of a request right before it is sent: little can happen in between."""

    def __init__(self, sync: Sync, numbers: Collection[int], clients: Callable[[], Iterable]) -> None:
        """`numbers` are the changes of what has to be looked up; `clients` makes one for a thread."""
        self._mode, self._numbers, self._lookups = sync.mode, numbers, Lookups(clients)
        # several templates may share an id of one's own, and would all be written
        self._several = bool(getattr(sync, "update_all", False))

    def __call__(self, client: Iterable, changes: Sequence[Change]) -> dict[int, Outcome]:
        """The outcome of each change, by its number, that must not be sent. Several threads may call it at once."""
        asked = [each for each in changes if each.number in self._numbers]
        answers = self._lookups.ask(lambda client, each: int(LOOKUPS[each.identity_kind](client, each)), asked)
        found = {each.number: self._outcome(each, there) for each, there in zip(asked, answers, strict=True)}
        return {number: outcome for number, outcome in found.items() if outcome}

    def _outcome(self, change: Change, found: int | IterableError) -> Outcome | None:
        if isinstance(found, IterableError):
            return Outcome("deferred", "lookup_failed", not_asked(found, "whether it exists"))
        if found and self._mode == "insert":
            return Outcome("skipped", INSERTED if change.identity_kind in OF_USERS else EXISTS)
        if not found and self._mode == "update":
            return Outcome("skipped", MISSING)
        if found > 1 and not self._several:
            return Outcome("invalid", AMBIGUOUS, f"{found} templates share it: `update_all: true` writes all of them")
        return None


def gate_of(workspace: Workspace, sync: Sync, clients: Callable[[], Iterable]) -> Gate | None:
    """The gate of a run, for what is in `scratch.changes`; None where the sync's mode needs none."""
    found = workspace.con.execute(f"select number from scratch.changes c where {_undecided(sync)}").fetchall()
    return Gate(sync, frozenset(number for (number,) in found), clients) if found else None


def count_lookups(workspace: Workspace, sync: Sync) -> int:
    """How many users or things the gate will ask for."""
    found = workspace.con.execute(f"select count(*) from scratch.compared c where {_undecided(sync)}").fetchone()
    return found[0] if found else 0


def ask_imported_users(workspace: Workspace, settings: Settings, sync: Sync, moment: datetime) -> list[str]:
    """Skip what the imported users decide already; returns what to say of it.

    Raises ActivationRefused where the sync wants nothing else, and they are too old.
    """
    con = workspace.con
    undecided = count_lookups(workspace, sync)
    if not isinstance(sync, ProfileSync) or not undecided or sync.existence == "lookup":
        return []
    if sync.existence == "auto" and undecided <= _MOST_LOOKUPS:
        return []
    # the import is of the project of the settings, and of no other
    newest = _copy_users(workspace, settings) if sync.connection is None else None
    if newest is None or newest < moment.replace(tzinfo=None) - timedelta(hours=sync.existence_max_age_hours):
        hours = sync.existence_max_age_hours
        said = f"there are no imported users of its project, or they are older than {hours} hours"
        if sync.existence == "snapshot":
            raise ActivationRefused(
                f"{sync.name}: {said}, and `existence: snapshot` asks nothing else. Nothing was sent.\n"
                "Next: import the users (iterable-pipelines backfill), or set `existence: lookup`"
            )
        return [f"{undecided:,} users are looked up one by one, because {said}"]
    is_insert = sync.mode == "insert"
    reason = INSERTED if is_insert else MISSING
    con.execute(
        f"update scratch.compared c set op = 'skipped', reason = {literal(reason)} where {_undecided(sync)} and "
        f"{'' if is_insert else 'not '}exists (from {literal(str(workspace.folder / 'users.parquet'))} u "
        "where (c.identity_kind = 'email' and u.email = c.identity) "
        "or (c.identity_kind = 'userId' and u.user_id = c.identity))"
    )
    left = count_lookups(workspace, sync)
    return [f"the imported users decide {undecided - left:,} of {undecided:,} users; {left:,} are looked up"]


def copy_known_events(workspace: Workspace, settings: Settings, sync: Sync) -> None:
    """Fill `scratch.known_events` with the ids of imported events, where a sync may only update those (G7)."""
    workspace.con.execute("create table scratch.known_events (id text)")
    if sync.mode != "update" or not sync.is_history or sync.connection is not None:
        return
    stream = "iterable_purchase_activity" if sync.object == "purchase" else "iterable_custom_activity"
    file = literal(str(workspace.folder / "events.parquet"))
    with reading(settings, workspace.folder) as con:
        if not has_table(con, "streams", stream):
            return
        # which of the two names an export has for it is not documented
        con.execute(
            f"copy (select distinct coalesce(record->>'$.id', record->>'$._id') as id from streams.{stream}) to {file} "
            "(format parquet)"
        )
    workspace.con.execute(f"insert into scratch.known_events from {file} where id is not null")


_UNDECIDED = (
    "c.op in ('add', 'retry') and c.identity is not null "
    # a thing without a lookup is told by the answer: a catalog that is there is not made again
    f"and (c.endpoint in ('users', 'user') or c.identity_kind in {[each for each in LOOKUPS if each not in OF_USERS]}) "
    # Iterable itself says who is not there (G2), and a user in doubt is of our own making
    "and (c.payload::json->>'$.preferUserId') is distinct from 'false' "
    "and (c.flags::json->>'$.updateOnly') is distinct from 'true' "
    "and not exists (from state.acked a where a.key = c.key and a.output = c.output and a.member)"
)


# whoever shares an id of one's own may have come since the last time
_EACH_TIME = "c.op in ('add', 'change', 'retry') and c.identity is not null"


def _undecided(sync: Sync) -> str:
    if isinstance(sync, ThingSync):
        each_time = sync.object == "template" and sync.mode != "insert"
        return "false" if not sync.is_looked_up else _EACH_TIME if each_time else _UNDECIDED
    return _UNDECIDED if isinstance(sync, ProfileSync) and sync.mode in ("insert", "update") else "false"


def _copy_users(workspace: Workspace, settings: Settings) -> datetime | None:
    file = literal(str(workspace.folder / "users.parquet"))
    with reading(settings, workspace.folder) as con:
        if not has_table(con, "streams", USERS):
            return None
        newest = con.execute(f"select max(_fetched_at) from streams.{USERS}").fetchone()
        con.execute(f"copy (select lower(trim(email)) as email, user_id from streams.{USERS}) to {file}")
    return newest[0] if newest else None
