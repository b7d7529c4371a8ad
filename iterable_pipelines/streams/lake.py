"""Events in the lake: read through views of the usual names, and written part by part.

A part is all events of one data type and hour, in one file that is replaced as a whole.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.data_types import ACTIVITY_STREAMS, Stream
from iterable_pipelines.lake.layout import Lake
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.tables import create_events_table, event_columns

_PARQUET = "(format parquet, compression zstd)"


def create_views(con: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Make the views over the lake that are not there yet, or read another lake, or other columns."""
    made = _made(con)
    for stream in ACTIVITY_STREAMS:
        if made.get(stream.name) in (_view_sql(lake, stream), _view_sql(lake, stream, united=True)):
            continue
        with lake.scratch() as folder:
            typed = ", ".join(f"null::{kind} as {name}" for name, kind in _in_file(stream).items())
            con.execute(f"copy (select {typed} where false) to {literal(str(folder / 'none'))} {_PARQUET}")
            lake.files.put(folder / "none", lake.no_events(stream.name))
        _create_view(con, stream, _fitting_sql(con, lake, stream))


def settle_view(con: duckdb.DuckDBPyConnection, settings: Settings, stream: Stream) -> None:
    """Let a view that has to look for its columns in every part be a plain one again, once all parts have them."""
    lake = Lake.of(settings)
    if lake and _made(con).get(stream.name) == _view_sql(lake, stream, united=True):
        _create_view(con, stream, _fitting_sql(con, lake, stream))


@contextmanager
def events_table(con: duckdb.DuckDBPyConnection, settings: Settings, stream: Stream, parts: str) -> Iterator[None]:
    """Within a transaction, the events of these parts as a table of the usual name that can be written to.

    `parts` is a from-clause with data_type and hour. With engine `duckdb` the table is there anyway. Else it takes the
    place of the view until the end, and is put into the lake then: each part arrives as a whole, and whoever is killed
    between two of them has not committed, so that the next load repeats them all.
    """
    lake = Lake.of(settings)
    if lake is None:
        yield
        return
    wanted = con.execute(f"select distinct data_type, hour from (select * {parts}) order by all").fetchall()
    names = {lake.part(stream.name, data_type, hour): (data_type, hour) for data_type, hour in wanted}
    there = names.keys() - lake.files.missing(names)
    view = _made(con)[stream.name]
    con.execute(f"drop view streams.{stream.name}")
    con.execute(create_events_table(stream))
    if there:
        # older parts may lack columns, which the file without events has
        sources = [lake.no_events(stream.name), *sorted(there)]
        con.execute(f"insert into streams.{stream.name} by name {_select_sql(lake, stream, sources)}")
    yield
    filled = con.execute(f"select distinct data_type, _hour from streams.{stream.name}").fetchall()
    if strangers := set(filled) - set(wanted):
        raise RuntimeError(f"streams/{stream.name}: rows of parts that were not asked for, such as {min(strangers)}")
    # a part that never had rows needs no file
    _put_parts(con, lake, stream, [key for name, key in names.items() if name in there or key in filled])
    con.execute(f"drop table streams.{stream.name}")
    _create_view(con, stream, view)


def _put_parts(
    con: duckdb.DuckDBPyConnection, lake: Lake, stream: Stream, parts: Iterable[tuple[str, datetime]]
) -> None:
    columns = ", ".join(f"{name}::{kind} as {name}" for name, kind in _in_file(stream).items())
    with lake.scratch() as folder:
        files: list[tuple[Path, str]] = []
        for data_type, hour in parts:
            files.append((folder / str(len(files)), lake.part(stream.name, data_type, hour)))
            con.execute(
                f"copy (select {columns} from streams.{stream.name} where data_type = {literal(data_type)} "
                f"and _hour = timestamp '{hour}') to {literal(str(files[-1][0]))} {_PARQUET}"
            )
        # one by one, so that a rehearsed crash leaves some behind
        for file, name in files:
            lake.files.put(file, name)
            crashpoint("lake_put")


def _made(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """What each view of events is made of."""
    return dict(con.execute("select view_name, comment from duckdb_views() where schema_name = 'streams'").fetchall())


def _create_view(con: duckdb.DuckDBPyConnection, stream: Stream, sql: str) -> None:
    con.execute(f"create or replace view streams.{stream.name} as {sql}")
    con.execute(f"comment on view streams.{stream.name} is {literal(sql)}")


def _fitting_sql(con: duckdb.DuckDBPyConnection, lake: Lake, stream: Stream) -> str:
    """The view that parts need: one that unites their columns if an update has added some since they were written."""
    found = con.execute(
        "select count(distinct columns) from (select list((name, duckdb_type) order by name) as columns "
        f"from parquet_schema({literal(lake.events(stream.name))}) group by file_name)"
    ).fetchone()
    return _view_sql(lake, stream, united=found != (1,))


def _view_sql(lake: Lake, stream: Stream, united: bool = False) -> str:
    return _from(stream, literal(lake.events(stream.name)), united)


def _select_sql(lake: Lake, stream: Stream, names: Iterable[str]) -> str:
    return _from(stream, f"[{', '.join(literal(lake.files.url(name)) for name in names)}]", united=True)


def _from(stream: Stream, files: str, united: bool) -> str:
    # a plain view takes the columns of the first file for those of all; united, the head of every file is read first
    more = ", union_by_name = true" if united else ""
    # the hour of the path: DuckDB then opens the files of the hours that are asked for, and no others
    spelled = {"_hour": "strptime(hour, '%Y-%m-%dT%H') as _hour", "data_type": "data_type"}
    columns = ", ".join(
        spelled.get(name, f"{name}::JSON as {name}" if kind == "JSON" else name)
        for name, kind in event_columns(stream).items()
    )
    return (
        f"select {columns} from read_parquet({files}, hive_partitioning = true, "
        f"hive_types = {{'hour': varchar, 'data_type': varchar}}{more})"
    )


def _in_file(stream: Stream) -> dict[str, str]:
    """The columns of a part's file: JSON is text there, and the data type stands in the path alone."""
    columns = {name: "VARCHAR" if kind == "JSON" else kind for name, kind in event_columns(stream).items()}
    return {name: kind for name, kind in columns.items() if name != "data_type"}
