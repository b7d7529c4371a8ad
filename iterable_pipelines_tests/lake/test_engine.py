"""From one engine to the other and back: nothing is changed by the setting alone, and landing is all that it takes."""

import pytest

from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, WarehouseFailed, load_hours, replay
from iterable_pipelines_tests.lake.conftest import H3, STREAM, event, quiet, rows
from iterable_pipelines_tests.landing_by_hand import land


def test_there_and_back(project: Settings, spark: Settings, landing: Manifest) -> None:
    tables, lake = Warehouse.of(project, quiet), Warehouse.of(spark, quiet)
    tables.prepare()
    land(project, landing, "emailClick", H3, [event(1), event(2)])
    load_hours(tables, landing, project, STREAM, [H3], "run", log=quiet)
    tables.read("create schema profiles")
    tables.read("create table profiles.user_profiles as select 'ada' as user_key")
    before = rows(tables)
    for warehouse, settings in ((lake, spark), (tables, project)):
        with pytest.raises(WarehouseFailed, match="Nothing was changed"):
            warehouse.prepare()
        assert warehouse.is_of_other_engine()
        warehouse.change_engine()
        warehouse.prepare()
        assert not warehouse.is_of_other_engine()
        assert warehouse.read("select 1 from information_schema.tables where table_schema = 'profiles'") == []
        assert warehouse.read("select 1 from streams.loads") == []
        assert replay(warehouse, landing, settings, STREAM, log=quiet) == 2
        assert rows(warehouse) == before
