"""From registration to the spool: the sandbox's webhook is pointed at the receiver, and what happens then arrives."""

import re
import time
from datetime import timedelta
from pathlib import Path

import pytest

from iterable_pipelines.hours import Window
from iterable_pipelines.sandbox import Hook, World, running_sandbox, webhooks_of
from iterable_pipelines.sandbox.world import utc
from iterable_pipelines.webhooks.body import read_body
from iterable_pipelines.webhooks.spool import Spool
from iterable_pipelines_tests.cli.command import Command
from iterable_pipelines_tests.sandbox.inbox import open_inbox

TOKEN = "a-token-of-the-test-0123456789"
BEFORE, AFTER = utc("2026-11-01 10:20:00"), utc("2026-11-01 11:10:00")


@pytest.mark.parametrize(
    ("way", "settings"),
    [
        ("header", {}),
        ("header", {"webhook_header": "X-Webhook-Token"}),
        ("basic", {}),
        ("oauth2", {}),
    ],
)
def test_every_event_is_spooled_once_whichever_way_the_token_is_shown(
    tmp_path: Path, way: str, settings: dict[str, str]
) -> None:
    world = World(users=100, start=utc("2026-10-20"))
    world.stop_clock(BEFORE)
    with running_sandbox(world=world, webhooks=[Hook(51, "https://nowhere.example.com/", enabled=False)]) as sandbox:
        command = Command(
            tmp_path, api_key=sandbox.key, base_url=sandbox.url, webhook_token=TOKEN, data_dir=str(tmp_path), **settings
        )
        with command.start("webhooks", "--port", "0") as receiver:
            assert receiver.stdout is not None
            found = re.search(r"http://\S+/webhooks", receiver.stdout.readline())
            assert found is not None
            said = command("webhooks", "register", "--endpoint", found[0], "--auth", way)
            assert said.code == 0, said.err
            around = Window(BEFORE - timedelta(hours=7), AFTER + timedelta(hours=1))
            sent = {read_body(body).digest for at, body in webhooks_of(world, around) if BEFORE < at <= AFTER}
            spool = Spool(tmp_path / "webhooks" / "spool.db")
            until(lambda: sandbox.sender.since is not None)
            world.stop_clock(AFTER)
            until(lambda: spool.level().queued >= len(sent))
            receiver.terminate()
            assert receiver.wait(30) == 0
        assert {each.digest for each in spool.queued(1000)} == sent and len(sent) > 30


def test_the_sandbox_of_the_command_line_posts_what_happens_now(tmp_path: Path) -> None:
    with (
        open_inbox() as inbox,
        Command(tmp_path).start(
            *("sandbox", "--port", "0", "--users", "3000"), *("--webhooks-to", inbox.url, "--webhook-token", TOKEN)
        ) as sandbox,
    ):
        inbox.wait_for(1)
        sandbox.terminate()
        assert sandbox.stdout is not None and inbox.url in (said := sandbox.stdout.read()) and TOKEN not in said
    assert inbox.received[0].headers["authorization"] == TOKEN


def test_the_sandbox_posts_nowhere_but_to_this_machine(tmp_path: Path) -> None:
    said = Command(tmp_path)("sandbox", "--port", "0", "--webhooks-to", "https://hooks.example.com/")
    assert said.code == 1 and "--webhooks-to" in said.err


def until(holds) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
