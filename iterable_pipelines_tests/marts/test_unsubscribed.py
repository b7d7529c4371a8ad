"""Who left a channel has left the message types that it has now, and each statement of leaving has a row of its own."""

from iterable_pipelines.hours import parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.profiles import run_models
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.landing_by_hand import land

HOUR = parse_hour("2026-11-01T03")


def test_a_channel_stands_for_its_message_types_of_now_beside_those_left_by_name(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    left = {"unsubscribedChannelIds": [1, 2], "unsubscribedMessageTypeIds": [11, 13]}
    user = left | {"email": "a@b.c", "profileUpdatedAt": "2026-11-01 03:00:00 +00:00"}
    land(project, manifest, "user", HOUR, [user])
    load_hours(warehouse, manifest, project, "iterable_users", [HOUR], "run", log=lambda text: None)
    with warehouse.transaction() as con:
        con.execute("insert into objects.channels (id, name) values (1, 'Email'), (2, 'Push')")
        con.execute(
            "insert into objects.message_types (id, name, channel_id, _gone_at) values (11, 'News', 1, null), "
            "(12, 'Offers', 1, null), (13, 'Deleted', 1, '2026-10-01'), (21, 'Deleted, too', 2, '2026-10-01')"
        )
    run_models(project, warehouse)
    found = warehouse.read(
        "select channel_id, message_type_name, is_unsubscribed_channel_wide from marts.iterable__user_unsubscriptions "
        "order by all"
    )
    assert found == [
        (1, "Deleted", False),
        (1, "News", False),
        (1, "News", True),
        (1, "Offers", True),
        # a channel without message types stands by itself
        (2, None, True),
    ]
