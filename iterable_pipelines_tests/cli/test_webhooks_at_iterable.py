"""`webhooks show` and `webhooks register`: against the sandbox, whose webhooks then reach the receiver."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iterable_pipelines.sandbox import Hook, Sandbox, running_sandbox
from iterable_pipelines_tests.cli.command import CommandHere, Said

TOKEN, NEXT_TOKEN = "first-token-of-two-0123456789", "second-token-of-two-9876543210"
ENDPOINT = "https://hooks.example.org/webhooks"
Run = Callable[..., Said]


@pytest.fixture
def hooks() -> list[Hook]:
    """One webhook, that of somebody else's receiver."""
    return [Hook(51, "https://elsewhere.example.com/", enabled=False, triggered=False, headers=(("X-Old", "old"),))]


@pytest.fixture
def sandbox(hooks: list[Hook]) -> Iterator[Sandbox]:
    """A project with these webhooks."""
    with running_sandbox(users=5, webhooks=hooks) as running:
        yield running


@pytest.fixture
def run(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """`webhooks` with these arguments; whatever comes of it, no token is shown."""
    tokens = f"{TOKEN},{NEXT_TOKEN}"
    command = CommandHere(tmp_path, monkeypatch, capfd, api_key=sandbox.key, base_url=sandbox.url, webhook_token=tokens)

    def run(*arguments: str, **settings: str) -> Said:
        said = command("webhooks", *arguments, **settings)
        for secret in (TOKEN, NEXT_TOKEN, "X-Old"):
            assert secret not in said.out + said.err
        return said

    yield run


def test_show_lists_the_webhooks(run: Run, sandbox: Sandbox) -> None:
    said = run("show")
    assert said.code == 0
    for text in ("51", "https://elsewhere.example.com/", "NoAuth", "yes", "no", "none named"):
        assert text in said.out


def test_register_points_the_one_webhook_here_with_the_first_token(run: Run, sandbox: Sandbox) -> None:
    said = run("register", "--endpoint", ENDPOINT)
    assert said.code == 0, said.err
    assert sandbox.world.hooks.all() == [Hook(51, ENDPOINT, headers=(("Authorization", TOKEN),))]
    assert ENDPOINT in said.out and "custom header Authorization" in said.out
    # what it said was read back, not supposed
    assert [each.method for each in sandbox.requests("/api/webhooks")] == ["GET", "POST", "GET"]


def test_the_header_of_the_settings_is_the_one(run: Run, sandbox: Sandbox) -> None:
    assert run("register", "--endpoint", ENDPOINT, webhook_header="X-Webhook-Token").code == 0
    assert sandbox.world.hooks.all() == [Hook(51, ENDPOINT, headers=(("X-Webhook-Token", TOKEN),))]


@pytest.mark.parametrize(("way", "auth_type"), [("basic", "Basic"), ("oauth2", "OAuth2")])
def test_iterable_s_own_ways_leave_the_custom_headers(run: Run, sandbox: Sandbox, way: str, auth_type: str) -> None:
    assert run("register", "--endpoint", ENDPOINT, "--auth", way).code == 0
    expected = Hook(51, ENDPOINT, auth_type=auth_type, auth_token=TOKEN, headers=(("X-Old", "old"),))
    assert sandbox.world.hooks.all() == [expected]


def test_iterable_s_own_ways_do_not_fit_a_header_of_another_name(run: Run, sandbox: Sandbox) -> None:
    said = run("register", "--endpoint", ENDPOINT, "--auth", "basic", webhook_header="X-Webhook-Token")
    assert said.code == 1 and "X-Webhook-Token" in said.err and not sandbox.requests("/api/webhooks")


def test_a_dry_run_shows_the_request_without_the_token_and_sends_nothing(run: Run, sandbox: Sandbox) -> None:
    before = sandbox.world.hooks.all()
    said = run("register", "--endpoint", ENDPOINT, "--dry-run")
    assert said.code == 0 and sandbox.world.hooks.all() == before
    body = json.loads(said.out[said.out.index("{") : said.out.rindex("}") + 1])
    assert body["id"] == 51 and body["headers"] == [{"key": "Authorization", "value": "(hidden)"}]
    assert [each.method for each in sandbox.requests("/api/webhooks")] == ["GET"]


class TestNone:
    @pytest.fixture
    def hooks(self) -> list[Hook]:
        return []

    @pytest.mark.parametrize("arguments", [["show"], ["register", "--endpoint", ENDPOINT]])
    def test_it_says_who_can_make_one(self, run: Run, arguments: list[str]) -> None:
        said = run(*arguments)
        assert said.code == 1 and "Iterable's UI" in said.err and "System Webhooks" in said.err


class TestSeveral:
    @pytest.fixture
    def hooks(self, hooks: list[Hook]) -> list[Hook]:
        return [*hooks, Hook(77, "https://other.example.com/")]

    def test_without_an_id_they_are_listed(self, run: Run, sandbox: Sandbox) -> None:
        before = sandbox.world.hooks.all()
        said = run("register", "--endpoint", ENDPOINT)
        assert said.code == 1 and "--id" in said.err and "other.example.com" in said.out and "51" in said.out
        assert sandbox.world.hooks.all() == before

    def test_the_one_named_is_changed_and_no_other(self, run: Run, sandbox: Sandbox) -> None:
        before = sandbox.world.hooks.get(51)
        assert run("register", "--endpoint", ENDPOINT, "--id", "77").code == 0
        assert sandbox.world.hooks.get(51) == before
        assert (after := sandbox.world.hooks.get(77)) is not None and after.endpoint == ENDPOINT

    def test_an_id_that_is_not_there(self, run: Run) -> None:
        said = run("register", "--endpoint", ENDPOINT, "--id", "78")
        assert said.code == 1 and "no webhook 78" in said.err and "other.example.com" in said.out


@pytest.mark.parametrize(
    "endpoint",
    ["http://hooks.example.org/", "hooks.example.org", "ftp://hooks.example.org", "https://u:p@hooks.example.org/", ""],
)
def test_the_token_goes_by_https_only(run: Run, sandbox: Sandbox, endpoint: str) -> None:
    said = run("register", "--endpoint", endpoint)
    assert said.code == 1 and "https" in said.err and not sandbox.requests("/api/webhooks")


def test_this_machine_is_an_address_for_a_sandbox_only(run: Run, sandbox: Sandbox) -> None:
    assert run("register", "--endpoint", "http://127.0.0.1:8700/webhooks").code == 0
    said = run("register", "--endpoint", "http://127.0.0.1:8700/webhooks", base_url="https://iterable.example.com")
    assert said.code == 1 and "cannot reach" in said.err


def test_without_a_token_it_says_how_to_make_one(run: Run, sandbox: Sandbox) -> None:
    said = run("register", "--endpoint", ENDPOINT, webhook_token="")
    assert said.code == 1 and "ITERABLE_WEBHOOK_TOKEN" in said.err and not sandbox.requests("/api/webhooks")


@pytest.mark.parametrize("status", [400, 401, 500])
def test_an_answer_that_quotes_the_token_does_not_show_it(run: Run, sandbox: Sandbox, status: int) -> None:
    before = sandbox.world.hooks.all()
    body = {"msg": f"Invalid header value {TOKEN}", "code": "BadParams", "params": None}
    sandbox.fault("status", "/api/webhooks", {"id": "51"}, times=None, status=status, body=body)
    said = run("register", "--endpoint", ENDPOINT)
    assert said.code == 1 and "(hidden)" in said.err and "webhooks show" in said.err
    assert sandbox.world.hooks.all() == before


def test_a_change_that_iterable_takes_but_does_not_make_is_said(run: Run, sandbox: Sandbox) -> None:
    sandbox.fault("status", "/api/webhooks", {"id": "51"}, status=200, body={"id": 51})
    said = run("register", "--endpoint", ENDPOINT)
    assert said.code == 1 and "does not list it as asked for" in said.err and "elsewhere.example.com" in said.out


@pytest.mark.parametrize("body", [{}, {"webhooks": None}, {"webhooks": [{"id": 51}]}])
def test_an_answer_without_webhooks_is_an_error_and_not_an_empty_list(run: Run, sandbox: Sandbox, body: dict) -> None:
    sandbox.fault("status", "/api/webhooks", status=200, body=body)
    said = run("show")
    assert said.code == 1 and "holds no list of webhooks" in said.err
