"""A landed Parquet file without somebody: found by the columns that say who, and by a look into every text."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from iterable_pipelines.erasure.errors import engine_failed
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.file_store import sync
from iterable_pipelines.quoting import literal

_FILES_AT_ONCE = 500


@dataclass(frozen=True)
class Shape:
    """How a kind of file says whom a row is about: SQL of its identifiers by their kind, an SQL condition of macros,
    and the column with everything in it."""

    identifiers: Mapping[str, str]
    own: str
    text: str


@dataclass(frozen=True)
class Hit:
    """A file with rows of a person's own, and rows of others that may name one."""

    path: Path
    own: int
    mentions: int


@contextmanager
def scratch_duckdb(scratch: Path, memory_limit: str, place: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own that spills into `scratch`. Raises ErasureFailed for whatever the engine raises."""
    try:
        with duckdb.connect() as con:
            con.execute(f"set memory_limit = {literal(memory_limit)}")
            con.execute(f"set temp_directory = {literal(str(scratch))}")
            con.execute("set timezone = 'UTC'")
            yield con
    except duckdb.Error as error:
        raise engine_failed(place, error) from None


def hits(con: duckdb.DuckDBPyConnection, files: Sequence[Path], shape: Shape, persons: Persons) -> Iterator[Hit]:
    """Which of `files` hold anybody of `persons`."""
    persons.into(con)
    for at in range(0, len(files), _FILES_AT_ONCE):
        some = [str(each) for each in files[at : at + _FILES_AT_ONCE]]
        found = con.execute(
            "select filename, count(*) filter (own), count(*) filter (not own and named) from (select filename, "
            f"{shape.own} as own, names_person({shape.text}) as named from read_parquet({some}, filename = true, "
            "union_by_name = true)) group by filename having bool_or(own or named) order by filename"
        ).fetchall()
        yield from (Hit(Path(name), own, mentions) for name, own, mentions in found)


def write_without(con: duckdb.DuckDBPyConnection, hit: Hit, shape: Shape, to: Path) -> None:
    """Write `hit` anew without the rows of the persons, and with `erased` where others' rows name them; durable."""
    told = (
        f"* replace (case when names_person({shape.text}) then without_persons({shape.text}) "
        f"else {shape.text} end as {shape.text})"
        if hit.mentions
        else "*"
    )
    con.execute(
        f"copy (select {told} from read_parquet({literal(str(hit.path))}, hive_partitioning = false) "
        f"where not ({shape.own})) "
        f"to {literal(str(to))} (format parquet, compression zstd, compression_level 1, row_group_size 20480)"
    )
    sync(to)


def sha256_of(file: Path) -> str:
    """The digest that a landed file is named after."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


# how an address is told from the text around it, for those of which nothing but their hash is known
ADDRESS = r"[^\s\"'',;:<>()\[\]{}@\\/=&?]+@[^\s\"'',;:<>()\[\]{}@\\/=&?]+"


def addresses_sql(text: str, source: str, known: str) -> str:
    """A select of the addresses that a text names besides the one in `known`, as stores offer them."""
    plain = f"replace({text}::varchar, '%40', '@')"
    return (
        f"select distinct unnest(regexp_extract_all({plain}, '{ADDRESS}')) as email, null::varchar as user_id, "
        f"null::varchar as itbl_user_id from {source} "
        # counted, not taken out: ada@x.co ends like da@x.co, whose row may name her
        f"where {_signs_sql(text)} <> {_signs_sql(known)} or contains({text}::varchar, '%40')"
    )


def _signs_sql(text: str) -> str:
    return f"coalesce(strlen({text}::varchar) - strlen(replace({text}::varchar, '@', '')), 0)"
