"""GET and POST /api/webhooks: what is shown, what may be changed, and what is refused."""

import pytest
import requests

from iterable_pipelines.sandbox import running_sandbox

SHOWN = {
    *("id", "endpoint", "enabled", "authType", "blastSendEnabled", "triggeredSendEnabled"),
    *("channelIds", "messageTypeIds"),
}


@pytest.fixture
def sandbox():
    with running_sandbox(users=5) as running:
        yield running


def listed(sandbox):
    answer = requests.get(sandbox.url + "/api/webhooks", headers={"Api-Key": sandbox.key}, timeout=30)
    assert answer.status_code == 200
    return {each["id"]: each for each in answer.json()["webhooks"]}


def update(sandbox, body):
    return requests.post(sandbox.url + "/api/webhooks", json=body, headers={"Api-Key": sandbox.key}, timeout=30)


def test_there_are_several_and_none_shows_a_secret(sandbox):
    hooks = listed(sandbox)
    assert len(hooks) > 1 and all(set(each) == SHOWN for each in hooks.values())
    assert any(each.auth_token for each in sandbox.world.hooks.all())


def test_those_that_are_always_there_lead_nowhere(sandbox):
    hooks = sandbox.world.hooks.all()
    assert any(each.enabled for each in hooks) and not any(each.reachable for each in hooks)


def test_only_what_is_named_is_updated(sandbox):
    before = listed(sandbox)
    answer = update(sandbox, {"id": 51, "triggeredSendEnabled": True})
    assert answer.status_code == 200 and answer.json() == before[51] | {"triggeredSendEnabled": True}
    assert listed(sandbox) == before | {51: answer.json()}


def test_token_and_headers_are_kept_and_not_shown_anywhere(sandbox):
    headers = [{"key": "X-Token", "value": "very-secret-2"}]
    answer = update(sandbox, {"id": 51, "authType": "Basic", "authToken": "very-secret-1", "headers": headers})
    assert answer.json()["authType"] == "Basic"
    hook = sandbox.world.hooks.get(51)
    assert (hook.auth_token, hook.headers) == ("very-secret-1", (("X-Token", "very-secret-2"),))
    log = requests.get(sandbox.url + "/_sandbox/requests", timeout=30).text
    assert "very-secret" not in answer.text + log + str(listed(sandbox))


@pytest.mark.parametrize("endpoint", ["https://elsewhere.example.com/x", "http://127.0.0.1:8700/webhooks"])
def test_an_endpoint_is_https_or_on_this_machine(sandbox, endpoint):
    assert update(sandbox, {"id": 51, "endpoint": endpoint}).json()["endpoint"] == endpoint


@pytest.mark.parametrize(
    "body",
    [
        {"id": 99, "enabled": True},
        {"enabled": True},
        {"id": None},
        {"id": [51]},
        {"id": 51, "enabled": "yes"},
        {"id": 51, "authType": "Bearer"},
        {"id": 51, "endpoint": "http://elsewhere.example.com/x"},
        {"id": 51, "endpoint": "nowhere"},
        {"id": 51, "headers": {"key": "X"}},
        {"id": 51, "headers": [{"key": "X"}]},
        [],
    ],
)
def test_anything_else_is_refused_and_changes_nothing(sandbox, body):
    before = listed(sandbox)
    answer = update(sandbox, body)
    assert answer.status_code == 400 and {"msg", "code"} <= set(answer.json())
    assert listed(sandbox) == before
