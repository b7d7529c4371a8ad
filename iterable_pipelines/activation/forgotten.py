"""Whoever is forgotten is not sent anything again: such rows of a source are left out of the plan, and only counted.

Their primary keys may be addresses, so that the state learns a hash of them and no more.
"""

from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.erasure.tombstones import Tombstones, normal_sql
from iterable_pipelines.settings import Settings

REASON = "user_forgotten"
# what makes Iterable forget, or remember, must still reach it
_ABOUT_FORGETTING = "('forget', 'unforget', 'delete')"


def leave_out_forgotten(workspace: Workspace, settings: Settings) -> None:
    """Take the records of the forgotten out of `scratch.desired`; `scratch.skipped` counts their rows."""
    con = workspace.con
    con.execute(
        "create table scratch.forgotten as select unnest(?::varchar[]) as hash", [sorted(Tombstones(settings).hashes())]
    )
    theirs = forgotten_sql(workspace, "d")
    if theirs == "false":
        return
    con.execute(
        f"create table scratch.of_forgotten as select pk, key, output from scratch.desired d where {theirs} "
        f"and endpoint not in {_ABOUT_FORGETTING}"
    )
    con.execute("delete from scratch.desired where (pk, key, output) in (from scratch.of_forgotten)")
    for name in ("looked", "issues", "skipped"):
        con.execute(f"delete from scratch.{name} where pk in (select pk from scratch.of_forgotten)")
    con.execute(
        f"insert into scratch.skipped select distinct left(sha256(pk), 16), '{REASON}' from scratch.of_forgotten"
    )


def forgotten_sql(workspace: Workspace, alias: str) -> str:
    """The condition that a record's identity is of somebody forgotten; never NULL. Any connection may ask it."""
    if not workspace.con.execute("from scratch.forgotten limit 1").fetchall():
        return "false"
    hashed = f"sha256({normal_sql(f'{alias}.identity')})"
    is_user = f"{alias}.identity_kind in ('email', 'userId')"
    return f"coalesce({is_user} and {hashed} in (select hash from scratch.forgotten), false)"
