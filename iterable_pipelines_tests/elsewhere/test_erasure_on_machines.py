"""Two machines share landing and tables: each erases its own warehouse, and neither at the other's landed files."""

from pathlib import Path

import pytest

from iterable_pipelines.erasure.errors import AlreadyErasing
from iterable_pipelines.erasure.run import erase, erasing
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.erasure.people import ADA, forget, import_people, load
from iterable_pipelines_tests.kept_open import kept_open

LOADED = "select data_type, hour, digest, rows from streams.loads order by all"


def quiet(text: str) -> None:
    """A log that nobody reads."""


@pytest.fixture
def machines(elsewhere: Settings, tmp_path: Path) -> list[Settings]:
    """Two that have loaded the same."""
    both = [elsewhere.model_copy(update={"data_dir": tmp_path / name}) for name in ("a", "b")]
    for machine, bring in zip(both, (import_people, load), strict=True):
        warehouse = Warehouse.of(machine)
        warehouse.prepare()
        with kept_open(warehouse):
            bring(machine, Manifest.of(machine), warehouse)
    return both


def test_each_machine_erases_its_warehouse_and_follows_what_the_other_wrote_anew(machines: list[Settings]) -> None:
    forget(machines[0], ADA)
    for machine in machines:
        before = Warehouse.of(machine).read(LOADED)
        assert erase(machine, quiet).complete
        assert not Warehouse.of(machine).read(f"from streams.iterable_activity where email = '{ADA}'")
        assert Warehouse.of(machine).read(LOADED) != before
    assert len({str(Warehouse.of(machine).read(LOADED)) for machine in machines}) == 1


def test_one_machine_at_a_time(machines: list[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iterable_pipelines.erasure.run._OTHERS_TAKE_SECONDS", 0.0, raising=False)
    one, other = machines
    with erasing(one), pytest.raises(AlreadyErasing, match="Another machine"):
        erase(other, quiet)
    with erasing(other):
        pass
