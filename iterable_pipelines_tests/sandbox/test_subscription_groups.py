"""Subscriptions to single lists, channels and message types, and what joining a list undoes (api.md 6.3, 6.5)."""

import pytest

from iterable_pipelines_tests.sandbox.project import project

ANN, BO = "ann@example.com", "bo@example.com"
CHANNEL, OPT_OUT, OPT_IN, LIST = 39_581, 47_252, 47_253, 949_811
ARRAYS = {
    f"messageChannel/{CHANNEL}": ("unsubscribedChannelIds", CHANNEL, False),
    f"messageType/{OPT_OUT}": ("unsubscribedMessageTypeIds", OPT_OUT, False),
    f"messageType/{OPT_IN}": ("subscribedMessageTypeIds", OPT_IN, True),
    f"emailList/{LIST}": ("emailListIds", LIST, True),
}


@pytest.fixture
def running():
    with project(subscription_groups=True) as found:
        found.bulk({"email": ANN, "userId": "u-1"}, {"email": BO})
        yield found


@pytest.mark.parametrize("group", ARRAYS)
def test_one_person_and_many(running, group):
    key, number, means_in = ARRAYS[group]

    def on(name):
        return (number in running.user(name).get(key, [])) is means_in

    path = f"subscriptions/{group}"
    for who in (f"user/{ANN}", "byUserId/u-1"):
        answer = running.patch(f"{path}/{who}")
        assert (answer.status_code, answer.json()["code"]) == (202, "Accepted") and on(ANN)
        assert running.delete(f"{path}/{who}").status_code == 202 and not on(ANN)
    for action, there in (("subscribe", True), ("unsubscribe", False)):
        body = {"users": [BO, "nobody@example.com"], "usersByUserId": ["u-1"]}
        assert running.put(f"{path}?action={action}", **body).status_code == 202
        assert on(ANN) is on(BO) is there
    assert running.user("nobody@example.com") is None


def test_what_is_not_there_is_refused(running):
    for path in ("nonsense/1", "emailList/1", "messageChannel/47252"):
        assert running.patch(f"subscriptions/{path}/user/{ANN}").status_code == 400
    assert running.patch(f"subscriptions/emailList/{LIST}/user/nobody@example.com").status_code == 400
    assert running.put(f"subscriptions/emailList/{LIST}?action=nonsense", users=[ANN]).status_code == 400


def test_few_projects_have_it():
    with project() as running:
        running.bulk({"email": ANN})
        assert running.patch(f"subscriptions/emailList/{LIST}/user/{ANN}").status_code == 404
        assert running.put(f"subscriptions/emailList/{LIST}?action=subscribe", users=[ANN]).status_code == 404


@pytest.mark.parametrize("resubscribes", [True, False])
def test_joining_a_list_takes_back_what_was_left(resubscribes):
    with project(resubscribes=resubscribes) as running:
        for verb, more in (("subscribe", {}), ("unsubscribe", {"channelUnsubscribe": True}), ("subscribe", {})):
            running.post(f"lists/{verb}", listId=LIST, subscribers=[{"email": ANN}], **more)
        found = running.user(ANN)
        assert found["emailListIds"] == [LIST]
        assert found["unsubscribedChannelIds"] == ([] if resubscribes else [CHANNEL])
        assert len(running.export("emailSubscribe")) == 2
