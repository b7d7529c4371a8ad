"""Campaign figures, counted in the table and asked of the sandbox, which counts its own world."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api import Ledger
from iterable_pipelines.hours import HOUR, Window, hour_of, now
from iterable_pipelines.landing import Manifest, land_hours
from iterable_pipelines.landing.plan import Door
from iterable_pipelines.objects.refresh import refresh_object
from iterable_pipelines.sandbox import World, running_sandbox
from iterable_pipelines.sandbox.objects import FIRST_NEWSLETTER, Objects
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines.streams.campaigns import (
    STREAM_NAME,
    TOLERANCE_EVENTS,
    Compared,
    compare_campaigns,
    count_campaigns,
)
from iterable_pipelines.streams.completeness import refresh

WEEK = 7 * 24 * HOUR


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A world that holds the whole week of one newsletter, and stands still a day and a half after it."""
    standing = hour_of(now()) - 6 * HOUR
    newsletter = Objects(1).newsletter(int((standing - WEEK - 36 * HOUR).timestamp()))
    begun = hour_of(standing.fromtimestamp(newsletter.created, standing.tzinfo))
    world = World(users=60, start=begun - HOUR, end=begun + WEEK + 36 * HOUR)
    with running_sandbox(world=world, relaxed=True) as running:
        yield running


@pytest.fixture
def imported(sandbox: Sandbox, project: Settings) -> Settings:
    """The world's sends, opens and clicks of all its hours, and its campaigns."""
    project = project.model_copy(
        update={
            "base_url": sandbox.url,
            "start_date": sandbox.world.start,
            "data_types": ("emailSend", "emailOpen", "emailClick"),
            "skip_users": True,
            "requests_relaxed": True,
        }
    )
    manifest, warehouse = Manifest(project.landing_dir), Warehouse.of(project)
    warehouse.prepare()
    hours = Window(sandbox.world.start, sandbox.world.end).hours()  # type: ignore[arg-type]
    client = client_of(project)
    land_hours(client, manifest, project, STREAM_NAME, hours, "run", only=Door.EXPORT, log=lambda text: None)
    load_hours(warehouse, manifest, project, STREAM_NAME, hours, "run", log=lambda text: None)
    refresh_object(client, warehouse, project, "campaigns", "run", log=lambda text: None)
    return project


def client_of(project: Settings) -> Client:
    return Client("sandbox", project.url, Ledger(project.ledger_path, relaxed=True))


def compared(project: Settings) -> list[Compared]:
    with Warehouse.of(project).transaction() as con:
        refresh(con, project, Manifest(project.landing_dir), now(), since=project.start_date)
        counted = count_campaigns(con, now())
    assert counted
    # one that Iterable does not know is left out, and hides no other
    some = dict(list(counted.figures.items())[:3])
    return compare_campaigns(client_of(project), replace(counted, figures={**some, 17: {"Total Email Sends": 1}}))


def test_what_was_imported_is_what_the_metrics_count_and_a_loss_shows(sandbox: Sandbox, imported: Settings) -> None:
    found = compared(imported)
    # the one newsletter whose week is over; the next is being sent still, and all others began before the import
    assert len({each.campaign_id for each in found}) == 1
    assert found[0].campaign_id > FIRST_NEWSLETTER
    assert {each.figure for each in found} == {
        *("Total Email Sends", "Total Email Opens", "Unique Email Opens", "Total Emails Clicked", "Unique Email Clicks")
    }
    assert all(each.here == each.there > 0 for each in found), found
    asked = dict(sandbox.requests("/api/campaigns/metrics")[0].params)
    assert asked["startDateTime"] < asked["endDateTime"]
    Warehouse.of(imported).read(
        f"delete from streams.{STREAM_NAME} where rowid in (select rowid from streams.{STREAM_NAME} "
        f"where data_type = 'emailOpen' and campaign_id = {found[0].campaign_id} limit {TOLERANCE_EVENTS * 4})"
    )
    with Warehouse.of(imported).transaction() as con:
        # hours with a hole are not compared: here it is the table that is wrong, and its own count must not hide it
        con.execute("update streams.completeness set trouble = null")
        counted = count_campaigns(con, now())
    assert counted
    apart = [each.figure for each in compare_campaigns(client_of(imported), counted) if not each.close]
    assert "Total Email Opens" in apart
    assert "Total Email Sends" not in apart


def test_hours_that_lack_something_are_not_compared(imported: Settings) -> None:
    middle = imported.start_date + WEEK / 2
    Warehouse.of(imported).read(
        f"delete from streams.{STREAM_NAME} where _hour = timestamp '{hour_of(middle):%Y-%m-%d %H:00:00}'"
    )
    with Warehouse.of(imported).transaction() as con:
        refresh(con, imported, Manifest(imported.landing_dir), now(), since=imported.start_date)
        # the newsletter began before the hole
        assert count_campaigns(con, now()) is None


@pytest.mark.parametrize(
    ("here", "there", "close"), [(95, 100, True), (94, 100, False), (9_800, 10_000, True), (9_799, 10_000, False)]
)
def test_the_tolerance(here: int, there: float, close: bool) -> None:
    assert Compared(1, "Total Email Sends", here, there).close is close
