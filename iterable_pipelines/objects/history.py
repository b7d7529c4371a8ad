"""Every version of a row: one more whenever it says something else, closed when it changes or goes."""

import duckdb

from iterable_pipelines.objects.object_type import ObjectType
from iterable_pipelines.objects.tables import same_key


def keep_history(con: duckdb.DuckDBPyConnection, kind: ObjectType) -> None:
    """Bring the history of `kind` to what its table holds now, in the transaction that changed the table.

    `_valid_from` is when a version was first seen here, `_valid_to` when it was first seen to be another one or gone.
    """
    con.execute(
        f"update objects.{kind.history} as version set _valid_to = now() at time zone 'UTC' "
        f"where _valid_to is null and not exists (select 1 from objects.{kind.name} as stored "
        f"where {same_key(kind, 'stored', 'version')} "
        "and stored._gone_at is null and stored._loaded_at = version._valid_from)"
    )
    # the table decides, so that a history begun later than its table begins with what is there
    con.execute(
        f"insert into objects.{kind.history} by name select * exclude (_loaded_at, _gone_at), "
        f"_loaded_at as _valid_from from objects.{kind.name} as stored where _gone_at is null "
        f"and not exists (select 1 from objects.{kind.history} as version "
        f"where {same_key(kind, 'stored', 'version')} and version._valid_to is null)"
    )
