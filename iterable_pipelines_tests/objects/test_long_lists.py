"""Lists that take long to come: others are read and stored beside them, whoever else has the warehouse."""

from datetime import timedelta
from threading import Event, Thread

import pytest
from filelock import FileLock

from iterable_pipelines.objects.list_members import order
from iterable_pipelines.objects.list_members import turn as turns
from iterable_pipelines_tests.objects.list_turns import Lists, lists_of, world_of

ACTIVE, SEGMENT = 949814, 950000
GET_USERS = "/api/lists/getUsers"


def slow(lists: Lists, seconds: float) -> None:
    """Let the list SEGMENT take so long to come."""
    size = sum(len(name) + 1 for name in lists.truth(SEGMENT))
    pauses = round(seconds / 0.2)
    lists.sandbox.fault("drip", GET_USERS, match={"listId": str(SEGMENT)}, bytes=size // pauses + 1, pause=0.2)


def test_others_are_read_beside_a_long_list(monkeypatch: pytest.MonkeyPatch) -> None:
    second, ahead = timedelta(seconds=1), timedelta(hours=8)
    # a minute of the limit lasts a second, the turn one more, and the list six
    with lists_of(world_of(more_lists=20, users=30), pace=1 / 60) as lists:
        size = sum(len(name) + 1 for name in lists.truth(SEGMENT))
        lists.sandbox.fault("drip", GET_USERS, match={"listId": str(SEGMENT)}, bytes=size // 6 + 1, pause=1.0)
        with monkeypatch.context() as patched:
            patched.setattr(turns, "_LONG", second / 2)
            turn = turns.take_turn(lists.connect, lists.warehouse, lists.settings, lambda text: None, length=second)
        assert (turn.read, turn.failed) == (21, 0)
        assert lists.now_on(SEGMENT) == lists.truth(SEGMENT)
        # where no list is long, the turn is over when it is over
        again = turns.take_turn(
            lists.connect, lists.warehouse, lists.settings, lambda text: None, lambda moment: moment + ahead, second
        )
        assert 0 < again.read < 21


def test_a_list_that_comes_again_before_it_is_stored_stands_as_it_came_last(monkeypatch: pytest.MonkeyPatch) -> None:
    # no list rests, and nothing has to be stored before the turn is over
    monkeypatch.setattr(order, "due_at", lambda each, others: each.state.noticed_at)
    monkeypatch.setattr(turns, "_AT_ONCE", 10_000)
    with lists_of(world_of(more_lists=1)) as lists:
        slow(lists, 3)
        lists.sandbox.fault(
            "more_lines", GET_USERS, match={"listId": str(ACTIVE)}, times=None, after=1, lines=["a@b.c"]
        )
        turns.take_turn(lists.connect, lists.warehouse, lists.settings, lambda text: None, length=timedelta(seconds=2))
        asked = [each for each in lists.sandbox.requests(GET_USERS) if dict(each.params)["listId"] == str(ACTIVE)]
        state = lists.state(ACTIVE)
        assert state.requests == len(asked) > 1
        assert lists.now_on(ACTIVE) == lists.truth(ACTIVE) | {"a@b.c"}
        assert state.lines == state.members == len(lists.truth(ACTIVE)) + 1


def test_while_another_process_has_the_warehouse_what_came_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_AT_ONCE", 1)
    with lists_of(world_of(more_lists=3)) as lists:
        lists.warehouse.wait_seconds = 0.2
        slow(lists, 3)
        said: list[str] = []
        begun, over = Event(), Event()

        def other_process() -> None:
            begun.wait()
            with FileLock(f"{lists.warehouse.path}.lock"):
                while not over.wait(0.05) and not any("wait to be stored" in text for text in said):
                    pass

        def connect() -> turns.Client:
            begun.set()
            return lists.connect()

        other = Thread(target=other_process)
        other.start()
        try:
            turn = turns.take_turn(connect, lists.warehouse, lists.settings, said.append)
        finally:
            begun.set()
            over.set()
            other.join()
        assert any("wait to be stored" in text for text in said)
        assert (turn.read, turn.failed) == (4, 0)
        assert len(lists.sandbox.requests(GET_USERS)) == 4
        for each in (ACTIVE, SEGMENT, SEGMENT + 1, SEGMENT + 2):
            assert lists.now_on(each) == lists.truth(each)
