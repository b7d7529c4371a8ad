"""Takes one turn at the lists in a process of its own, so that a test may kill it."""

from iterable_pipelines.api import Iterable, Ledger
from iterable_pipelines.objects.list_members.read import PATIENCE
from iterable_pipelines.objects.list_members.turn import take_turn
from iterable_pipelines.settings import load_settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.objects.list_turns import QUICK, scaled


def main() -> None:
    """The settings come from the environment, as in any process of the project."""
    settings = load_settings()
    key, ledger = settings.required_api_key(), Ledger(settings.ledger_path, limits=scaled(QUICK))
    take_turn(lambda: Iterable(key, settings.url, ledger, patience=PATIENCE), Warehouse.of(settings), settings)


if __name__ == "__main__":
    main()
