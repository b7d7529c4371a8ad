"""What leaves stays counted: profiles and marts say what they would say if nothing had ever left."""

from pathlib import Path

from iterable_pipelines.hours import HOUR
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles import run_models
from iterable_pipelines.retention.run import let_go
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.marts.conftest import COUNTING_MARTS, rows
from iterable_pipelines_tests.retention.old_hours import (
    ADA,
    DAYS,
    EIGHT_DAYS,
    EMAIL,
    HOURS,
    MOMENT,
    PURCHASE,
    event,
    import_hour,
    load,
    project_of,
)  # fmt: skip


def counted(warehouse: Warehouse) -> dict[str, list[str]]:
    """Every row that counts something."""
    found = {mart: sorted(repr(row) for row in rows(warehouse, mart)) for mart in COUNTING_MARTS}
    for table in ("user_profiles", "user_activity_hourly"):
        with warehouse.transaction() as con:
            rows_there = con.execute(f"from profiles.{table}")
            # a column that came later is the last one
            names = [name for name, *_ in rows_there.description or ()]
            dicts = [dict(zip(names, row, strict=True)) for row in rows_there.fetchall()]
        found[table] = sorted(repr(sorted((k, v) for k, v in row.items() if k[0] != "_")) for row in dicts)
    return found


def test_counts_stay_when_rows_leave(project: Settings, tmp_path: Path) -> None:
    # another configuration makes the models count everything anew that is still there
    changed = {"profile_fields": {"tier": "tier"}, "retention": {EMAIL: DAYS, PURCHASE: DAYS}}
    built = {}
    for name, lets_go in (("short", True), ("whole", False)):
        here = project_of(project, data_dir=tmp_path / name, **changed)
        manifest, warehouse = Manifest(here.landing_dir), Warehouse.of(here, lambda text: None)
        warehouse.prepare()
        for hour in HOURS:
            import_hour(here, manifest, hour)
        load(here, manifest, warehouse)
        if lets_go:
            run_models(here.model_copy(update={"profile_fields": {}}), warehouse, log=lambda text: None)
            left = let_go(warehouse, manifest, here, MOMENT, lambda text: None)
            assert (left.rows, left.held) == ({EMAIL: 6, PURCHASE: 2}, {})
        later = HOURS[2] + HOUR
        land(here, manifest, "emailOpen", later, [event(ADA, later)], EIGHT_DAYS)
        load(here, manifest, warehouse, [*HOURS, later])
        run_models(here, warehouse, log=lambda text: None)
        built[name] = counted(warehouse)
        sends = warehouse.read("select count(*) from marts.iterable__events where event_name = 'emailSend'")
        assert sends == [(2 if lets_go else 6,)]
    assert built["short"] == built["whole"]
