"""In-app messages: each is sent once, if that is approved, and a lost answer is settled by what was sent (S9)."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from iterable_pipelines.activation.declaration import Approval
from iterable_pipelines.activation.errors import ActivationRefused, InDoubt
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.run import send_pk
from iterable_pipelines.activation.verify import settle
from iterable_pipelines_tests.activation.conftest import AT_ONCE
from iterable_pipelines_tests.activation.content.conftest import Content

SYNC = """
object: in_app
source: marts.messages
primary_key: id
match: {column: email, field: email}
campaign_id: campaign
fields: {code: voucher}
verify_after_seconds: 0
max_failure_ratio: 1
"""
Make = Callable[..., Content]


@pytest.fixture
def made(content: Make) -> Content:
    """A project with a campaign of in-app messages, and rows for two people."""
    found = content()
    found.client.write(
        "POST", "/api/users/bulkUpdate", b'{"users": [{"email": "ada@ex.com"}, {"email": "bob@ex.com"}]}'
    )
    campaign = campaign_of(found, "Vouchers")
    found.project.table(
        "marts.messages",
        f"select * from (values (1, 'ada@ex.com', {campaign}, 'A1'), (2, 'bob@ex.com', {campaign}, 'B2'), "
        f"(3, 'bob@ex.com', 0, 'C3')) t(id, email, campaign, code)",
    )
    found.project.sync("messages", SYNC)
    return found


def campaign_of(content: Content, name: str) -> int:
    """Make a campaign of in-app messages; its id."""
    body = f'{{"name": "{name}", "templateId": {content.template("inapp")}}}'
    answer = content.client.write("POST", "/api/campaigns/create", body.encode())
    return int((answer.json() or {})["campaignId"])


def sent(made: Content) -> list[str]:
    return sorted(each["recipientEmail"] for each in made.project.requests("/api/inApp/target"))


def test_nobody_is_sent_anything_without_an_approval_and_everybody_once(made: Content) -> None:
    with pytest.raises(ActivationRefused, match="send: 2 in-app messages would be sent to 2 people"):
        made.project.run("messages")
    made.project.run("messages", approve=("send",))
    assert sent(made) == ["ada@ex.com", "bob@ex.com"]
    assert made.outcomes("messages")["3"] == ("invalid", "invalid_campaign_id")
    first = made.project.requests("/api/inApp/target")[0]
    # Iterable's default is true
    assert first["allowRepeatMarketingSends"] is False
    assert first["dataFields"].keys() == {"voucher"}
    made.project.run("messages")
    assert len(sent(made)) == 2
    assert made.verify("messages").verified == 2


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_answer_is_settled_by_the_messages_that_were_sent(
    made: Content, applied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.project.sandbox.fault("lost_answer" if applied else "status", "/api/inApp/target", holds="ada@ex.com")
    report = made.project.run("messages", approve=("send",))
    assert report.status == "failed"
    if not applied:
        with pytest.raises(InDoubt):
            made.project.run("messages", approve=("send",))
        monkeypatch.setitem(settle.READ_BACK, "in_app", replace(settle.READ_BACK["in_app"], settle=0))
    made.project.run("messages", approve=("send",))
    assert sent(made).count("ada@ex.com") == (1 if applied else 2)
    reached = [each for each in made.project.sandbox.sends if "ada@ex.com" in str(each)]
    assert len(reached) == 1


def test_a_mapping_that_changes_reaches_nobody_again(made: Content) -> None:
    """Backfill sends all rows once more, but what was sent to a person is not."""
    made.project.run("messages", approve=("send",))
    spelled = SYNC.replace("{code: voucher}", "{code: {to: voucher, null: omit}}")
    made.project.sync("messages", spelled + "on_mapping_change: backfill\n")
    made.project.run("messages", approve=("send", "backfill"))
    assert sent(made) == ["ada@ex.com", "bob@ex.com"]


def test_a_message_of_another_campaign_is_no_message_of_this_one(
    made: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ada is sent two campaigns, and the second answer is lost: it shows, and is not taken for the first."""
    other = campaign_of(made, "Thanks")
    made.project.table(
        "marts.messages",
        f"select * from marts.messages where id = 1 union all select 4, 'ada@ex.com', {other}, 'D4'",
    )
    made.project.sandbox.fault("lost_answer", "/api/inApp/target", holds="D4")
    made.project.run("messages", approve=("send",))
    monkeypatch.setitem(settle.READ_BACK, "in_app", replace(settle.READ_BACK["in_app"], settle=0))
    made.project.run("messages", approve=("send",))
    assert sent(made) == ["ada@ex.com", "ada@ex.com"]


def test_a_row_that_is_sent_alone_is_sent_once_and_to_nobody_without_an_approval(made: Content) -> None:
    """Nor does a refused attempt have the next run send the message again."""
    (sync,) = load_syncs(made.project.settings)

    def send_alone(approve: tuple[Approval, ...] = ()) -> str:
        settings, said = made.project.settings, made.project.said.append
        return send_pk(settings, sync, "1", said, lambda: made.client, AT_ONCE, approve).answer

    with pytest.raises(ActivationRefused, match="sync send messages --pk 1 --approve send"):
        send_alone()
    assert send_alone(("send",)) == "add: acked"
    assert "is sent once" in send_alone() and "is sent once" in send_alone(("send",))
    made.project.run("messages", approve=("send",))
    assert sent(made) == ["ada@ex.com", "bob@ex.com"]
