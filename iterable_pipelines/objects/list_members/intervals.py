"""The one way in which `objects.list_members` is written: people join, and people leave."""

from typing import NamedTuple

import duckdb


class Moved(NamedTuple):
    """How many joined a list and left it just now."""

    joined: int
    departed: int


def move_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Make the temporary tables `joining` and `leaving`, empty."""
    for name in ("joining", "leaving"):
        con.execute(f"create or replace temp table {name} (list_id BIGINT, user_key VARCHAR, moment TIMESTAMP)")


def write_intervals(con: duckdb.DuckDBPyConnection, source: str) -> dict[int, Moved]:
    """Apply `joining` and `leaving`. Returns the lists on which something moved.

    Nobody in `joining` may be on that list now, everybody in `leaving` must be. An interval ends after it begins, by a
    second at least, and never begins before the one before it has ended, whatever the moments say. Rows that are
    written get a new `_load_id`.
    """
    moved = con.execute(
        "select list_id, count(*) filter (joins), count(*) filter (not joins) from (select list_id, true as joins "
        "from joining union all select list_id, false from leaving) group by list_id"
    ).fetchall()
    if moved:
        (load_id,) = con.execute("select nextval('streams.load_ids')").fetchone() or (None,)
        con.execute(
            "update objects.list_members as stored set left_at = greatest(moment, joined_at + interval 1 second), "
            "_load_id = ? from leaving where stored.list_id = leaving.list_id and stored.user_key = leaving.user_key "
            "and stored.left_at is null",
            [load_id],
        )
        con.execute(
            "insert into objects.list_members by name with before as (select list_id, user_key, max(left_at) as "
            "left_at from objects.list_members semi join joining using (list_id, user_key) group by all) "
            "select list_id, user_key, greatest(moment, before.left_at) as joined_at, cast(null as TIMESTAMP) as "
            "left_at, ? as source, ? as _load_id from joining left join before using (list_id, user_key)",
            [source, load_id],
        )
    return {list_id: Moved(joined, departed) for list_id, joined, departed in moved}


def count_members(con: duckdb.DuckDBPyConnection, list_ids: list[int]) -> dict[int, int]:
    """How many are on each of these lists now; lists without anybody are left out."""
    found = con.execute(
        "select list_id, count(*) from objects.list_members where left_at is null and list_contains($1, list_id) "
        "group by list_id",
        [list_ids],
    ).fetchall()
    return dict(found)
