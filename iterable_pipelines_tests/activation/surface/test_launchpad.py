"""Options of one run, as a person writes them."""

import dagster as dg
import pytest

from iterable_pipelines.activation.launchpad import RunOptions
from iterable_pipelines.activation.options import Options
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.settings import SettingsError


def test_left_alone_they_send_what_changed() -> None:
    assert RunOptions().options("a-run") == Options(dagster_run_id="a-run")


def test_they_are_taken_as_written() -> None:
    given = RunOptions(dry_run=True, approve=["mass_exit"], only_pks=["a|b"], limit=5, as_of="2026-11-01T03")
    assert given.options() == Options(True, ("mass_exit",), ("a|b",), 5, parse_hour("2026-11-01T03"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (RunOptions(approve=["mass_exits"]), "'mass_exits' is no guard, did you mean mass_exit?"),
        (RunOptions(as_of="yesterday"), "'yesterday' is not an hour: write 2026-11-01T03"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_allowed(wrong: RunOptions, said: str) -> None:
    with pytest.raises(SettingsError, match="Nothing was sent") as refused:
        wrong.options()
    assert said in str(refused.value)


def test_every_option_is_described_in_the_launchpad() -> None:
    @dg.op
    def send(config: RunOptions) -> None: ...

    fields = send.config_schema.config_type.fields  # type: ignore[union-attr]
    assert {name for name, each in fields.items() if not each.description} == set()
