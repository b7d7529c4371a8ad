"""Campaigns whose counts a forgotten person was in: their totals are counted anew by the next build of the models."""

import duckdb

from iterable_pipelines.erasure.tables import Table
from iterable_pipelines.quoting import quoted

_PEOPLE, _TOTALS = "user_campaign_activity", "campaign_activity"


def recount_campaigns(con: duckdb.DuckDBPyConnection, tables: list[Table], old: str, fresh: str) -> None:
    """Make every such campaign look changed to `campaign_activity`, which counts a campaign as a whole where a row of
    one of its people is newer than the last build. One that has nobody left loses its totals here."""
    people = next((table for table in tables if (table.schema, table.name) == ("marts", _PEOPLE)), None)
    if not people or not any((table.schema, table.name) == ("marts", _TOTALS) for table in tables):
        return
    counted, totals = f"{quoted(fresh)}.marts.{_PEOPLE}", f"{quoted(fresh)}.marts.{_TOTALS}"
    con.execute(
        "create or replace temp table campaigns_of_the_erased as select distinct campaign_id "
        f"from {quoted(old)}.marts.{_PEOPLE} where campaign_id is not null and ({people.own_sql})"
    )
    con.execute(
        f"update {counted} set _load_id = newest.load_id from (select 1 + greatest(max(_load_id), "
        f"(select coalesce(max(built_to), 0) from {quoted(old)}.marts.builds)) as load_id from {counted}) as newest "
        f"where {_PEOPLE}.rowid in (select min(rowid) from {counted} "
        "where campaign_id in (select campaign_id from campaigns_of_the_erased) group by campaign_id)"
    )
    con.execute(
        f"delete from {totals} where campaign_id in (select campaign_id from campaigns_of_the_erased) "
        f"and campaign_id not in (select campaign_id from {counted} where campaign_id is not null)"
    )
