"""The documented limits: enforced as sliding windows, per key."""

import re

import pytest
import requests

from iterable_pipelines.sandbox import running_sandbox
from iterable_pipelines.sandbox.limits import LIMITS, Limits
from iterable_pipelines.sandbox.world import utc


def ask(sandbox, path, key=None, **params):
    return requests.get(sandbox.url + path, params=params, headers={"Api-Key": key or sandbox.key}, timeout=30)


NOON = utc("2026-11-02T12:00:00")
WINDOW = {"startDateTime": "2026-11-01", "endDateTime": "2026-11-02"}


def test_four_exports_a_minute_json_and_csv_together():
    with running_sandbox(users=5) as sandbox:
        paths = ["/api/export/data.json", "/api/export/data.csv"] * 3
        answers = [ask(sandbox, path, dataTypeName="rcsSend", **WINDOW) for path in paths]
        assert [each.status_code for each in answers] == [200] * 4 + [429] * 2
        assert answers[-1].json() == {"msg": "Exceeded rate limit.", "code": "RateLimitExceeded"}
        assert "retry-after" not in answers[-1].headers
        assert ask(sandbox, "/api/channels").status_code == 200


def test_relaxed_lifts_the_export_limit_and_no_other():
    with running_sandbox(users=5, relaxed=True) as sandbox:
        assert {
            ask(sandbox, "/api/export/data.json", dataTypeName="rcsSend", **WINDOW).status_code for _ in range(6)
        } == {200}
        assert [ask(sandbox, "/api/lists/949810/size").status_code for _ in range(6)] == [200] * 5 + [429]


def test_a_refused_call_is_not_counted_and_the_window_slides():
    limits = Limits()
    path = "/api/export/12/files"
    assert limits.allow("a", "GET", path) and not limits.allow("a", "GET", path)
    while not limits.allow("a", "GET", path):
        pass
    assert not limits.allow("a", "GET", path)


def test_a_faster_pace_shortens_every_span():
    limits = Limits(pace=0.001)
    path = "/api/export/data.json"
    assert [limits.allow("a", "GET", path) for _ in range(5)] == [True] * 4 + [False]
    while not limits.allow("a", "GET", path):
        pass


def test_a_call_that_one_limit_refuses_counts_for_none():
    limits = Limits(pace=0.001, now=lambda: NOON)  # three in a millisecond, a thousand in a day that does not end
    path = "/api/users/forget"
    allowed, refused = 0, 0
    while allowed < 1000:
        passed = limits.allow("a", "POST", path)
        allowed, refused = allowed + passed, refused + (not passed)
    assert refused > 1000 and not limits.allow("a", "POST", path) and limits.allow("a", "POST", "/api/users/unforget")


def test_keys_have_their_own_budget():
    limits = Limits()
    assert [limits.allow("a", "GET", "/api/lists/getUsers") for _ in range(6)] == [True] * 5 + [False]
    assert limits.allow("b", "GET", "/api/lists/getUsers")


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/api/export/data.csv", "export"),
        ("POST", "/api/export/start", "export start"),
        ("GET", "/api/campaigns/metrics", "campaign metrics"),
        ("GET", "/api/campaigns/7", "campaigns"),
        ("GET", "/api/templates/sms/get", "templates"),
        ("GET", "/api/users/forgotten", "forgotten users"),
        ("GET", "/api/users/a@example.com", "user reads"),
        ("POST", "/api/users/bulkUpdate", "user bulk update"),
    ],
)
def test_each_path_has_exactly_one_limit(method, path, name):
    assert [each.name for each in LIMITS if each.method == method and re.fullmatch(each.path, path)] == [name]
