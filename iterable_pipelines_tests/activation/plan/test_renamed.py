"""A sync that is called otherwise goes on with its state, and with the ids of its events (renamed_from)."""

import json
import shutil
from collections.abc import Callable

import duckdb
import pytest

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.run import reset_sync, resolve
from iterable_pipelines.activation.state import state_path
from iterable_pipelines_tests.activation.plan.conftest import Planning
from iterable_pipelines_tests.activation.plan.test_diff import USER, rows
from iterable_pipelines_tests.activation.plan.test_modes import COLUMNS, EVENT, NOON

EVENT = EVENT.replace("id: event\n", "first_run: backfill\n")


def renamed(here: Planning, text: str, former: str = "old", name: str = "new", line: bool = True) -> Sync:
    (here.settings.project_root / "syncs" / f"{former}.yml").unlink(missing_ok=True)
    return here.sync(name, text + (f"renamed_from: {former}\n" if line else ""))


@pytest.mark.parametrize(
    "by_hand",
    [
        lambda here, sync: reset_sync(here.settings, sync, "pk", ("2",)),
        lambda here, sync: resolve(here.settings, sync, "resend"),
    ],
)
def test_what_is_done_by_hand_first_takes_the_state_along(
    planning: Callable[..., Planning], by_hand: Callable[[Planning, Sync], int]
) -> None:
    here = planning()
    here.table("m.t", rows((1, "a@ex.com", 1)))
    here.run(here.sync("old", USER))
    sync = renamed(here, USER)
    by_hand(here, sync)
    assert here.run(sync).ops == {}


def test_what_a_killed_run_committed_last_is_taken_along(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", rows((1, "a@ex.com", 1)))
    here.run(here.sync("old", USER))
    former = state_path(here.settings, "old")
    with duckdb.connect(former) as con:
        con.execute("delete from acked; delete from seen")
        # as a process that is killed here leaves it: the file itself does not know yet
        for each in (former, former.with_name(f"{former.name}.wal")):
            shutil.copy(each, each.with_name(each.name.replace("old", "killed")))
    (here.settings.project_root / "syncs" / "old.yml").unlink()
    assert here.run(renamed(here, USER, "killed")).ops == {"1": "add"}


def test_t4_events_keep_their_ids_when_the_line_is_gone_and_under_a_third_name(
    planning: Callable[..., Planning],
) -> None:
    here = planning()
    here.table("m.t", rows((1, "a@ex.com", 1, "e1", NOON), columns=COLUMNS))
    here.run(here.sync("old", EVENT))
    here.run(renamed(here, EVENT))
    here.run(renamed(here, EVENT, line=False))
    here.table("m.t", rows((1, "a@ex.com", 2, "e1", NOON), columns=COLUMNS))
    (change,) = here.run(renamed(here, EVENT, "new", "newest")).changes
    assert (change["op"], json.loads(change["payload"])["id"]) == ("change", "wh:old:1")


def test_g11_another_name_is_no_other_mapping(planning: Callable[..., Planning]) -> None:
    here = planning()
    text = EVENT + "on_mapping_change: backfill\n"
    here.table("m.t", rows((1, "a@ex.com", 1, "e1", NOON), columns=COLUMNS))
    here.run(here.sync("old", text))
    ran = here.run(renamed(here, text))
    assert (ran.ops, ran.plan.mapping_version) == ({}, 1)
