"""Every object of the sandbox, held against what the sandbox's own world says, value by value."""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from iterable_pipelines.hours import Window
from iterable_pipelines.objects import OBJECT_TYPE, OBJECT_TYPES, ObjectType
from iterable_pipelines.objects.refresh import NotOffered
from iterable_pipelines.sandbox.catalogs import CATALOGS
from iterable_pipelines.sandbox.metadata_tables import TABLES, metadata_of, value_of
from iterable_pipelines.sandbox.metrics import Counts, experiments_of, measured, variants
from iterable_pipelines.sandbox.objects import TEMPLATE_MEDIUMS
from iterable_pipelines.sandbox.schema import field_types
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.sandbox.shelves import items_of
from iterable_pipelines.sandbox.snippets import SNIPPETS, snippet
from iterable_pipelines.sandbox.template_details import MEDIUM, detail
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.written import FORGOTTEN_EMAILS, hashed
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.objects.conftest import Refresh

Truth = dict[tuple[Any, ...], dict[str, Any]]
FORGOTTEN = ("forgotten_emails", "forgotten_user_ids")
OFFERED = [kind.name for kind in OBJECT_TYPES if kind.name != "forgotten_user_ids"]


def by_id(rows: list[dict[str, Any]], name: str = "id") -> Truth:
    return {(each[name],): each for each in rows}


def figures(world: World) -> Truth:
    """A record for each cell of the metrics of campaigns that were sent."""
    counts, until = Counts(world), Window(datetime(1970, 1, 1, tzinfo=UTC), world.now())
    return {
        (campaign.id, metric): {"campaignId": str(campaign.id), "metric": metric, "value": str(value)}
        for campaign in world.objects.campaigns(int(world.now().timestamp()))
        if campaign.state != "Recurring"
        for metric, value in measured(counts, campaign, until).items()
        if metric != "id"
    }


def experiment_figures(world: World) -> Truth:
    counts, until = Counts(world), Window(datetime(1970, 1, 1, tzinfo=UTC), world.now())
    found: Truth = {}
    for campaign in world.objects.campaigns(int(world.now().timestamp())):
        if not campaign.experience_id or campaign.medium != "Email":
            continue
        for variant in variants(campaign):
            name = f"{campaign.template_id} {variant['name']}"
            ids = {"campaignId", "experimentId", "templateId"}
            shown = {name: str(variant[name]) for name in ids}
            for metric, value in (measured(counts, campaign, until) | variant).items():
                if metric not in {*ids, "id"} and value != "":
                    record = shown | {"variant": name, "metric": metric, "value": str(value)}
                    found[variant["experimentId"], name, metric] = record
    return found


def truth(world: World) -> dict[str, Truth]:
    """Every table as it must be, by key."""
    campaigns = world.objects.campaigns(int(world.now().timestamp()))
    mappings = {"definedMappings": {"price": "double", "name": "string"}, "undefinedFields": ["tags", "sizes", "stock"]}
    fields = field_types(world.all_records("user"))
    keys = [(table.lower(), row) for table in TABLES for row in metadata_of(table)]
    return {
        "campaigns": by_id([each.as_json() for each in campaigns]),
        "templates": by_id(
            [each.template_as_json() for each in campaigns if each.medium in TEMPLATE_MEDIUMS], "templateId"
        ),
        "channels": by_id(world.objects.channels),
        "message_types": by_id(world.objects.message_types),
        "journeys": by_id(world.objects.journeys),
        "lists": by_id(world.objects.lists),
        "snippets": by_id([snippet(nth) for nth in range(SNIPPETS)]),
        "webhooks": by_id([each.as_json() for each in world.hooks.all()]),
        "user_fields": {(name,): {"name": name, "type": kind} for name, kind in fields.items()},
        "forgotten_emails": {(hashed(each),): {"name": hashed(each)} for each in FORGOTTEN_EMAILS},
        "catalogs": {(name,): {"name": name} for name in CATALOGS},
        "catalog_fields": {(name,): mappings for name in CATALOGS},
        "catalog_items": {(name, each["itemId"]): each for name in CATALOGS for each in items_of(world, name)},
        "metadata_tables": {(name,): {"name": name} for name in TABLES},
        "metadata_keys": {(table, row["key"]): row for table, row in keys},
        "metadata_values": {(table, row["key"]): value_of(row) for table, row in keys},
        "template_contents": by_id(
            [detail(each) for each in campaigns if each.medium in MEDIUM.values()], "templateId"
        ),
        "campaign_metrics": figures(world),
        "experiments": by_id(experiments_of(world)),
        "experiment_metrics": experiment_figures(world),
    }


