"""Versions of objects: one more when something changed, and only then."""

from dataclasses import replace

from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.objects.conftest import Refresh

VERSIONS = "select campaign_state, _valid_to is null from objects.campaign_history where id = {} order by _valid_from"


def test_a_version_for_every_change(sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse) -> None:
    count = "select count(*) from objects.campaign_history"
    campaigns = sandbox.world.objects.standing
    first = campaigns[0]
    refresh("campaigns")
    assert warehouse.read(count) == warehouse.read("select count(*) from objects.campaigns")
    before = warehouse.read(f"{count} where _valid_to is null")
    refresh("campaigns")
    assert warehouse.read(count) == before
    campaigns[0] = replace(first, state="Aborted")
    refresh("campaigns")
    assert warehouse.read(VERSIONS.format(first.id)) == [(first.state, False), ("Aborted", True)]
    campaigns.pop(0)
    refresh("campaigns")
    assert warehouse.read(VERSIONS.format(first.id)) == [(first.state, False), ("Aborted", False)]
    campaigns.insert(0, first)
    refresh("campaigns")
    assert warehouse.read(VERSIONS.format(first.id)) == [(first.state, False), ("Aborted", False), (first.state, True)]
    # no two versions hold at one time, and the newest says what the table says
    assert warehouse.read(
        "select count(*) from objects.campaign_history as one join objects.campaign_history as other using (id) "
        "where one._valid_from < other._valid_from and coalesce(one._valid_to, 'infinity') > other._valid_from"
    ) == [(0,)]
    assert warehouse.read(
        "select count(*) from objects.campaigns as stored join objects.campaign_history as version using (id) "
        "where version._valid_to is null and stored.record <> version.record"
    ) == [(0,)]
    assert warehouse.read(f"{count} where _valid_to is null") == before


def test_a_history_begun_later_begins_with_what_is_there(refresh: Refresh, warehouse: Warehouse) -> None:
    refresh("campaigns")
    history = warehouse.read("select * from objects.campaign_history order by all")
    warehouse.read("delete from objects.campaign_history")
    assert refresh("campaigns").stored.changed == 0
    assert warehouse.read("select * from objects.campaign_history order by all") == history


def test_what_has_no_history_keeps_none(refresh: Refresh, warehouse: Warehouse) -> None:
    refresh("channels")
    tables = warehouse.read("select table_name from duckdb_tables() where schema_name = 'objects'")
    assert ("channel_history",) not in tables
