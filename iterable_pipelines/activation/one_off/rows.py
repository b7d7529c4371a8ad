"""The rows of a one-off write: a file's, a query's, or the one that is spelled out, as one Parquet file."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from iterable_pipelines.activation.declaration import Sql
from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.published import check_query, only_query, reading, without_values
from iterable_pipelines.quoting import literal, quoted
from iterable_pipelines.record_files import pointer
from iterable_pipelines.settings import Settings
from iterable_pipelines.table_files import as_parquet, unguarded

# the number of a row, as a spreadsheet counts them: it is the primary key
LINE = "_line"
ENDINGS = (".csv", ".json", ".ndjson", ".parquet")
# nothing that a file holds
_NO_NULL = "\x01no text is this\x02"
_LARGEST_RECORD = 64 * 1024 * 1024


class RowsFile(Sql):
    """The source of a one-off write: a Parquet file of its own."""

    file: Path

    @classmethod
    def at(cls, file: Path) -> "RowsFile":
        """The rows of that file."""
        return cls(sql=f"from read_parquet({literal(str(file))})", file=file)


@dataclass(frozen=True)
class Given:
    """Where the rows come from: exactly one of file and sql, or neither, for the one row that `values` spell out.

    `values` are in every row. keep_empty: an empty cell of a CSV file is an empty text, and not NULL.
    """

    file: Path | None = None
    sql: str | None = None
    values: Mapping[str, str] | None = None
    delimiter: str = ","
    keep_empty: bool = False


def gather(settings: Settings, given: Given, to: Path) -> dict[str, str]:
    """Write the rows to the Parquet file `to`; returns the columns that were given, by name and type.

    Raises ActivationRefused for rows that cannot be read, with the line, and what `reading` does.
    """
    values = {name: literal(value) for name, value in (given.values or {}).items()}
    try:
        if given.sql is not None:
            with reading(settings, to.parent) as con:
                query = only_query(given.sql)
                check_query(con, query)
                return _write(con, f"from (\n{query}\n)", values, to)
        with duckdb.connect(config={"memory_limit": settings.memory_limit, "temp_directory": str(to.parent)}) as con:
            con.execute("set timezone = 'UTC'")
            return _write(con, "from (select 1) t(_one)" if given.file is None else _file(con, given), values, to)
    except (duckdb.Error, ValueError) as error:
        said = without_values(error) if isinstance(error, duckdb.Error) else str(error)
        what = given.file.name if given.file else "--sql"
        # a query reads the copy for readers, which may not have yet what the warehouse has
        then = "iterable-pipelines query 'show all tables'" if given.sql else "correct it"
        raise ActivationRefused(
            f"{what} cannot be read: {said.removesuffix('.')}. Nothing was sent.\nNext: {then}"
        ) from None


def expand(rows: Path, column: str, to: Path) -> list[str]:
    """Give each member of the JSON objects in a column a column of its own, `column.member`; returns the members."""
    with duckdb.connect() as con:
        source, value = f"read_parquet({literal(str(rows))})", f"try_cast({quoted(column)}::varchar as json)"
        keys = con.execute(
            f"select distinct unnest(json_keys({value})) as key from {source} where json_type({value}) = 'OBJECT' "
            "order by key"
        ).fetchall()
        more = "".join(
            f", json_extract({value}, {literal(pointer(key))}) as {quoted(f'{column}.{key}')}" for (key,) in keys
        )
        con.execute(f"copy (select *{more} from {source}) to {literal(str(to))} (format parquet)")
    return [key for (key,) in keys]


def fingerprint(rows: Path) -> str:
    """The same for the same rows, in the same places."""
    with duckdb.connect() as con:
        source = f"read_parquet({literal(str(rows))}) t"
        found = con.execute(
            f"select bit_xor(md5_number(to_json(t)::varchar))::varchar, count(*) from {source}"
        ).fetchone()
    return json.dumps(found)


def _file(con: duckdb.DuckDBPyConnection, given: Given) -> str:
    file, ending = str(given.file), (given.file or Path()).suffix.lower()
    if not Path(file).is_file():
        raise ValueError("there is no such file")
    if ending == ".parquet":
        return f"from read_parquet({literal(file)})"
    if ending in (".json", ".ndjson"):
        return _json(con, file)
    if ending != ".csv":
        raise ValueError(f"its name must end with {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    null = _NO_NULL if given.keep_empty else ""
    read = (
        f"read_csv({literal(file)}, header = true, all_varchar = true, delim = {literal(given.delimiter)}, "
        f"quote = '\"', escape = '\"', nullstr = {literal(null)}, strict_mode = true, parallel = false, "
        "store_rejects = true)"
    )
    con.execute(f"create temp table lines as from {read}")
    wrong = con.execute("select distinct line, error_type from reject_errors order by all limit 3").fetchall()
    if wrong:
        # what stands there is not repeated: it may be of a person
        told = "; ".join(f"line {line}: {str(kind).lower()}" for line, kind in wrong)
        raise ValueError(told)
    columns = [name for (name, *_) in con.execute("describe lines").fetchall()]
    return f"from (select {', '.join(f'{unguarded(quoted(each))} as {quoted(each)}' for each in columns)} from lines)"


def _json(con: duckdb.DuckDBPyConnection, file: str) -> str:
    read = f"read_json_objects({literal(file)}, format = 'auto', maximum_object_size = {_LARGEST_RECORD})"
    con.execute(f"create temp table records as select json from {read}")
    others = con.execute("select count(*) from records where json_type(json) is distinct from 'OBJECT'").fetchone()
    if others and others[0]:
        raise ValueError(f"{others[0]:,} of its values are no JSON objects")
    keys = con.execute(
        "select key from (select unnest(json_keys(json)) as key, row_number() over () as place from records) "
        "group by key order by min(place), key"
    ).fetchall()
    if not keys:
        raise ValueError("it has no rows")
    members = ", ".join(f"json_extract(json, {literal(pointer(key))}) as {quoted(key)}" for (key,) in keys)
    return f"from (select {members} from records)"


def _write(con: duckdb.DuckDBPyConnection, source: str, values: Mapping[str, str], to: Path) -> dict[str, str]:
    described = {name: kind for name, kind, *_ in con.execute(f"describe {source}").fetchall() if name != "_one"}
    _refuse_doubles([*described, *values])
    columns = [f"{as_parquet(quoted(name), kind)} as {quoted(name)}" for name, kind in described.items()]
    columns += [f"{value} as {quoted(name)}" for name, value in values.items()]
    if not columns:
        raise ValueError("there is no column")
    con.execute(
        f"copy (select row_number() over () as {LINE}, {', '.join(columns)} {source}) to {literal(str(to))} "
        "(format parquet)"
    )
    return described | dict.fromkeys(values, "VARCHAR")


def _refuse_doubles(names: Collection[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen or name == LINE:
            raise ValueError(f"the column {name} is there twice" if name != LINE else f"a column is called {LINE}")
        seen.add(name.lower())
