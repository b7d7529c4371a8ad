"""Webhooks and the export in the lake: one event is one row, whatever came first, and whoever was killed on the way."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours, replay
from iterable_pipelines.streams.webhooks import load_webhooks
from iterable_pipelines.webhooks.body import read_body
from iterable_pipelines.webhooks.land import land as land_webhooks
from iterable_pipelines.webhooks.spool import Spool
from iterable_pipelines_tests.lake import load_an_hour
from iterable_pipelines_tests.lake.conftest import H3, STREAM, event, quiet, rows
from iterable_pipelines_tests.landing_by_hand import land


def tell(settings: Settings, manifest: Manifest, *records: dict[str, object]) -> None:
    """Receive webhooks of these events, and land them."""
    spool = Spool(settings.spool_path)
    bodies = (
        json.dumps({"eventName": "emailClick", "email": "a@example.com", "dataFields": each}).encode()
        for each in records
    )
    spool.add([(read_body(body), datetime.now(UTC)) for body in bodies])
    land_webhooks(spool, manifest, settings, "run", quiet)


def test_whatever_comes_first(
    spark: Settings, other: Settings, lake: Warehouse, tables: Warehouse, landing: Manifest
) -> None:
    sides = ((lake, spark), (tables, other))

    def check() -> int:
        """Both hold the same; which webhook is whose is not left to chance either."""
        found = rows(lake)
        assert found == rows(tables)
        told = "select stream, data_type, hour, sum(rows), sum(matched) from streams.webhook_loads"
        assert lake.read(f"{told} group by all order by all") == tables.read(f"{told} group by all order by all")
        return len(found)

    tell(spark, landing, event(1, messageId="m1"), event(2, messageId="m2"))
    killed = subprocess.run(
        [sys.executable, load_an_hour.__file__, str(spark.data_dir), "webhooks"],
        env={"ITERABLE_CRASH_AT": "before_commit", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert (killed.returncode, "crashpoint before_commit" in killed.stderr) == (-9, True), killed.stderr
    assert (len(rows(lake)), lake.read("select 1 from streams.webhook_loads")) == (2, [])
    for warehouse, settings in sides:
        load_webhooks(warehouse, landing, settings, "run", quiet)
    assert check() == 2
    land(spark, landing, "emailClick", H3, [event(1, messageId="m1"), event(3, messageId="m3")], minutes_after=5)
    for warehouse, settings in sides:
        load_hours(warehouse, landing, settings, STREAM, [H3], "run", log=quiet)
    assert check() == 3
    tell(spark, landing, event(3, messageId="m3"))
    for warehouse, settings in sides:
        load_webhooks(warehouse, landing, settings, "run", quiet)
    assert check() == 3
    assert len(lake.read(f"select 1 from streams.{STREAM} where webhook is not null")) == 3
    for warehouse, settings in sides:
        replay(warehouse, landing, settings, STREAM, log=quiet)
    assert check() == 3
