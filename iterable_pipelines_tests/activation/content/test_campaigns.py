"""Campaigns made of rows: once each, sent to nobody unless that is approved, and settled by reading (4.1, K17, S9)."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from iterable_pipelines.activation.errors import ActivationRefused, InDoubt
from iterable_pipelines.activation.verify import settle
from iterable_pipelines.api.content_reads import read_campaign
from iterable_pipelines_tests.activation.content.conftest import Content

SYNC = """
object: campaign
source: marts.campaigns
primary_key: id
campaign_name: title
template_id: template
list_ids: lists
verify_after_seconds: 0
"""
Make = Callable[..., Content]


@pytest.fixture
def made(content: Make) -> Content:
    """A project with a template, a list, and a row for a campaign of each kind."""
    found = content()
    template = found.template("email")
    found.client.write("POST", "/api/lists", b'{"name": "Testers"}')
    (the_list,) = [each for each in found.client.get("/api/lists")["lists"] if each["name"] == "Testers"]
    found.project.table(
        "marts.campaigns",
        f"select 1 as id, 'Blast' as title, {template} as template, [{the_list['id']}] as lists, "
        f"null::timestamp as at union all select 2, 'Triggered', {template}, [], null",
    )
    found.project.sync("campaigns", SYNC)
    return found


def campaigns(content: Content) -> list[str]:
    return [each["name"] for each in content.client.get_pages("/api/campaigns", "campaigns")]


def test_a_campaign_is_made_once_and_sent_to_nobody(made: Content) -> None:
    before = len(campaigns(made))
    made.project.run("campaigns")
    blast, triggered = sorted(made.project.requests("/api/campaigns"), key=lambda each: str(each["name"]))
    # K17: Iterable's default would send it
    assert blast["scheduleSend"] is False
    assert "listIds" not in triggered
    assert triggered["scheduleSend"] is False
    assert made.project.sandbox.sends == []
    made.project.run("campaigns")
    assert len(campaigns(made)) == before + 2
    assert made.verify("campaigns").verified == 2


def test_its_id_stands_in_the_row_log(made: Content) -> None:
    made.project.run("campaigns")
    rows = made.project.published("select pk, result->>'$.campaignId' from activation.sync_rows order by pk")
    shown = [(read_campaign(made.client, int(each)) or {})["name"] for _, each in rows]
    assert shown == ["Blast", "Triggered"]


def test_what_is_sent_to_people_needs_an_approval(made: Content) -> None:
    made.project.sync("campaigns", SYNC + "schedule_send: true\nmax_failure_ratio: 1\n")
    with pytest.raises(ActivationRefused, match="1 campaigns would be sent to everybody on 1 lists") as stopped:
        made.project.run("campaigns")
    assert "--approve send" in str(stopped.value)
    made.project.run("campaigns", approve=("send",))
    # a triggered campaign has nobody to go to
    assert made.outcomes("campaigns") == {"1": ("acked", ""), "2": ("invalid", "missing_list_ids")}
    (sent,) = made.project.requests("/api/campaigns")
    assert sent["scheduleSend"] is True


def test_a_time_to_send_needs_the_approval_too_and_goes_as_utc(made: Content) -> None:
    made.project.sync("campaigns", SYNC + "send_at: {constant: '2031-05-01T10:00:00+02:00'}\n")
    with pytest.raises(ActivationRefused, match="send: "):
        made.project.run("campaigns")
    made.project.run("campaigns", approve=("send",))
    assert {each["sendAt"] for each in made.project.requests("/api/campaigns")} == {"2031-05-01 08:00:00"}


def test_rows_that_name_no_campaign_are_refused_before_anything_is_sent(made: Content) -> None:
    made.project.table(
        "marts.campaigns",
        "select 1 as id, '' as title, 5 as template, '[1]' as lists union all select 2, 'x', -3, '[1]' "
        "union all select 3, 'x', 5, 'one'",
    )
    made.project.sync("campaigns", SYNC + "max_failure_ratio: 1\n")
    made.project.run("campaigns")
    assert made.outcomes("campaigns") == {
        "1": ("invalid", "missing_campaign_name"),
        "2": ("invalid", "invalid_template_id"),
        "3": ("invalid", "invalid_list_ids"),
    }
    assert made.project.requests("/api/campaigns") == []


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_answer_is_settled_by_looking_for_the_campaign(
    made: Content, applied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(campaigns(made))
    kind = "lost_answer" if applied else "status"
    made.project.sandbox.fault(kind, "/api/campaigns/create", holds="Blast")
    report = made.project.run("campaigns")
    assert report.status == "failed"
    assert made.outcomes("campaigns")["1"][0] == "unknown"
    if not applied:
        # within the first minute it may not be shown yet
        with pytest.raises(InDoubt):
            made.project.run("campaigns")
        at_once = replace(settle.READ_BACK["campaign"], settle=0)
        monkeypatch.setitem(settle.READ_BACK, "campaign", at_once)
    made.project.run("campaigns")
    assert sorted(campaigns(made)[before:]) == ["Blast", "Triggered"]
    assert made.verify("campaigns").verified == 2
