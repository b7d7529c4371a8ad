"""What is sent: the right question, to nobody else, with nothing of the key or of persons left behind."""

import logging
import subprocess
import sys
import traceback
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from iterable_pipelines.api import Broken, Iterable, Ledger, Refused
from iterable_pipelines.api.operations import check_operation
from iterable_pipelines.api.redaction import redacted, shown
from iterable_pipelines_tests.api.conftest import KEY, WINDOW, MakeClient
from iterable_pipelines_tests.api.wire import as_json, head, serving, sized

RECORD = b'{"email":"ann@example.com"}\n'


def test_an_export_asks_for_exactly_its_window(make_client: MakeClient, tmp_path: Path) -> None:
    with serving(sized(RECORD)) as wire:
        make_client(wire.url).export_events("user", WINDOW, tmp_path / "users.ndjson", ("email", "userId"))
    (request,) = wire.requests
    target = urlsplit(request.target)
    assert (request.method, target.path) == ("GET", "/api/export/data.json")
    assert parse_qs(target.query) == {
        "dataTypeName": ["user"],
        "startDateTime": ["2026-01-14 06:00:00 +00:00"],
        "endDateTime": ["2026-01-14 07:00:00 +00:00"],
        "onlyFields": ["email", "userId"],
    }
    assert "%2B00" in target.query
    assert request.headers["accept-encoding"] == "gzip"
    assert KEY not in request.target


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_its_target_never_asked(status: int, make_client: MakeClient, tmp_path: Path) -> None:
    with serving(sized(RECORD)) as other:
        answer = sized(b"", status, Location=f"{other.url}/api/export/data.json?stolen")
        with serving(answer) as wire:
            client = make_client(wire.url, attempts=3)
            for ask in (
                lambda: client.export_events("emailOpen", WINDOW, tmp_path / "events.ndjson"),
                lambda: client.get("/api/channels"),
            ):
                with pytest.raises(Refused, match=r"redirect to 127.0.0.1:.* not followed") as caught:
                    ask()
                assert "stolen" not in str(caught.value)
        assert len(wire.requests) == 2
        assert other.requests == []


def test_the_key_shows_nowhere(
    make_client: MakeClient, tmp_path: Path, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = []
    echo = as_json({"msg": f"Invalid API key {KEY}", "code": "BadApiKey"}, 401)
    for answer in (echo, sized(KEY.encode(), 500), sized(b"<html>" + KEY.encode(), kind="text/html"), b"", head()):
        with serving(answer) as wire:
            client = make_client(wire.url, attempts=2)
            texts += [repr(client), str(client)]
            try:
                client.export_events("emailOpen", WINDOW, tmp_path / "events.ndjson")
            except (Refused, Broken) as error:
                texts += [repr(error), traceback.format_exc()]
                assert error.__cause__ is None
                assert error.__context__ is None or not hasattr(error.__context__, "request")
    with pytest.raises(Refused) as caught:
        Iterable(f"{KEY}\n", "https://api.iterable.com", Ledger(tmp_path / "other.db"))
    texts += [str(caught.value), *told, caplog.text]
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert not [text for text in texts if KEY in text]
    assert KEY.encode() not in stored


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Invalid email: ann+x@example.com", "ann"),
        ("GET /api/users/ann%40example.com failed", "ann"),
        ("User does not exist. Email:  UserId: rudder2", "rudder2"),
        ('{"userId":"u-17","email":"a"}', "u-17"),
        ("no such phone +4915112345678", "4915"),
        (f"key {KEY}.", KEY),
    ],
)
def test_persons_are_hidden_in_texts(text: str, hidden: str) -> None:
    assert hidden not in redacted(text, KEY)


def test_requests_are_shown_without_persons(make_client: MakeClient) -> None:
    assert shown("GET", "/api/campaigns", {"page": 2}) == "GET /api/campaigns?page=2"
    assert shown("GET", "/api/users/ann%40example.com") == "GET /api/users/[email]"
    assert shown("GET", "/api/users/byUserId/u-17") == "GET /api/users/byUserId/[hidden]"
    assert shown("GET", "/api/users/getByEmail", {"email": "ann@x.org"}) == "GET /api/users/getByEmail?email=[hidden]"
    assert shown("GET", "/api/events/byUserId/u-17", {"limit": 3}) == "GET /api/events/byUserId/[hidden]?limit=[hidden]"
    with serving(b"") as wire, pytest.raises(Broken) as caught:
        make_client(wire.url).get("/api/users/getByEmail", {"email": "ann@x.org"})
    assert "ann" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://api.iterable.com", "ftp://127.0.0.1", "https://u:p@api.iterable.com", "api", ""]
)
def test_only_https_or_this_machine(url: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="ITERABLE_BASE_URL"):
        Iterable(KEY, url, Ledger(tmp_path / "ledger.db"))


@pytest.mark.parametrize(
    "url", ["https://api.eu.iterable.com/", "http://localhost:8800", "http://127.0.0.9", "http://[::1]:1"]
)
def test_https_and_this_machine_pass(url: str, tmp_path: Path) -> None:
    assert Iterable(KEY, url, Ledger(tmp_path / "ledger.db")).base_url == url.rstrip("/")


