"""`profile`: one person, as the profiles know them."""

from datetime import datetime
from typing import Annotated, Any

import duckdb
import typer
from rich.markup import escape

from iterable_pipelines.cli.console import CannotGoOn, out, say, table
from iterable_pipelines.data_types import DATA_TYPES
from iterable_pipelines.published import has_table, reading
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.streams import Warehouse

_SHOWN_ITEMS = 8


def profile(
    email: Annotated[str, typer.Argument(help="The address; a user id where users have no address.")],
) -> None:
    """Show one profile: what the person did, first and last, how often, and what they were sent."""
    settings = load_settings()
    show_profile(settings, email)


def show_profile(settings: Settings, email: str) -> None:
    """Print the profile of an address or user id. Raises CannotGoOn if nobody has it, or nothing was built yet."""
    names, found = _find(settings, email)
    # columns that begin with an underscore are the models' own
    fields = {name: value for name, value in zip(names, found, strict=True) if not name.startswith("_")}
    values = {name: value for name, value in fields.items() if not _is_empty(value)}
    events = table("", "event", "it_…ct", "it_first_…_ts", "it_last_…_ts", numbers=("it_…ct",))
    told: set[str] = set()
    for stem in (data_type.profile for data_type in DATA_TYPES):
        columns = (f"it_{stem}ct", f"it_first_{stem}_ts", f"it_last_{stem}_ts")
        if columns[0] in values:
            events.add_row(stem, *(_spelled(values.get(name)) for name in columns))
            told.update(columns)
    about = table(f"Profile of {escape(str(values.get('user_key', email)))}", "field", "value")
    for name, value in values.items():
        if name not in told:
            about.add_row(name, escape(_spelled(value)))
    out().print(about)
    if events.row_count:
        out().print(events)
    say(f"{len(fields) - len(values)} more fields are empty or 0. All times are UTC.")


def _find(settings: Settings, email: str) -> tuple[list[str], tuple[Any, ...]]:
    # the copy for readers is never locked; the warehouse may be written at this moment
    if settings.published_path.exists():
        with reading(settings) as con:
            return _select(con, email)
    if not settings.warehouse_path.exists():
        raise CannotGoOn(
            f"Nothing is imported yet: there is no {settings.warehouse_path}.\n"
            "Next: iterable-pipelines backfill --from … --to …, or iterable-pipelines demo"
        )
    with Warehouse.of(settings, wait_seconds=10).transaction() as con:
        return _select(con, email)


def _select(con: duckdb.DuckDBPyConnection, email: str) -> tuple[list[str], tuple[Any, ...]]:
    if not has_table(con, "profiles", "user_profiles"):
        raise CannotGoOn("No profile is built yet. Next: iterable-pipelines backfill --from … --to …")
    rows = con.execute(
        "select * from profiles.user_profiles where user_key = lower(trim($1)) or user_key = $1 or it_user_id = $1 "
        "order by user_key = lower(trim($1)) desc, user_key limit 1",
        [email],
    )
    names = [column[0] for column in rows.description or []]
    found = rows.fetchone()
    if found is None:
        raise CannotGoOn(
            f"Nobody is known as {email!r}: neither a user record nor an event that was imported names them.\n"
            "Next: iterable-pipelines status shows what is imported"
        )
    return names, found


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or value == 0 or value == [] or value == {}


def _spelled(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, dict):
        # hours and months in their order, not in that of their letters
        ranked = sorted(value, key=lambda key: (len(key), key) if key.isdigit() else (0, key))
        items = [f"{key}: {_spelled(value[key])}" for key in ranked]
    elif isinstance(value, list):
        items = [_spelled(each) for each in value]
    elif isinstance(value, float):
        return f"{value:,.2f}"
    else:
        return value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else str(value)
    more = len(items) - _SHOWN_ITEMS
    return ", ".join(items[:_SHOWN_ITEMS]) + (f" and {more} more" if more > 0 else "")
