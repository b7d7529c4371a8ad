"""A changed configuration reaches every profile, not only those whose users did something since."""

from iterable_pipelines.hours import parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles import run_models
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.landing_by_hand import land

HOUR = parse_hour("2026-11-01T03")


def test_a_field_mapped_later_is_filled_for_everybody(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    users = [
        {"email": f"{name}@b.c", "profileUpdatedAt": "2026-11-01 03:00:00 +00:00", "loyalty.tier": name.upper()}
        for name in "xyz"
    ]
    land(project, manifest, "user", HOUR, users)
    load_hours(warehouse, manifest, project, "iterable_users", [HOUR], "run")
    run_models(project, warehouse)
    run_models(project.model_copy(update={"profile_fields": {"tier": "loyalty.tier"}}), warehouse)
    found = warehouse.read("select email, tier from profiles.user_profiles order by email")
    assert found == [("x@b.c", "X"), ("y@b.c", "Y"), ("z@b.c", "Z")]
