"""The lake of engine spark, or what is left of it after moving back.

Events, snapshots and what is published are written anew, Spark's own tables are dropped. Spark knows its files by more
than their names, and others' rows count what the person did: a full build makes these tables anew at once. What readers
see meanwhile is what was published, without the person.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import duckdb

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.erasure.errors import ErasureFailed
from iterable_pipelines.erasure.held import PATIENCE, held
from iterable_pipelines.erasure.parquet import scratch_duckdb
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.store import Erased, Log
from iterable_pipelines.erasure.tables import Table, identifiers_sql
from iterable_pipelines.lake.layout import OF_SPARK, PUBLISHED, Lake
from iterable_pipelines.quoting import literal, quoted
from iterable_pipelines.settings import Settings

_FILES_AT_ONCE = 500
# of an object store, copied to this machine; a file that is larger is copied alone
_BYTES_AT_ONCE = 1_000_000_000


@dataclass(frozen=True)
class _Folder:
    """The files of one table, and their bytes. `under` is where they lie; the table is named after that."""

    under: str
    table: Table
    sizes: Mapping[str, int]

    @property
    def is_sparks(self) -> bool:
        return self.under.partition("/")[0] in OF_SPARK


@dataclass(frozen=True)
class _Hit:
    """A file with rows of a person's own, or rows of others that name one."""

    folder: _Folder
    name: str
    rows: int
    own: int
    mentions: int


class LakeFiles:
    """Every Parquet file of the lake."""

    name = "lake"

    def __init__(self, wait_seconds: float = PATIENCE) -> None:
        """`wait_seconds` is how long the warehouse, and the lake with it, may be held by somebody else."""
        self.wait_seconds = wait_seconds

    def identifiers(self, settings: Settings, scratch: Path) -> list[Path]:
        """Who stands in a column of any table, and the addresses in records besides. Raises StoreBusy."""
        lake = Lake.with_persons(settings)
        if lake is None:
            return []
        offered = list[Path]()
        with (
            held(settings, print, self.wait_seconds),
            lake.scratch() as here,
            scratch_duckdb(scratch, settings.memory_limit, "the lake") as con,
        ):
            for each in _folders(con, lake, here):
                con.execute(f"create schema if not exists {quoted(each.table.schema)}")
                for names in _portions(lake, each, len(each.sizes)):
                    to = scratch / f"lake-{len(offered)}.parquet"
                    with _near(lake, names, here) as files:
                        con.execute(f"create or replace view {each.table.sql} as from {_source(files)}")
                        select = identifiers_sql([each.table], "memory")
                        con.execute(f"copy ({select}) to {literal(str(to))} (format parquet)")
                    offered.append(to)
        return offered

    def erase(self, settings: Settings, persons: Persons, log: Log) -> list[Erased]:
        """Drop Spark's tables if anybody is found anywhere, then write each file with a hit anew. Raises StoreBusy if
        somebody holds the warehouse: a load or a build beside this would write back what it has read before."""
        lake = Lake.with_persons(settings)
        if lake is None:
            return []
        with (
            held(settings, log, self.wait_seconds),
            lake.scratch() as here,
            scratch_duckdb(here, settings.memory_limit, "the lake") as con,
        ):
            persons.into(con)
            found = [hit for each in _folders(con, lake, here) for hit in _hits(con, lake, here, each)]
            if not found:
                return []
            erased = []
            for schema in OF_SPARK:
                files, size = lake.files.remove_folder(schema)
                if files:
                    own = sum(hit.own for hit in found if hit.folder.under.startswith(f"{schema}/"))
                    erased.append(Erased(f"lake/{schema}", own, size))
            crashpoint("erasure_lake_dropped")
            for hit in found:
                if not hit.folder.is_sparks:
                    erased.append(_rewrite(con, lake, here, hit))
                    crashpoint("erasure_lake_written")
        log(f"lake: {len(erased):,} files and folders are written anew or dropped; the next build is a full one")
        return erased