FORBIDDEN = [
    ("POST", "/api/users/update"),
    ("POST", "/api/events/trackBulk"),
    ("POST", "/api/export/start/"),
    ("POST", "/api/lists"),
    ("POST", "/api/webhooks/"),
    ("PUT", "/api/webhooks"),
    ("PUT", "/api/catalogs/c/items/i"),
    ("PATCH", "/api/catalogs/c/items/i"),
    ("DELETE", "/api/users/ann@example.com"),
    ("DELETE", "/api/lists/7"),
    ("DELETE", "/api/export/7"),
    ("HEAD", "/api/channels"),
    ("GET", "/admin"),
    ("GET", "/api/../admin"),
    ("GET", "/api/lists/%2e%2e/users"),
    ("GET", "/api/lists/a%2Fb"),
    ("GET", "/api/events/.."),
    ("GET", "/api/events/byUserId/%2e%2e"),
    ("GET", "/api/events/a%2Fb/c"),
    ("DELETE", "/api/events/a%2Fb"),
    ("GET", "//elsewhere.example.com/api/channels"),
    ("GET", "/api/channels?api_key=x"),
    ("GET", "/api/channels#x"),
    ("GET", "@elsewhere.example.com/api/channels"),
    ("GET", "/api/channels\r\nHost: x"),
]


@pytest.mark.parametrize(("method", "path"), FORBIDDEN)
def test_the_import_can_only_read(method: str, path: str) -> None:
    with pytest.raises(Refused, match="was not sent"):
        check_operation(method, path)


def test_where_webhooks_are_sent_can_be_changed() -> None:
    check_operation("POST", "/api/webhooks")


def test_events_of_a_user_id_with_a_slash_can_be_asked_for() -> None:
    check_operation("GET", "/api/events/byUserId/a%2Fb%252F")
    check_operation("GET", "/api/events/o%2Fhara%40example.com")


def test_a_path_that_leaves_the_api_is_not_sent(make_client: MakeClient) -> None:
    with serving(as_json({})) as wire:
        client = make_client(wire.url)
        for method, path in FORBIDDEN:
            if method == "GET":
                with pytest.raises(Refused, match="was not sent"):
                    client.get(path)
    assert wire.requests == []


def test_only_own_export_jobs_are_cancelled(make_client: MakeClient) -> None:
    with serving(as_json({"jobId": 3562}), as_json({"msg": "ok", "code": "Success", "params": None})) as wire:
        assert make_client(wire.url).start_export("emailOpen", WINDOW, ("email", "createdAt")) == 3562
        # another client, as after a crash: the ledger remembers
        client = make_client(wire.url)
        with pytest.raises(Refused, match="was not sent"):
            client.cancel_export(3563)
        client.cancel_export(3562)
    assert [(each.method, each.target) for each in wire.requests] == [
        ("POST", "/api/export/start"),
        ("DELETE", "/api/export/3562"),
    ]


def test_a_job_whose_start_broke_is_not_started_twice(make_client: MakeClient) -> None:
    with serving(sized(b"", 502)) as wire, pytest.raises(Broken):
        make_client(wire.url, attempts=4).start_export("emailOpen", WINDOW)
    assert len(wire.requests) == 1


def test_an_address_too_long_for_iterable_is_not_sent(make_client: MakeClient) -> None:
    with serving(as_json({})) as wire, pytest.raises(Refused, match="ask for less at once"):
        make_client(wire.url).get("/api/campaigns/metrics", {"campaignId": list(range(1_000_000, 1_000_200))})
    assert wire.requests == []


def test_nobody_listening_is_a_network_failure(make_client: MakeClient, told: list[str]) -> None:
    with serving(b"") as wire:
        pass
    with pytest.raises(Broken, match=r"network failure on the way to 127.0.0.1:.*connection refused"):
        make_client(wire.url, attempts=2).get("/api/channels")
    assert len(told) == 1


def test_a_name_that_does_not_exist(make_client: MakeClient) -> None:
    with pytest.raises(Broken, match=r"network failure on the way to api.iterable.invalid"):
        make_client("https://api.iterable.invalid").get("/api/channels")


def test_proxies_of_the_environment_count_only_if_asked(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    with serving(b"") as gone, serving(as_json({"channels": []})) as wire:
        monkeypatch.setenv("HTTP_PROXY", gone.url.replace("//", "//user:secret@"))
        monkeypatch.setenv("http_proxy", gone.url.replace("//", "//user:secret@"))
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("NO_PROXY", "")
        assert make_client(wire.url).get("/api/channels") == {"channels": []}
        with pytest.raises(Broken, match=f"through the proxy {gone.url[7:]}") as caught:
            make_client(wire.url, trust_environment=True).get("/api/channels")
    assert "secret" not in str(caught.value)
    assert len(wire.requests) == 1


def test_the_package_needs_no_dagster() -> None:
    code = "import sys, iterable_pipelines.api; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