def table(warehouse: Warehouse, name: str) -> Truth:
    key = OBJECT_TYPE[name].key
    rows = warehouse.read(f"select {', '.join(key)}, record from objects.{name} where _gone_at is null")
    return {tuple(row[:-1]): json.loads(row[-1]) for row in rows}


def expected_column(value: Any, kind: str) -> Any:
    """A value as its column holds it."""
    if value is None:
        return None
    if kind == "TIMESTAMP":
        moment = datetime.fromtimestamp(value / 1000, UTC) if isinstance(value, int) else datetime.fromisoformat(value)
        return moment.astimezone(UTC).replace(tzinfo=None)
    if kind in ("BIGINT", "DOUBLE"):
        try:
            return float(value)
        except ValueError:
            return None
    return value


def check_columns(warehouse: Warehouse, kind: ObjectType, world: dict[str, Truth]) -> None:
    columns = [column for column in kind.columns if not column.asked]
    names = ", ".join([*kind.key, *(column.name for column in columns)])
    for row in warehouse.read(f"select {names} from objects.{kind.name}"):
        record = world[kind.name][tuple(row[: len(kind.key)])]
        for column, value in zip(columns, row[len(kind.key) :], strict=True):
            shown = json.loads(value) if column.type == "JSON" and value is not None else value
            assert shown == expected_column(record.get(column.field_name), column.type), (kind.name, column.name)


def test_every_table_is_what_the_world_says_and_stays_so(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    world = truth(sandbox.world)
    assert set(world) == set(OFFERED)
    for name in OFFERED:
        done = refresh(name)
        assert done.stored.rows == done.stored.changed == len(world[name]) > 0, name
        assert (done.stored.gone, done.stored.unreadable) == (0, 0), name
        assert table(warehouse, name) == world[name], name
        check_columns(warehouse, OBJECT_TYPE[name], world)
    before = {name: warehouse.read(f"select * from objects.{name} order by all") for name in OFFERED}
    asked = len(sandbox.requests())
    hourly = 0
    for name in OFFERED:
        done = refresh(name)
        hourly += done.requests if OBJECT_TYPE[name].every == "hour" else 0
        assert (done.stored.rows, done.stored.changed, done.stored.gone) == (len(world[name]), 0, 0), name
        assert warehouse.read(f"select * from objects.{name} order by all") == before[name], name
    again = Counter(each.path.rpartition("/")[0] for each in sandbox.requests()[asked:])
    # neither a template nor a value was asked for again
    assert not [path for path in again if path.startswith(("/api/templates/", "/api/metadata/p"))]
    assert sum(again.values()) < 60
    # sixteen for templates, three for journeys, one for each of the others
    assert hourly == 26


@pytest.mark.parametrize("name", ["templates", "template_contents"])
def test_what_the_answer_does_not_say_is_taken_from_the_question(
    name: str, sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    refresh("campaigns", "templates", "template_contents")
    campaigns = sandbox.world.objects.campaigns(int(sandbox.world.now().timestamp()))
    if name == "templates":
        found = set(warehouse.read("select id, template_type, message_medium from objects.templates"))
        assert found == {
            (each.template_id, each.template_type, each.medium) for each in campaigns if each.medium in TEMPLATE_MEDIUMS
        }
    else:
        found = set(warehouse.read("select id, medium from objects.template_contents"))
        assert found == {
            (each.template_id, each.medium.lower()) for each in campaigns if each.medium in MEDIUM.values()
        }


@pytest.mark.parametrize(
    ("project_type", "offered"),
    [("email", {"forgotten_emails"}), ("userid", {"forgotten_user_ids"}), ("hybrid", set(FORGOTTEN))],
)
def test_forgotten_users_of_every_type_of_project(
    project_type: str, offered: set[str], sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    sandbox.world.project_type = project_type
    for name in FORGOTTEN:
        if name in offered:
            assert refresh(name).stored.rows > 0
        else:
            with pytest.raises(NotOffered, match=name.replace("_", " ")):
                refresh(name)
            assert warehouse.read(f"select count(*) from objects.{name}") == [(0,)]
