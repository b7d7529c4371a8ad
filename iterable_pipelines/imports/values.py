"""What the values of an import's file may be: each function takes one, and says in a sentence what is wrong with it."""

import re
from typing import Any

import duckdb

from iterable_pipelines.data_types import DATA_TYPE
from iterable_pipelines.moments import parse_moment, zone_named
from iterable_pipelines.published import only_query, without_values
from iterable_pipelines.settings_values import did_you_mean, names

# as the console writes them, and as the files do (checklist T20, T60)
_DATE_RANGES = {"today": "today", "yesterday": "yesterday", "beforetoday": "before-today", "all": "all"}
_MODES = {"alwaysreplace": "replace"}
# the longest name that PostgreSQL keeps whole is 63 bytes long
_TABLE = re.compile(r"([A-Za-z_]\w{0,62}\.)?[A-Za-z_]\w{0,62}", re.ASCII)
_DATABASE = re.compile(r"[A-Za-z_]\w{0,62}", re.ASCII)
CRON_NAMES = ("@hourly", "@daily", "@weekly", "@monthly", "@yearly")
# the name of a variable, of the environment or .env, in place of what it holds
REFERENCE = re.compile(r"\$\{([A-Za-z_]\w*)\}", re.ASCII)
# the letters of a format, longest first, and what DuckDB calls them
_FORMAT = {
    "yyyy": "%Y",
    "MM": "%m",
    "dd": "%d",
    "HH": "%H",
    "mm": "%M",
    "ss": "%S",
    "SSSSSS": "%f",
    "SSS": "%g",
    "xxx": "%z",
    "xx": "%z",
    "XXX": "%z",
    "XX": "%z",
    "ZZ": "%z",
    "Z": "%z",
}
_LETTERS = re.compile("|".join([*sorted(_FORMAT, key=len, reverse=True), "'[^']*'", r"[^A-Za-z'%]"]))
_DIRECTIVES = re.compile(r"(?:%[YmdHMSfgzLyjbB]|[^%A-Za-z]|T|Z)+")


def blank(given: Any) -> Any:
    """Nothing for a text that is empty: files that a console wrote hold such lines."""
    return None if isinstance(given, str) and not given.strip() else given


def lower(given: Any) -> Any:
    """The text in lower case, blanks as underscores."""
    return re.sub(r"[\s-]+", "_", given.strip().lower()) if isinstance(given, str) else given


def mode(given: Any) -> Any:
    """A mode in the spelling of files: `Replace on New Data` is replace_on_new_data."""
    plain = lower(given)
    return _MODES.get(str(plain).replace("_", ""), plain)


def date_range(given: Any) -> Any:
    """A named span in any case and spelling: BeforeToday, before_today."""
    found = _DATE_RANGES.get(re.sub(r"[\s_-]", "", str(given)).lower())
    if not found:
        raise ValueError("write today, yesterday, before_today or all")
    return found


def data_type(given: Any) -> Any:
    """One of Iterable's data types, in any case."""
    by_lower = {name.lower(): name for name in DATA_TYPE}
    found = by_lower.get(str(given).strip().lower())
    if not found:
        near = did_you_mean(given, DATA_TYPE) or f"; there are {', '.join(DATA_TYPE)}"
        raise ValueError(f"it is no data type of Iterable{near}")
    return found


def numbers(given: Any) -> tuple[int, ...]:
    """Ids as a list, as one number, or as text with commas between them."""
    texts = names([given] if isinstance(given, int) and not isinstance(given, bool) else given)
    if not all(text.isascii() and text.isdigit() and int(text) > 0 for text in texts):
        raise ValueError("write ids as numbers, with commas between them")
    return tuple(int(text) for text in texts)


def field_names(given: Any) -> tuple[str, ...]:
    """Names of fields as a list, or as text with commas between them."""
    return () if given is None else names(given)


def addresses(given: Any) -> tuple[str, ...]:
    """Email addresses as a list, or as text with commas between them."""
    found = field_names(given)
    if not all("@" in each for each in found):
        raise ValueError("write email addresses, with commas between them; ids of users stand in user_ids")
    return found


def query(given: Any) -> str:
    """One query, without the semicolon at its end."""
    try:
        return only_query(str(given))
    except duckdb.Error as error:
        raise ValueError(f"it is no SQL: {without_values(error)}") from None


def moment(given: Any) -> Any:
    """A time, in UTC where it says no zone: 2020-10-25T00:00, or RFC 3339 with up to nine digits of a second."""
    return parse_moment(str(given)) if isinstance(given, str | int) else given


def zone(given: Any) -> str:
    """The IANA name of a time zone."""
    return zone_named(str(given)).key


def cron(given: Any) -> str:
    """A cron expression of five fields, or @hourly, @daily, @weekly, @monthly, @yearly."""
    text = " ".join(str(given).split())
    if text in CRON_NAMES:
        return text
    # loaded late: it takes a second, and few files need it
    from dagster._utils.schedules import is_valid_cron_string

    if len(text.split()) != 5 or not is_valid_cron_string(text):
        raise ValueError("write @hourly, @daily, @monthly, or five fields such as '10 0 * * *'")
    return text


def table(given: Any) -> str:
    """The name of a table, alone or behind that of its schema."""
    if not _TABLE.fullmatch(str(given)):
        raise ValueError("write a table's name, such as users or crm.users: letters, digits and _, at most 63")
    return str(given)


def database(given: Any) -> str:
    """A name (a file in the data folder), the path of a .duckdb file, or the URL of a PostgreSQL database, which may be
    named: ${REPORTING_URL}.
    """
    text = str(given).strip()
    if not (is_postgres(text) or _DATABASE.fullmatch(text) or text.endswith(".duckdb")):
        raise ValueError("write a name such as imports, a path that ends with .duckdb, or ${MY_URL} for PostgreSQL")
    return text


def is_postgres(database: str) -> bool:
    """Whether this is the URL of a PostgreSQL database, or the name of a variable that holds one."""
    return database.startswith(("postgresql://", "postgres://")) or bool(REFERENCE.fullmatch(database))


def strptime_format(given: str) -> str:
    """A timestamp's format for DuckDB's strptime, from `yyyy-MM-dd HH:mm:ss xxx` or `%Y-%m-%d %H:%M:%S %z`."""
    if "%" in given:
        if not _DIRECTIVES.fullmatch(given):
            raise ValueError("of the % directives only %Y %y %m %d %H %M %S %f %g %L %z %j %b %B are known")
        return given
    parts = _LETTERS.findall(given)
    if "".join(parts) != given or not parts:
        raise ValueError(f"write it with {', '.join(_FORMAT)}, such as 'yyyy-MM-dd HH:mm:ss xxx'")
    return "".join(_FORMAT.get(part) or part.strip("'") for part in parts)
