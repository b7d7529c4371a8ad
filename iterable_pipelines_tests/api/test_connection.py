"""The check before the first import says what is wrong, and what to do (checklist K22; faults.md H01, H02)."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from iterable_pipelines.api import Connection, Ledger, check_connection
from iterable_pipelines_tests.api.conftest import BRISK, KEY
from iterable_pipelines_tests.api.wire import Script, as_json, chunked, serving, sized

CHANNELS = as_json({"channels": []})
WRONG = as_json({"msg": "Invalid API key", "code": "BadApiKey", "params": None}, 401)
WEAK = as_json({"msg": "Disabled API key or insufficient privileges", "params": {}}, 401)
EMPTY = chunked()
PAGE = sized(b"<html><h1>Welcome to nginx</h1></html>", kind="text/html")


def check(url: str, tmp_path: Path, regions: dict[str, str] | None = None) -> Connection:
    """Check with a ledger of its own."""
    return check_connection(KEY, url, Ledger(tmp_path / "ledger.db"), patience=BRISK, regions=regions)


@pytest.mark.parametrize(
    ("answers", "kind", "words"),
    [
        ([CHANNELS, EMPTY], "ok", "may export"),
        ([CHANNELS, WEAK], "no export rights", "server-side key"),
        ([CHANNELS, as_json({"msg": "No", "code": "Forbidden"}, 403)], "no export rights", "server-side key"),
        ([WRONG], "wrong key", "ITERABLE_API_KEY"),
        ([as_json({"msg": "No", "code": "Forbidden"}, 403)], "wrong key", "ITERABLE_API_KEY"),
        ([sized(b"", 503)], "unreachable", "503"),
        ([PAGE], "unreachable", "Welcome to nginx"),
        ([sized(b"<title>404</title>", 404, "text/html")], "unreachable", "not Iterable"),
        ([CHANNELS, sized(b"", 502)], "unreachable", "502"),
        ([sized(b"", 429, Retry_After="0.3")], "busy", "again in 1 s"),
    ],
)
def test_each_trouble_has_its_name(answers: list[Script], kind: str, words: str, tmp_path: Path) -> None:
    with serving(*answers) as wire:
        found = check(wire.url, tmp_path)
    assert (found.kind, found.ok) == (kind, kind == "ok")
    assert words in found.message
    assert KEY not in found.message
    assert len(wire.requests) == len(answers)
    assert [urlsplit(each.target).path for each in wire.requests] == ["/api/channels", "/api/export/data.json"][
        : len(answers)
    ]


def test_a_key_of_the_other_data_centre(tmp_path: Path) -> None:
    with serving(WRONG) as us, serving(CHANNELS, CHANNELS, EMPTY) as eu:
        regions = {"us": us.url, "eu": eu.url}
        found = check(us.url + "/", tmp_path, regions)
        assert found.kind == "wrong region"
        assert "set ITERABLE_REGION=eu" in found.message
        assert check(eu.url, tmp_path, regions).kind == "ok"


def test_a_key_of_neither_data_centre(tmp_path: Path) -> None:
    with serving(WRONG) as us, serving(WRONG) as eu:
        found = check(us.url, tmp_path, {"us": us.url, "eu": eu.url})
    assert found.kind == "wrong key"
    assert "nor in the other data centre" in found.message


def test_a_key_for_an_address_of_one_s_own_stays_there(tmp_path: Path) -> None:
    with serving(WRONG) as own, serving(CHANNELS) as us:
        assert check(own.url, tmp_path, {"us": us.url}).kind == "wrong key"
    assert us.requests == []


def test_nobody_there(tmp_path: Path) -> None:
    with serving(b"") as wire:
        pass
    found = check(wire.url, tmp_path)
    assert found.kind == "unreachable"
    assert "connection refused" in found.message


@pytest.mark.parametrize("url", ["http://example.com", "nonsense"])
def test_an_address_that_cannot_be_asked(url: str, tmp_path: Path) -> None:
    assert check(url, tmp_path).kind == "unreachable"
