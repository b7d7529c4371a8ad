"""PostgreSQL, for whoever writes to it: connect by URL, the types of a DuckDB query, and COPY of it from a file.

No row becomes a Python object: DuckDB writes the rows as CSV to disk, and the file goes to PostgreSQL in blocks.

    copied = write_copy_file(con, "from profiles.user_profiles", folder / "profiles.csv")
    with connect(url_of("REPORTING_URL", settings.project_root), "REPORTING_URL") as postgres:
        postgres.execute(f"create table {identifier('profiles')} ({column_list(copied.columns)})")
        copy_file(postgres, identifier("profiles"), copied)
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.quoting import literal, quoted
from iterable_pipelines.settings import SettingsError
from iterable_pipelines.settings_sources import DOTENV
from iterable_pipelines.variables import variable as value_of

# importing it costs every command a tenth of its start, so those import it who talk to PostgreSQL
if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]
else:
    Connection = Any

_BLOCK_BYTES = 1024 * 1024
_LONGEST_NAME = 63
_WRITTEN_AS = (
    "write postgresql://user:password@host:5432/database, and in the password %40 for @, %2F for /, %3A for :, "
    "%3F for ?, %23 for #, %25 for %"
)
# a table that somebody keeps locked, or a network that swallows packets, must not hold a run for ever
_DEFAULTS = {
    "application_name": "iterable-pipelines",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "tcp_user_timeout": "60000",
}
TRANSACTION = (
    "select set_config('timezone', 'UTC', true), set_config('lock_timeout', '60s', true), "
    "set_config('datestyle', 'ISO, YMD', true), set_config('idle_in_transaction_session_timeout', '0', true)"
)
# the server is there, and will take the same login later
_PASSING = (
    "starting up",
    "not yet accepting",
    "shutting down",
    "too many",
    "remaining connection slots",
    "in recovery",
    "admin shutdown",
)
# what DuckDB's types are called there, as PostgreSQL itself spells them; those that are not listed are text
_TYPES = {
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "SMALLINT": "smallint",
    "UTINYINT": "smallint",
    "INTEGER": "integer",
    "USMALLINT": "integer",
    "BIGINT": "bigint",
    "UINTEGER": "bigint",
    "UBIGINT": "numeric",
    "HUGEINT": "numeric",
    "UHUGEINT": "numeric",
    "BIGNUM": "numeric",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "UUID": "uuid",
    "BLOB": "bytea",
    "DATE": "date",
    "TIME": "time without time zone",
    "TIME WITH TIME ZONE": "time with time zone",
    "INTERVAL": "interval",
    "JSON": "jsonb",
}
_NESTED = ("STRUCT", "MAP", "UNION", "VARIANT")


class PostgresFailed(Exception):
    """PostgreSQL could not do what was asked, and nothing of the transaction is stored, unless the text says that this
    is not known. Worth trying again.
    """


class PostgresRefused(PostgresFailed):
    """PostgreSQL, or a rule of ours, says no: the same again gives the same answer."""


@dataclass(frozen=True)
class Column:
    """A column of a query: its name and type in PostgreSQL, and the SQL that gives its text in DuckDB (or NULL).

    `raw` is that text before what PostgreSQL cannot hold is replaced.
    """

    name: str
    type: str
    text: str
    raw: str


@dataclass(frozen=True)
class CopyFile:
    """Rows on disk as COPY reads them. `replaced` counts the values that PostgreSQL cannot hold as they are: U+FFFD
    stands for a NUL character, and null for NaN and Infinity inside JSON.
    """

    path: Path
    columns: tuple[Column, ...]
    rows: int
    bytes: int
    replaced: int


def url_of(variable: str, root: Path) -> str:
    """The URL that the environment, or else `.env` in `root`, holds. Raises SettingsError if neither does."""
    url = value_of(variable, root)
    if url is None:
        raise SettingsError(
            f"{variable} is not set, so nothing was sent or changed.\nNext: write {variable}=postgresql://user:"
            f"password@host:5432/database into {root / DOTENV}, and run this again"
        )
    return url


def database_of(url: str) -> tuple[str, str, str] | None:
    """Host, port and name of the database that a URL names; None for what is no URL."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        return None
    return str(parts.get("host", "")), str(parts.get("port", "5432")), str(parts.get("dbname", ""))


@contextmanager
def connect(url: str, variable: str) -> Iterator[Connection]:
    """One transaction, its time zone UTC: committed at the end, rolled back on any error, closed either way.

    Parameters of the URL (`?sslmode=verify-full&sslrootcert=…`) reach libpq. Raises PostgresRefused for a URL, login or
    right that is wrong, else PostgresFailed; neither text holds the password, a value of a row, or more of the URL
    than host and database. `variable` is how they call the URL.
    """
    import psycopg

    where, committing = url_parts(url, variable), False
    try:
        with new_connection(url, where) as con:
            con.execute(TRANSACTION)
            yield con
            committing = True
    except psycopg.Error as error:
        raise explained(error, where, variable, committing) from None


