"""Waiting for an export job: with patience, for any state, and without leaving the job behind (faults.md H26, H27)."""

import time
from typing import Any, cast

import pytest

from iterable_pipelines.api import Broken, Iterable, JobPage, Refused, Truncated
from iterable_pipelines.api.selection import Selection
from iterable_pipelines.exporting import Door, door_for, wait_for_job
from iterable_pipelines.hours import HOUR, Window, parse_hour

START = parse_hour("2026-11-01")


class Script:
    """A client whose job goes through these states; an exception among them is raised. Notes what was cancelled."""

    def __init__(self, *states: Any, truncated: bool = False, no_cancel: bool = False) -> None:
        self.states, self.truncated, self.no_cancel = list(states), truncated, no_cancel
        self.cancelled: list[int] = []

    def export_page(self, job_id: int) -> JobPage:
        state = self.states.pop(0)
        if isinstance(state, BaseException):
            raise state
        return JobPage(job_id, state, self.truncated, ())

    def cancel_export(self, job_id: int) -> None:
        if self.no_cancel:
            raise Refused("too late")
        self.cancelled.append(job_id)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, without their passing."""
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


def wait(script: Script, said: list[str] | None = None) -> None:
    wait_for_job(cast(Iterable, script), 7, (said if said is not None else []).append)


def test_pauses_grow_from_one_second_to_thirty(pauses: list[float]) -> None:
    said: list[str] = []
    # running, and enqueued again, is no fault; nor is a state that nobody has heard of
    wait(Script("enqueued", "running", "enqueued", "rehydrating", "running", "running", "running", "completed"), said)
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert said[:3] == ["export job 7: started", "export job 7: enqueued", "export job 7: running"]


@pytest.mark.parametrize("state", ["failed", "cancelled", "cancelling"])
def test_a_job_that_ended_otherwise_is_broken(state: str, pauses: list[float]) -> None:
    script = Script("running", state)
    with pytest.raises(Broken, match=f"export job 7 is {state}"):
        wait(script)
    assert script.cancelled == []


def test_a_truncated_job_is_told_apart(pauses: list[float]) -> None:
    with pytest.raises(Truncated, match="ask for a shorter span"):
        wait(Script("completed", truncated=True))


@pytest.mark.parametrize("reason", [KeyboardInterrupt(), Broken("network failure")], ids=repr)
def test_a_job_that_is_given_up_is_cancelled(reason: BaseException, pauses: list[float]) -> None:
    script = Script("running", reason)
    with pytest.raises(type(reason)) as caught:
        wait(script)
    assert caught.value.__notes__ == ["Export job 7 was cancelled at Iterable."]
    assert script.cancelled == [7]


def test_a_job_that_cannot_be_cancelled_is_named(pauses: list[float]) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        wait(Script(KeyboardInterrupt(), no_cancel=True))
    assert caught.value.__notes__ == ["Export job 7 could not be cancelled, and goes on at Iterable: too late"]


@pytest.mark.parametrize(
    ("hours", "asked", "taken"),
    [(1, "auto", "export"), (48, "auto", "export"), (49, "auto", "job"), (1, "job", "job"), (9999, "export", "export")],
)
def test_the_door(hours: int, asked: Door, taken: Door) -> None:
    assert door_for(Selection("emailSend", Window(START, START + hours * HOUR)), asked) == taken
