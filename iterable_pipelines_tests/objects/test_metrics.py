"""Metrics of campaigns: who is asked about and when, in how many requests, and one bad id among twenty."""

from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from iterable_pipelines.api import Broken, Iterable
from iterable_pipelines.api.metrics import BEGINNING, read_metrics, rows_of
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.sandbox.oddities import stamp
from iterable_pipelines.sandbox.server import Sandbox
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.objects.conftest import Refresh

PATH = "/api/campaigns/metrics"
# a cell longer than a reader of CSV takes
BIG = f"id,a\n1,{'x' * 200_000}\n"


def asked_for(sandbox: Sandbox) -> list[list[int]]:
    """The campaigns of each request."""
    return [[int(value) for name, value in each.params if name == "campaignId"] for each in sandbox.requests(PATH)]


def test_ended_campaigns_are_asked_for_during_15_days_and_once_after(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    refresh("campaigns", "campaign_metrics")
    requests = asked_for(sandbox)
    assert max(map(len, requests)) == 20
    everyone = Counter(campaign for each in requests for campaign in each)
    states = dict(warehouse.read("select id, (campaign_state, type) from objects.campaigns"))
    assert set(everyone) == {campaign for campaign, (state, _) in states.items() if state != "Recurring"}
    assert set(everyone.values()) == {1}
    ended = sorted(campaign for campaign, (state, _) in states.items() if state == "Finished")
    for campaign, days in zip(ended[:3], (1, 14, 16), strict=True):
        warehouse.read(
            f"update objects.campaigns set ended_at = now() at time zone 'UTC' - interval {days} days "
            f"where id = {campaign}"
        )
    first = len(requests)
    refresh("campaign_metrics")
    again = {campaign for each in asked_for(sandbox)[first:] for campaign in each}
    running = {campaign for campaign, (state, kind) in states.items() if state == "Running" or kind == "Triggered"}
    assert running
    # the third ended in the meantime: its last figures are fetched once
    assert again == running | set(ended[:3])
    first = len(asked_for(sandbox))
    refresh("campaign_metrics")
    assert {campaign for each in asked_for(sandbox)[first:] for campaign in each} == running | set(ended[:2])


def test_both_ends_are_always_named(sandbox: Sandbox, refresh: Refresh) -> None:
    refresh("campaigns", "campaign_metrics", "experiment_metrics")
    for path in (PATH, "/api/experiments/metrics"):
        for each in sandbox.requests(path):
            asked = dict(each.params)
            assert asked["startDateTime"] == "1970-01-01 00:00:00" < asked["endDateTime"]


def test_the_end_of_a_span_is_the_same_for_campaigns_and_experiments(sandbox: Sandbox, client: Iterable) -> None:
    campaign = next(each for each in sandbox.world.objects.standing if each.experience_id and each.medium == "Email")
    moment = parse_hour("2025-02-28T10")
    at = int(moment.timestamp())
    record = {"createdAt": stamp(at), "email": "a@example.com", "campaignId": campaign.id, "messageId": "m"}

    def sends(end: datetime) -> list[str]:
        both = [
            read_metrics(client, [campaign.id], BEGINNING, end),
            read_metrics(client, [campaign.id], BEGINNING, end, "/api/experiments/metrics", inclusive_end=True),
        ]
        return [next(found).rows[0]["Total Email Sends"] for found in both]

    before = sends(moment)
    sandbox.world.write_event("emailSend", record, at, None)
    assert sends(moment) == before
    assert sends(moment + timedelta(seconds=1)) == [str(int(each) + 1) for each in before]


def test_a_campaign_iterable_does_not_know_hides_no_other(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    # it is listed, and its metrics are refused
    sandbox.fault("row_comes", "/api/campaigns", rows=2)
    refresh("campaigns")
    strangers = {campaign for (campaign,) in warehouse.read("select id from objects.campaigns where id < 2000000")}
    assert len(strangers) == 2
    done = refresh("campaign_metrics")
    assert done.notes == ("2 refused, the first with HTTP 404 NotFound: objects.asked says which",)
    measured = {campaign for (campaign,) in warehouse.read("select distinct campaign_id from objects.campaign_metrics")}
    everyone = {campaign for each in asked_for(sandbox) for campaign in each}
    assert measured == everyone - strangers
    noted = warehouse.read("select count(*) from objects.asked where outcome = 'HTTP 404 NotFound'")
    assert noted == [(2,)]


def test_when_all_are_refused_it_is_not_the_campaigns(sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse) -> None:
    refresh("campaigns")
    sandbox.fault("status", PATH, times=None, status=400)
    with pytest.raises(Broken, match="each of 20 campaigns was refused"):
        refresh("campaign_metrics")
    # so they are asked about again
    assert warehouse.read("select count(*) from objects.asked where version is not null") == [(0,)]
    sandbox.faults.clear()
    assert refresh("campaign_metrics").stored.rows > 0


def test_a_request_whose_campaigns_are_all_refused_holds_up_no_other(
    sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse
) -> None:
    refresh("campaigns", "campaign_metrics")
    first, *others = asked_for(sandbox)
    for table in ("asked", "campaign_metrics"):
        warehouse.read(f"delete from objects.{table}")
    for campaign in first:
        sandbox.fault("status", PATH, match={"campaignId": str(campaign)}, times=None, status=400)
    with pytest.raises(Broken, match="each of 20 campaigns was refused"):
        refresh("campaign_metrics")
    measured = warehouse.read("select distinct campaign_id from objects.campaign_metrics order by 1")
    assert [campaign for (campaign,) in measured] == sorted(campaign for each in others for campaign in each)
    # they come last from now on
    asked = len(asked_for(sandbox))
    with suppress(Broken):
        refresh("campaign_metrics")
    assert not set(asked_for(sandbox)[asked]) <= set(first)


EXPERIMENTS = "/api/experiments/metrics"


def test_a_figure_that_is_there_no_more_is_gone(sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse) -> None:
    refresh("campaigns")
    campaign, other = (each.id for each in sandbox.world.objects.standing[:2])

    def answer(*rows: list[object]) -> None:
        sandbox.faults.clear()
        headers = ["experimentId", "campaignId", "templateId", "name", "Sends", "Opens"]
        sandbox.fault("status", EXPERIMENTS, times=None, status=200, body={"headers": headers, "rows": rows})
        warehouse.read("delete from objects.asked")

    current = (
        "select campaign_id, variant, metric, text from objects.experiment_metrics "
        "where _gone_at is null and metric <> 'name' order by all"
    )
    answer([1, campaign, 5, "A", 3, 2], [1, campaign, 6, "B", 4, 1], [2, other, 7, "C", 9, ""])
    refresh("experiment_metrics")
    assert len(warehouse.read(current)) == 5
    # one variant has another name, of the other a figure is blank
    answer([1, campaign, 5, "A2", 3, 2], [1, campaign, 6, "B", 4, ""], [2, other, 7, "C", 9, ""])
    assert refresh("experiment_metrics").stored.gone == 4
    after = [(campaign, "5 A2", "Opens", "2"), (campaign, "5 A2", "Sends", "3"), (campaign, "6 B", "Sends", "4")]
    rest = [(other, "7 C", "Sends", "9")]
    assert warehouse.read(current) == sorted(after + rest)
    # refused is not answered
    sandbox.faults.clear()
    warehouse.read("delete from objects.asked")
    sandbox.fault("status", EXPERIMENTS, match={"campaignId": str(other)}, times=None, status=404)
    sandbox.fault("empty", EXPERIMENTS, times=None, status=200)
    refresh("experiment_metrics")
    assert warehouse.read(current) == rest
    # a campaign that is gone has no figures
    warehouse.read(f"update objects.campaigns set _gone_at = now() at time zone 'UTC' where id = {other}")
    refresh("experiment_metrics")
    assert warehouse.read(current) == []


def test_figures_are_numbers_and_blanks_are_none(refresh: Refresh, warehouse: Warehouse) -> None:
    refresh("campaigns", "campaign_metrics")
    assert warehouse.read("select count(*) from objects.campaign_metrics where value is null or text = ''") == [(0,)]
    columns = warehouse.read(
        "select message_medium, list(distinct metric order by metric) from objects.campaign_metrics "
        "join objects.campaigns on id = campaign_id group by 1"
    )
    assert "Total Email Sends" in dict(columns)["Email"]
    assert not [name for name in dict(columns)["SMS"] if "Email" in name]


def test_text_among_the_figures_is_kept_as_text(sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse) -> None:
    refresh("campaigns", "experiment_metrics")
    found = warehouse.read("select distinct metric, value, text from objects.experiment_metrics where value is null")
    assert set(found) == {("name", None, "Variant A"), ("name", None, "Variant B"), ("type", None, "Subject")}


def test_every_change_of_a_figure_is_kept(sandbox: Sandbox, refresh: Refresh, warehouse: Warehouse) -> None:
    refresh("campaigns", "campaign_metrics")
    ((campaign, metric),) = warehouse.read(
        "select campaign_id, metric from objects.campaign_metrics join objects.campaigns on id = campaign_id "
        "where campaign_state = 'Running' order by all limit 1"
    )
    count = "select count(*) from objects.campaign_metric_history"
    (before,) = warehouse.read(count)
    # as if it had been another figure the last time
    warehouse.read(
        f"update objects.campaign_metrics set record = '{{}}' where campaign_id = {campaign} and metric = '{metric}'"
    )
    assert refresh("campaign_metrics").stored.changed == 1
    assert warehouse.read(count) == [(before[0] + 1,)]
    refresh("campaign_metrics")
    assert warehouse.read(count) == [(before[0] + 1,)]


@pytest.mark.parametrize("body", [{"figures": []}, [], {"headers": "id"}])
def test_json_instead_of_a_table_is_an_error(body: object, sandbox: Sandbox, refresh: Refresh) -> None:
    refresh("campaigns")
    sandbox.fault("status", PATH, times=None, status=200, body=body)
    with pytest.raises(Broken):
        refresh("campaign_metrics")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", []),
        ("\n", []),
        ("id,Total Sends\n17,3\n18,\n", [{"id": "17", "Total Sends": "3"}, {"id": "18"}]),
        ('id,"Opens, filtered"\r\n17,"1,5"\r\n\r\n', [{"id": "17", "Opens, filtered": "1,5"}]),
        ('{"headers": "campaignId,a", "rows": ["1,2"]}', [{"campaignId": "1", "a": "2"}]),
        ('{"headers": ["campaignId", "a"], "rows": [[1, null]]}', [{"campaignId": "1"}]),
    ],
)
def test_a_table_in_every_shape(text: str, rows: list[dict[str, str]]) -> None:
    assert rows_of(text) == rows


@pytest.mark.parametrize(
    "text", ["Total Sends\n3\n", "id,a\n1,2,3\n", "An error occurred", "id,a,a\n1,2,3\n", 'id,a\n1,"2\n3,4\n', BIG]
)
def test_what_is_no_table_is_broken(text: str) -> None:
    with pytest.raises(Broken):
        rows_of(text)
