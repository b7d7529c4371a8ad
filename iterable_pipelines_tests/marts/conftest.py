"""What the tests of the marts share: rows as dicts, and objects as the sandbox answers them."""

import json
from collections.abc import Iterable
from typing import Any

from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api import Ledger
from iterable_pipelines.objects.refresh import refresh_object
from iterable_pipelines.sandbox import World, running_sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse

TABLES = ("campaigns", "templates", "channels", "message_types", "journeys", "lists")
Row = dict[str, Any]
# all that say how often something happened, by campaign, by person or by both
COUNTING_MARTS = (
    "campaign_activity",
    "user_campaign_activity",
    "iterable__campaigns",
    "iterable__user_campaign",
    "iterable__users",
)


def rows(warehouse: Warehouse, mart: str) -> list[Row]:
    """Every row of a mart, without the columns that only say how it came here."""
    with warehouse.transaction() as con:
        found = con.execute(f"select * from marts.{mart}")
        columns = [column[0] for column in found.description]
        return [
            {name: value for name, value in zip(columns, row, strict=True) if not name.startswith("_")}
            for row in found.fetchall()
        ]


def keyed(found: Iterable[Row], *keys: str) -> dict[Any, Row]:
    """Rows by key, without the id that only says which row it is; two of one key are an error."""
    by_key: dict[Any, Row] = {}
    for row in found:
        ids = {name for name in row if name.startswith("unique_") and name.endswith("_id")}
        key = row[keys[0]] if len(keys) == 1 else tuple(row[name] for name in keys)
        assert key not in by_key, key
        by_key[key] = {name: value for name, value in row.items() if name not in ids}
    return by_key


def refresh_objects(world: World, project: Settings, warehouse: Warehouse) -> None:
    """Bring the tables of objects to what a sandbox of this world answers."""
    with running_sandbox(world=world, relaxed=True) as sandbox:
        client = Client(sandbox.key, sandbox.url, Ledger(project.ledger_path, relaxed=True))
        for name in TABLES:
            refresh_object(client, warehouse, project, name, "run", log=lambda text: None)


def answered(warehouse: Warehouse) -> dict[str, dict[int, Row]]:
    """The objects that are stored, as Iterable answered them, each with `_gone`: whether it lists them no more."""
    return {
        name: {
            key: json.loads(record) | {"_gone": gone}
            for key, record, gone in warehouse.read(f"select id, record, _gone_at is not null from objects.{name}")
        }
        for name in TABLES
    }