def new_connection(url: str, where: dict[str, str]) -> Connection:
    """A connection of its own, `where` being the `url_parts` of its URL. Raises psycopg.Error."""
    import psycopg
    from psycopg.conninfo import make_conninfo

    return psycopg.connect(make_conninfo(url, **{**_DEFAULTS, **where}))


def identifier(name: str) -> str:
    """`name` quoted for SQL. Longer than 63 bytes, it is cut and gets a hash: PostgreSQL would cut it and say nothing.

    Raises PostgresRefused for a name that nothing can have.
    """
    return quoted(fitting(name))


def fitting(name: str) -> str:
    """`name` as PostgreSQL can hold it: itself up to 63 bytes, else its beginning and a hash of the whole."""
    encoded = name.encode("utf-8", "replace")
    if not name or "\0" in name:
        raise PostgresRefused(f"{name!r} cannot be a name in PostgreSQL: give it another one with `as`")
    if len(encoded) <= _LONGEST_NAME:
        return name
    digest = sha256(encoded).hexdigest()[:8]
    return encoded[: _LONGEST_NAME - 9].decode("utf-8", "ignore") + "_" + digest


def columns_of(con: duckdb.DuckDBPyConnection, query: str) -> tuple[Column, ...]:
    """The columns of a DuckDB query (`from t` is one), which is not run. Raises PostgresRefused for equal names."""
    described = con.execute(f"describe from (\n{query}\n)").fetchall()
    columns = tuple(_column(name, kind) for name, kind, *_ in described)
    twice = {each.name for each in columns if [other.name for other in columns].count(each.name) > 1}
    if twice:
        raise PostgresRefused(f"two columns are called {min(twice)!r}: give one of them another name with `as`")
    return columns


def column_list(columns: Sequence[Column]) -> str:
    """Names and types, as CREATE TABLE takes them."""
    return ", ".join(f"{identifier(each.name)} {each.type}" for each in columns)


def write_copy_file(con: duckdb.DuckDBPyConnection, query: str, to: Path) -> CopyFile:
    """Write the rows of a DuckDB query to `to`, in COPY's CSV; memory does not grow with them.

    An open transaction, or a file that is not written to, sees to it that the query is the same when it is run twice.
    """
    columns = columns_of(con, query)
    texts = ", ".join(f"{each.text} as {identifier(each.name)}" for each in columns)
    # quotes around everything but NULL: an empty text stays one, and \N and \. are texts like others
    options = "format csv, header false, force_quote *, nullstr ''"
    copied = con.execute(f"copy (select {texts} from (\n{query}\n)) to {literal(str(to))} ({options})").fetchone()
    mendable = [
        f"count(*) filter ({each.text} is distinct from {each.raw})" for each in columns if each.text != each.raw
    ]
    found = con.execute(f"select {' + '.join(mendable)} from (\n{query}\n)").fetchone() if mendable else None
    return CopyFile(to, columns, copied[0] if copied else 0, to.stat().st_size, found[0] if found else 0)


def copy_file(postgres: Connection, table: str, copied: CopyFile) -> int:
    """COPY the file into `table`, a quoted name. Returns how many rows PostgreSQL took."""
    names = ", ".join(identifier(each.name) for each in copied.columns)
    return copy_bytes(postgres, f"copy {table} ({names}) from stdin (format csv, null '')", copied.path)


def copy_bytes(postgres: Connection, command: str, path: Path) -> int:
    """Hand a file to a COPY … FROM STDIN, in blocks of 1 MiB. Returns how many rows PostgreSQL took."""
    with postgres.cursor() as cursor, path.open("rb") as rows:
        with cursor.copy(command) as copy:
            while block := rows.read(_BLOCK_BYTES):
                copy.write(block)
                crashpoint("postgres_copying")
        return cursor.rowcount


def _column(name: str, kind: str) -> Column:
    value = quoted(name)
    plain = f"{value}::varchar"
    kind = kind.upper()
    if kind.endswith("]") or kind.startswith(_NESTED) or kind == "JSON":
        text = plain if kind == "JSON" else f"to_json({value})::varchar"
        return Column(fitting(name), "jsonb", _json_for_postgres(text), text)
    if kind.startswith("TIMESTAMP"):
        # every TIMESTAMP of the warehouse is UTC, and the session's zone there is UTC too
        cast = plain if "ZONE" in kind else f"{value}::timestamp::varchar"
        return _exactly(name, "timestamp with time zone", f"replace({cast}, ' (BC)', ' BC')")
    if kind == "DATE":
        return _exactly(name, "date", f"replace({plain}, ' (BC)', ' BC')")
    if kind == "BLOB":
        return _exactly(name, "bytea", f"'\\x' || hex({value})")
    if kind.startswith("DECIMAL"):
        return _exactly(name, "numeric", plain)
    if kind in _TYPES:
        return _exactly(name, _TYPES[kind], plain)
    return Column(fitting(name), "text", f"replace({plain}, chr(0), chr(65533))", plain)


