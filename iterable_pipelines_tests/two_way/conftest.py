"""What tests of two-way synchronization share: a project, a sandbox beside it, and a hand on both sides."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from iterable_pipelines.activation.outbox import moment
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines.two_way.declaration import TwoWay, load_two_way
from iterable_pipelines.two_way.report import Report
from iterable_pipelines.two_way.run import Plan, plan_two_way, run_two_way
from iterable_pipelines.two_way.state import state_path
from iterable_pipelines_tests.activation.conftest import AT_ONCE, QUICK, empty_project, quick_client
from iterable_pipelines_tests.kept_open import kept_open

ITEMS = "object: catalog\ntable: shop.items\ncatalog: shop\npropagate_deletes: true\nguards: {at_least: 1000}\n"
TEMPLATES = "object: template\ntable: shop.mails\nmedium: email\nfields: {name: name, subject: subject, html: html}\n"


@dataclass
class Both:
    """A table of the warehouse and a catalog, or templates, of Iterable."""

    settings: Settings
    sandbox: Sandbox
    name: str = "shop"
    said: list[str] = field(default_factory=list)
    # Iterable is looked at as of then
    later: timedelta = timedelta()

    def declare(self, text: str) -> Path:
        """Write two_way/shop.yml."""
        path = self.settings.project_root / "two_way" / f"{self.name}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    @property
    def declared(self) -> TwoWay:
        """What is declared."""
        (found,) = load_two_way(self.settings)
        return found

    def run(self, *approve: Any) -> Report:
        """Run it."""
        clients = partial(quick_client, self.settings, self.said.append)
        now: datetime = moment() + self.later
        return run_two_way(self.settings, self.declared, approve, self.said.append, clients, AT_ONCE, now)

    def plan(self) -> Plan:
        """Plan it."""
        return plan_two_way(
            self.settings, self.declared, self.said.append, partial(quick_client, self.settings, self.said.append)
        )

    def here(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run SQL in the warehouse; the rows of the last statement."""
        with Warehouse.of(self.settings, self.said.append).transaction() as con:
            for statement in statements:
                con.execute(statement)
            return con.fetchall()

    def rows(self) -> dict[str, Any]:
        """The rows of shop.items: id to (name, price)."""
        return {key: rest for key, *rest in self.here("select item_id, name, price from shop.items order by all")}

    def items(self) -> dict[str, Any]:
        """The items of the catalog: id to value."""
        self.sandbox.world.settle()
        return {each["itemId"]: each["value"] for each in self.sandbox.world.catalogs.find("shop") or ()}

    def edit(self, item_id: str, **value: Any) -> None:
        """Somebody edits an item in Iterable."""
        self.sandbox.edit_item("shop", item_id, value)

    def remove(self, item_id: str) -> None:
        """Somebody deletes an item in Iterable."""
        self.sandbox.remove_item("shop", item_id)

    def writes(self) -> int:
        """How many writes have arrived since this was asked last."""
        found = [each for each in self.sandbox.requests("/api/") if each.method != "GET"]
        self.sandbox.log.clear()
        return len(found)

    def state(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the state."""
        with duckdb.connect() as con:
            con.execute(f"attach '{state_path(self.settings, self.name)}' as state (read_only)")
            return con.execute(sql).fetchall()

    def problems(self) -> dict[str, str]:
        """What is not alike, by key."""
        return dict(self.state("select key, code from state.problems"))


@pytest.fixture
def both_sides(tmp_path: Path) -> Iterator[Callable[..., Both]]:
    """Makes a project with an empty catalog `shop`; `options` are those of `running_sandbox`."""
    with ExitStack() as running:

        def make(text: str = ITEMS, **options: Any) -> Both:
            settings, sandbox = running.enter_context(empty_project(tmp_path, "hybrid", pace=QUICK, **options))
            sandbox.world.catalogs.create("shop")
            both = Both(settings, sandbox)
            both.declare(text)
            return both

        yield make


@pytest.fixture
def shop(both_sides: Callable[..., Both]) -> Both:
    """Two items in Iterable, brought into the table by a first run."""
    both = both_sides()
    both.edit("a", name="Mug", price=1.5)
    both.edit("b", name="Tea", price=2.5)
    both.run()
    both.writes()
    return both


def edited_on_both_sides(both: Both) -> None:
    """Item a becomes a Cup in Iterable, and a Jug in the table."""
    both.edit("a", name="Cup", price=1.5)
    both.here("update shop.items set name = 'Jug' where item_id = 'a'")


@pytest.fixture
def shared(both_sides: Callable[..., Both]) -> Iterator[Both]:
    """A project that many rounds of edits share; writes are answered at once, and happen when somebody says so."""
    both = both_sides(settle_seconds=10_000)
    both.edit("first", name="Mug", price=1.5)
    with kept_open(Warehouse.of(both.settings)):
        both.run()
        yield both
