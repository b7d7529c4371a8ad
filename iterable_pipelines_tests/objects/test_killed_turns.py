"""A turn that is killed between reading and storing leaves what was there, and the next one goes on."""

import os
import subprocess
import sys

import pytest

from iterable_pipelines_tests.objects.list_turns import Lists, lists_of, world_of

GET_USERS = "/api/lists/getUsers"
KILLED = -9


def turn(lists: Lists, crash_at: str = "") -> subprocess.CompletedProcess[str]:
    settings = lists.settings
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ITERABLE_")} | {
        "ITERABLE_API_KEY": lists.sandbox.key,
        "ITERABLE_BASE_URL": lists.sandbox.url,
        "ITERABLE_DATA_DIR": str(settings.data_dir),
        "ITERABLE_PROJECT_ROOT": str(settings.data_dir.parent),
        "ITERABLE_CRASH_AT": crash_at,
    }
    command = [sys.executable, "-m", "iterable_pipelines_tests.objects.take_a_turn"]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("step", ["list_read", "before_commit"])
def test_a_killed_turn(step: str) -> None:
    # more lists than are stored at once: some are stored when it is killed, if it gets that far
    with lists_of(world_of(more_lists=40, users=30)) as lists:
        killed = turn(lists, step)
        assert killed.returncode == KILLED, killed.stderr
        assert f"crashpoint {step}" in killed.stderr
        assert lists.warehouse.read("select count(*) from objects.list_members") == [(0,)]
        done = turn(lists)
        assert done.returncode == 0, done.stderr
        for each in lists.world.objects.lists[4:]:
            assert lists.now_on(each["id"]) == lists.truth(each["id"])
        # nothing is left of the first, and nobody is asked for again by a third
        assert list((lists.settings.landing_dir / "scratch").iterdir()) == []
        asked = len(lists.sandbox.requests(GET_USERS))
        assert turn(lists).returncode == 0
        assert len(lists.sandbox.requests(GET_USERS)) == asked


def test_the_next_turn_goes_on_with_the_next_list() -> None:
    with lists_of(world_of(more_lists=40, users=30)) as lists:
        assert turn(lists).returncode == 0
        lists.warehouse.read("delete from objects.list_states where list_id >= 950030")
        asked = len(lists.sandbox.requests(GET_USERS))
        assert turn(lists).returncode == 0
        again = {dict(each.params)["listId"] for each in lists.sandbox.requests(GET_USERS)[asked:]}
        assert again == {str(950030 + nth) for nth in range(10)}