def _exactly(name: str, kind: str, text: str) -> Column:
    return Column(fitting(name), kind, text, text)


def _json_for_postgres(text: str) -> str:
    r"""JSON text without what DuckDB takes and jsonb refuses: the escape \u0000, and NaN and Infinity as numbers."""
    # escaped backslashes are set aside as a control character, which cannot stand in JSON itself
    escapes = f"replace(replace(replace({text}, '\\\\', chr(1)), '\\u0000', '\\ufffd'), chr(1), '\\\\')"
    strings = """'"(?:[^"\\\\]|\\\\.)*"|[^"]+', 0, 's'"""
    parts = f"regexp_extract_all({text}, {strings})"
    numbers = "case when x[1] = '\"' then x else regexp_replace(x, '-?\\b(NaN|Inf(inity)?)\\b', 'null', 'gi') end"
    # few values have any of it, and a search is quicker than taking them apart
    return (
        f"case when contains({text}, '\\u0000') then {escapes} "
        f"when regexp_matches({text}, '(?i)(^|[:,[])\\s*-?(nan|inf)') "
        f"then array_to_string(list_transform({parts}, lambda x: {numbers}), '') else {text} end"
    )


def url_parts(url: str, variable: str) -> dict[str, str]:
    """The parts of the URL. Raises PostgresRefused, with nothing of it, for one that libpq would take apart wrongly."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    wrong = f"{variable} is no URL that PostgreSQL takes. Nothing was sent or changed.\nNext: {_WRITTEN_AS}"
    if not url.startswith(("postgresql://", "postgres://")):
        raise PostgresRefused(wrong)
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except psycopg.Error:
        raise PostgresRefused(wrong) from None
    ports = parts.get("port", "").split(",")
    beyond = url.partition("?")[0].count("@") > 1 or "@" in parts.get("host", "") + parts.get("dbname", "")
    if beyond or not all(port.isdigit() or not port for port in ports):
        # a sign in the password that was not encoded: libpq takes the rest of the password for the host
        raise PostgresRefused(wrong)
    return parts


def explained(error: "psycopg.Error", where: dict[str, str], variable: str, committing: bool) -> PostgresFailed:
    """What `connect` raises for an error; `committing` if it came while the server was told to store."""
    import psycopg

    place = f"PostgreSQL at {where.get('host', 'the local socket')}, database {where.get('dbname', 'of the user')}"
    said = (error.diag.message_primary or str(error)).strip().splitlines()
    text = said[0] if said else type(error).__name__
    if len(where.get("password", "")) > 3:
        text = text.replace(where["password"], "(hidden)")
    if committing and (error.sqlstate or "08")[:2] in ("08", "57"):
        return PostgresFailed(
            f"{place} went away while it was told to store: {text}. Either all of this step is stored there, or "
            "nothing.\nNext: look there, and run it again if nothing is"
        )
    if error.sqlstate is None and not isinstance(error, psycopg.OperationalError):
        return PostgresFailed(f"{place}: {text}. Nothing of this step is stored there. Next: run it again")
    if error.sqlstate is None:
        if "FATAL" not in text or any(each in text for each in _PASSING):
            return PostgresFailed(
                f"{place} cannot be reached: {text}. What is stored there is as it was.\n"
                f"Next: run it again; if it stays, look at the host and port in {variable}"
            )
        return PostgresRefused(
            f"{place} refuses the login: {text}. Nothing was sent or changed.\n"
            f"Next: correct user, password or database in {variable}, and run this again"
        )
    if error.sqlstate.startswith("22"):
        # the value that does not fit may be somebody's
        text = re.sub(r'"[^"]*"', '"…"', text)
        column = re.search(r"column ([^:,]+)(?::|$)", error.diag.context or "")
        text += f" (column {column[1]})" if column else ""
    safe = "Nothing of this step is stored there; what was there before is as it was"
    if error.sqlstate == "55P03":
        return PostgresFailed(f"{place}: another session keeps the table locked ({text}). {safe}. Next: run it again")
    if error.sqlstate[:2] in ("08", "40", "53", "57", "58"):
        return PostgresFailed(f"{place}: {text}. {safe}. Next: run it again")
    return PostgresRefused(f"{place}: {text} ({error.sqlstate}). {safe}.\nNext: correct that, and run this again")
