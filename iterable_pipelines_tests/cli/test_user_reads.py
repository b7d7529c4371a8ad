"""`user`, `events`, `messages`: one person, straight from the sandbox, whatever signs are in the name."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import requests

from iterable_pipelines.hours import parse_hour
from iterable_pipelines.sandbox import Sandbox, running_sandbox
from iterable_pipelines_tests.cli.command import Command, CommandHere

ODD_IDS = ["a/b", "a+b", "50%", "%2F", "with a blank", "q?x=1&y#z", "a;b:c@d", "../users", "byUserId", "[bold]"]
ODD_EMAILS = ["a+b@example.com", "o'hara/x@example.com", "50%off@example.com", "ü@büro.example"]
TRACKED = int(datetime.fromisoformat("2026-11-02T12:00:00+00:00").timestamp())


@pytest.fixture(scope="module")
def hybrid() -> Iterator[Sandbox]:
    """A project in which people have addresses, ids, or both; the odd ones are written into it."""
    with running_sandbox(
        users=40,
        start=parse_hour("2026-10-25"),
        end=parse_hour("2026-11-03"),
        relaxed=True,
        project_type="hybrid",
    ) as running:
        for name in [*({"userId": each} for each in ODD_IDS), *({"email": each} for each in ODD_EMAILS)]:
            for path, body in (
                ("users/update", name | {"dataFields": {"favourite": "red\x1b[31m"}}),
                ("events/track", name | {"eventName": f"scored {name}", "createdAt": TRACKED, "dataFields": {"n": 1}}),
            ):
                headers = {"Api-Key": running.key}
                answer = requests.post(f"{running.url}/api/{path}", json=body, headers=headers, timeout=30)
                assert answer.ok, answer.text
        yield running


@pytest.fixture
def command(
    tmp_path: Path, hybrid: Sandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    settings = {"api_key": hybrid.key, "base_url": hybrid.url, "data_dir": str(tmp_path / "data")}
    return CommandHere(tmp_path, monkeypatch, capfd, project_type="hybrid", **settings)


@pytest.mark.parametrize("name", [*ODD_IDS, *ODD_EMAILS])
def test_odd_names_find_their_own_person(command: Command, name: str) -> None:
    by = ["--user-id"] if name in ODD_IDS and "@" in name else []
    key = "userId" if name in ODD_IDS else "email"
    said = command("user", name, "--json", *by)
    assert said.code == 0, said.err
    assert json.loads(said.out)[key] == name
    said = command("events", name, "--json", *by)
    assert said.code == 0, said.err
    assert [json.loads(line)["eventName"] for line in said.out.splitlines()] == [f"scored { ({key: name}) }"]
    said = command("messages", name, *by)
    assert said.code == 0 and "shows no in-app messages" in said.out


def test_tables_steer_no_terminal(command: Command) -> None:
    said = command("user", ODD_EMAILS[0])
    assert said.code == 0 and "favourite" in said.out and "\x1b" not in said.out
    said = command("events", "[bold]")
    assert said.code == 0
    assert "Events of [bold]" in said.out and "scored" in said.out and "2026-11-02 12:00:00" in said.out


@pytest.mark.parametrize("name", ["nobody@example.com", "nobody"])
def test_a_missing_user_in_both_of_iterables_forms(command: Command, hybrid: Sandbox, name: str) -> None:
    said = command("user", name)
    assert said.code == 1 and name in said.err and "Next: " in said.err
    (asked,) = [each for each in hybrid.requests("/api/users/") if each.params and each.params[0][1] == name][-1:]
    # {} for an address, an error for an id (api.md 1.8)
    assert asked.status == (200 if "@" in name else 400)
    for read in ("events", "messages"):
        said = command(read, name)
        assert said.code == 0 and f"shows no {'events' if read == 'events' else 'in-app messages'}" in said.out


def busiest(hybrid: Sandbox, data_type: str) -> str:
    emails = Counter(each["email"] for each in hybrid.world.all_records(data_type) if each.get("email"))
    return emails.most_common(1)[0][0]


def test_the_newest_events_first_and_no_more_than_asked_for(command: Command, hybrid: Sandbox) -> None:
    email = busiest(hybrid, "customEvent")
    said = command("events", email, "--limit", "5", "--json")
    times = [json.loads(line)["createdAt"] for line in said.out.splitlines()]
    assert len(times) == 5 and times == sorted(times, reverse=True)
    assert "--limit 200 shows more" in command("events", email, "--limit", "5").out
    for wrong in ("0", "201"):
        assert command("events", email, "--limit", wrong).code == 2


def test_in_app_messages(command: Command, hybrid: Sandbox) -> None:
    email = busiest(hybrid, "inAppSend")
    said = command("messages", email, "--json")
    found = [json.loads(line) for line in said.out.splitlines()]
    sent = {each["messageId"] for each in hybrid.world.all_records("inAppSend")}
    over = {each["messageId"] for kind in ("inAppRecall", "inAppDelete") for each in hybrid.world.all_records(kind)}
    assert found and {each["messageId"] for each in found} <= sent - over
    said = command("messages", email, "--limit", "1")
    assert said.code == 0 and "In-app messages of" in said.out and "The newest 1" in said.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["user", " "], "an address or a user id is needed"),
        (["events", ".."], "cannot be asked for"),
        (["events", "x" * 3000], "longer than 2,000 characters"),
    ],
)
def test_what_cannot_be_asked_is_said(command: Command, arguments: list[str], message: str) -> None:
    said = command(*arguments)
    assert said.code in (1, 2) and message in said.err and "xxxxx" not in said.err


def test_an_error_of_iterables_names_nobody(command: Command, hybrid: Sandbox) -> None:
    for status in (401, 403):
        hybrid.fault("status", "/api/events", status=status)
        said = command("events", "ann@example.com")
        assert said.code == 1 and str(status) in said.err and "ann@example.com" not in said.err
