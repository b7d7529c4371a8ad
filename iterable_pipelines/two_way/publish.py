"""What runs did into the warehouse's schema `two_way`: one transaction. One that is locked gets it next time."""

from collections.abc import Callable

from iterable_pipelines.activation.publish import WAIT_SECONDS
from iterable_pipelines.activation.row_log import create_tables
from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.streams.warehouse import WarehouseFailed
from iterable_pipelines.two_way.declaration import TwoWay
from iterable_pipelines.two_way.row_log import KEPT_DAYS, SCHEMA, TABLES


def publish(workspace: Workspace, settings: Settings, two_way: TwoWay, log: Callable[[str], None]) -> bool:
    """Bring every run that is over and not published into the warehouse. False if that cannot be had now."""
    con, name = workspace.con, literal(two_way.name)
    runs = [run for (run,) in con.execute("select run_id from state.finished where not published").fetchall()]
    listed = ", ".join(map(literal, runs)) or "''"
    queries = {
        "runs": f"select *, {name} as name from (select * exclude (published) from state.finished) "
        f"where run_id in ({listed})",
        "changes": f"select *, {name} as name from state.done where run_id in ({listed})",
        "conflicts": f"select *, {name} as name from state.problems",
    }
    files = {table: str(workspace.folder / f"{table}.parquet") for table in queries}
    for table, query in queries.items():
        con.execute(f"copy ({query}) to {literal(files[table])} (format parquet)")
    warehouse = Warehouse.of(settings, log, WAIT_SECONDS)
    try:
        with warehouse.transaction() as there:
            create_tables(there, SCHEMA, TABLES)
            for table in ("runs", "changes"):
                # published before, by a run that was killed before it could note that
                there.execute(f"delete from {SCHEMA}.{table} where run_id in ({listed})")
            there.execute(f"delete from {SCHEMA}.conflicts where name = {name}")
            for table, file in files.items():
                there.execute(f"insert into {SCHEMA}.{table} by name from read_parquet({literal(file)})")
            old = f"select run_id from {SCHEMA}.runs where started_at < now()::timestamp - interval {KEPT_DAYS} days"
            there.execute(f"delete from {SCHEMA}.changes where run_id in ({old})")
            there.execute(f"delete from {SCHEMA}.runs where run_id in ({old})")
    except WarehouseFailed as error:
        log(f"{two_way.name}: what this run did will be published by the next one: {error}")
        return False
    crashpoint("two_way_published")
    with workspace.transaction():
        con.execute(f"update state.finished set published = true where run_id in ({listed})")
        con.execute(f"delete from state.done where run_id in ({listed})")
        # the newest is what the command line tells of
        con.execute(
            "delete from state.finished where published and started_at < (select max(started_at) from state.finished)"
        )
    if warehouse.copy_is_due():
        warehouse.publish()
    return True
