"""What tests of list membership share: a project on a sandbox that takes turns, and the truth to compare it with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from iterable_pipelines.api import LIMITS, Iterable, Ledger, Limit
from iterable_pipelines.hours import HOUR, parse_hour
from iterable_pipelines.landing import Manifest
from iterable_pipelines.objects.list_members.read import PATIENCE
from iterable_pipelines.objects.list_members.tables import State, load_lists
from iterable_pipelines.objects.list_members.turn import Turn, take_turn
from iterable_pipelines.objects.refresh import refresh_object
from iterable_pipelines.sandbox import Sandbox, World, running_sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours
from iterable_pipelines_tests.landing_by_hand import land

START = parse_hour("2026-11-01")
# a limit's minute lasts 50 ms: tests of what is read need no budget
QUICK = 1 / 1200


def scaled(pace: float) -> dict[str, Limit]:
    """The limits, a second of which lasts `pace`."""
    return {name: replace(limit, seconds=limit.seconds * pace) for name, limit in LIMITS.items()}


@dataclass
class Lists:
    """One project that keeps the lists of one sandbox."""

    sandbox: Sandbox
    settings: Settings
    warehouse: Warehouse
    ledger: Ledger

    @property
    def world(self) -> World:
        return self.sandbox.world

    def connect(self) -> Iterable:
        return Iterable(self.sandbox.key, self.sandbox.url, self.ledger, patience=replace(PATIENCE, busy_wait=0.1))

    def refresh(self) -> None:
        """Lists and campaigns, as the other assets bring them."""
        for name in ("lists", "campaigns"):
            refresh_object(self.connect(), self.warehouse, self.settings, name, "run", log=lambda text: None)

    def turn(self, log: list[str] | None = None, ahead: timedelta = timedelta()) -> Turn:
        """One turn; `ahead` is how far the project's clock is before the machine's."""
        said = log if log is not None else []
        return take_turn(self.connect, self.warehouse, self.settings, said.append, lambda moment: moment + ahead)

    def load_users(self) -> None:
        """The user export of every hour of the world, as streams hold it."""
        manifest = Manifest(self.settings.landing_dir)
        hour = self.world.now().replace(minute=0, second=0, microsecond=0) - HOUR
        land(self.settings, manifest, "user", hour, self.world.all_records("user"))
        load_hours(self.warehouse, manifest, self.settings, "iterable_users", [hour], "run", log=lambda text: None)

    def now_on(self, list_id: int) -> set[str]:
        found = self.warehouse.read(
            "select user_key from objects.list_members where list_id = ? and left_at is null", [list_id]
        )
        return {key for (key,) in found}

    def intervals(self, list_id: int) -> list[tuple[str, datetime, datetime | None]]:
        return self.warehouse.read(
            "select user_key, joined_at, left_at from objects.list_members where list_id = ? order by all", [list_id]
        )

    def state(self, list_id: int) -> State:
        with self.warehouse.transaction() as con:
            return next(each.state for each in load_lists(con, self.settings, self.world.now()) if each.id == list_id)

    def truth(self, list_id: int) -> set[str]:
        """The user keys of everybody who is on the list in the sandbox's world now."""
        by_id = self.settings.project_type == "userid"
        keys = set()
        for email, user_id in self.world.members(list_id) or ():
            address = (email or "").strip().lower()
            keys.add((user_id or address) if by_id else (address or user_id or ""))
        return keys


@contextmanager
def lists_of(world: World, pace: float = QUICK, **settings: object) -> Iterator[Lists]:
    """A project on a sandbox that shows `world`, its lists and campaigns refreshed; keywords are settings."""
    with TemporaryDirectory() as folder, running_sandbox(world=world, relaxed=True, pace=pace) as sandbox:
        given = {"project_type": world.project_type, "data_dir": Path(folder) / "data", "start_date": START}
        project = Settings(api_key=sandbox.key, base_url=sandbox.url, **(given | settings))
        warehouse = Warehouse(project.warehouse_path, project.published_path, wait_seconds=5)
        warehouse.prepare()
        lists = Lists(sandbox, project, warehouse, Ledger(project.ledger_path, limits=scaled(pace)))
        lists.refresh()
        yield lists


def world_of(more_lists: int = 3, users: int = 120, project_type: str = "email") -> World:
    """A world that stands still."""
    return World(
        users=users,
        start=START - timedelta(days=200),
        end=START + timedelta(days=1),
        project_type=project_type,
        more_lists=more_lists,
    )