def _folders(con: duckdb.DuckDBPyConnection, lake: Lake, here: Path) -> Iterator[_Folder]:
    sizes = lake.files.sizes()
    names = sorted(name for name in sizes if name.endswith(".parquet") and not _is_unfinished(name))
    for under, some in groupby(names, _table_of):
        if under is None:
            continue
        listed = {name: sizes[name] for name in some}
        with _near(lake, list(listed)[:1], here) as first:
            columns = _columns(con, first)
        # made by models: what these say of others is made anew
        schema = under.split("/")[-2] if under.startswith((PUBLISHED, *OF_SPARK)) else "lake"
        yield _Folder(under, Table(schema, under, columns), listed)


def _portions(lake: Lake, folder: _Folder, most: int) -> Iterator[list[str]]:
    """The files in portions: of an object store no more than there is room for on this machine."""
    names, size = list[str](), 0
    for name, its_own in folder.sizes.items():
        too_large = lake.files.folder is None and size + its_own > _BYTES_AT_ONCE
        if names and (too_large or len(names) == most):
            yield names
            names, size = [], 0
        names.append(name)
        size += its_own
    yield names


@contextmanager
def _near(lake: Lake, names: Sequence[str], here: Path) -> Iterator[list[str]]:
    """The files where DuckDB reads them at once; those of an object store as copies, which are gone at the end."""
    copies = here / "copies"
    try:
        yield [str(file) for file in lake.files.here(names, copies)]
    finally:
        shutil.rmtree(copies, ignore_errors=True)


def _table_of(name: str) -> str | None:
    # streams/loads/part.parquet, profiles/user_profiles/…, published/7/profiles/user_profiles/…
    parts = name.split("/")
    deep = 4 if parts[0] == PUBLISHED else 2
    return "/".join(parts[:deep]) if len(parts) > deep else None


def _is_unfinished(name: str) -> bool:
    return any(part.startswith(("_", ".")) for part in name.split("/"))


def _hits(con: duckdb.DuckDBPyConnection, lake: Lake, here: Path, folder: _Folder) -> Iterator[_Hit]:
    own, named = folder.table.own_sql, folder.table.names_sql
    for names in _portions(lake, folder, _FILES_AT_ONCE):
        with _near(lake, names, here) as files:
            rows = con.execute(
                "select filename, count(*), count(*) filter (own), count(*) filter (not own and named) from "
                f"(select filename, {own} as own, {named} as named from {_source(files, 'filename = true')}) "
                "group by filename having bool_or(own or named) order by filename"
            ).fetchall()
        name_of = dict(zip(files, names, strict=True))
        yield from (_Hit(folder, name_of[file], *counts) for file, *counts in rows)


def _rewrite(con: duckdb.DuckDBPyConnection, lake: Lake, here: Path, hit: _Hit) -> Erased:
    fresh = here / "fresh"
    with _near(lake, [hit.name], here) as file:
        # it may have fewer columns than those that were written since
        table = replace(hit.folder.table, columns=_columns(con, file))
        stays = f"from {_source(file)} where not ({table.own_sql})"
        select = f"select {table.copied_sql} from (select *, {table.names_sql} as _named {stays})"
        con.execute(f"copy ({select}) to {literal(str(fresh))} (format parquet, compression zstd)")
    (rows,) = con.execute(f"select count(*) from {_source([str(fresh)])}").fetchone() or (0,)
    if rows != hit.rows - hit.own:
        raise ErasureFailed(
            f"{lake.files.url(hit.name)}: {hit.rows:,} rows, {hit.own:,} to erase, but {rows:,} copied. The file is as "
            "it was. Next: iterable-pipelines erase run"
        )
    before, after = hit.folder.sizes[hit.name], fresh.stat().st_size
    lake.files.put(fresh, hit.name)
    return Erased(f"lake/{hit.name}", hit.own, before, after, hit.mentions)


def _columns(con: duckdb.DuckDBPyConnection, files: list[str]) -> tuple[tuple[str, str], ...]:
    described = con.execute(f"describe from {_source(files)}").fetchall()
    return tuple((name, kind) for name, kind, *_ in described)


def _source(files: list[str], more: str = "filename = false") -> str:
    return f"read_parquet([{', '.join(map(literal, files))}], hive_partitioning = false, union_by_name = true, {more})"
