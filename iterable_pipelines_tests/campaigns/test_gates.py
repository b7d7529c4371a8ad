"""Each check of a gate: passed, failed, and not known, which is no. All of them are looked at."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from iterable_pipelines.campaigns.calls import Prepared
from iterable_pipelines.campaigns.declaration import GatedCampaign
from iterable_pipelines.campaigns.gates import Check, Facts, evaluate
from iterable_pipelines.campaigns.ledger import CallLedger
from iterable_pipelines.campaigns.procedures import TriggerCampaign
from iterable_pipelines.campaigns.sync_facts import SyncFacts
from iterable_pipelines.hours import HOUR
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse

MOMENT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TRIGGER = TriggerCampaign(campaign_id=5, list_ids=[8])
RUNNING = {"campaignState": "Running", "type": "Triggered"}
WELL = SyncFacts(
    list_id=8,
    status="succeeded",
    whole=True,
    fresh_at=MOMENT - HOUR,
    pending=0,
    acknowledged=100,
    reject_ratio=0.01,
    read_back=50,
    verified_ratio=1.0,
    verified_at=MOMENT - HOUR,
    on_list=1.0,
)


def check(
    project: Settings,
    name: str,
    rules: dict[str, Any] | None = None,
    sync: SyncFacts | None = WELL,
    prepared: Prepared | None = None,
    moment: datetime = MOMENT,
    **more: Any,
) -> Check:
    """What one check of a gate finds."""
    to = {} if "list_ids" in more else {"audience": "vips"}
    campaign = GatedCampaign.model_validate({"name": "sale", "campaign_id": 5, "gate": rules or {}, **to, **more})
    found = prepared or Prepared(TRIGGER, RUNNING, {8: 100})
    facts = Facts(project, campaign, found, CallLedger(project), moment, sync)
    (only,) = [each for each in evaluate(facts) if each.name == name]
    return only


def test_the_campaign_must_be_one_that_can_be_triggered(project: Settings) -> None:
    assert check(project, "campaign").passed
    stopped = Prepared(TRIGGER, RUNNING | {"campaignState": "Aborted"}, {8: 100}, ("campaign 5 is Aborted",))
    assert check(project, "campaign", prepared=stopped).passed is False


def test_the_list_of_the_audience_must_be_known(project: Settings) -> None:
    assert check(project, "audience").passed
    assert check(project, "audience", sync=replace(WELL, list_id=None)).passed is False
    assert check(project, "audience", sync=None).passed is None


@pytest.mark.parametrize("name", ["audience", "fresh", "complete", "rejects", "verified"])
def test_nothing_is_known_of_a_sync_that_is_at_work(project: Settings, name: str) -> None:
    found = check(project, name, {"fresh_within": "24h"}, sync=None)
    assert found.passed is None and not found.lets_pass and "at work" in found.text


def test_it_must_have_been_sent_lately_and_as_a_whole(project: Settings) -> None:
    assert check(project, "fresh", {"fresh_within": "1h"}).passed
    assert check(project, "fresh", {"fresh_within": "59m"}).passed is False
    assert check(project, "fresh", {"fresh_within": "24h"}, sync=replace(WELL, fresh_at=None)).passed is False


@pytest.mark.parametrize(
    ("change", "passed"),
    [
        ({}, True),
        ({"status": "partial"}, False),
        ({"status": "failed"}, False),
        ({"status": "interrupted"}, False),
        ({"status": None, "whole": None}, False),
        ({"whole": False}, False),
        ({"pending": 1}, False),
    ],
)
def test_the_last_run_must_be_whole(project: Settings, change: dict[str, Any], passed: bool) -> None:
    assert check(project, "complete", sync=replace(WELL, **change)).passed is passed


def test_no_more_than_a_few_may_be_refused(project: Settings) -> None:
    assert check(project, "rejects", {"max_reject_ratio": 0.01}).passed
    assert check(project, "rejects", {"max_reject_ratio": 0.009}).passed is False
    assert check(project, "rejects", sync=replace(WELL, acknowledged=0)).passed is None


@pytest.mark.parametrize(
    ("change", "passed"),
    [
        ({}, True),
        ({"verified_ratio": 0.98}, False),
        ({"on_list": 0.98}, False),
        ({"on_list": None}, True),
        # a list is counted as a whole, where no record is read back
        ({"read_back": 0}, True),
        ({"read_back": 0, "on_list": None}, None),
        ({"verified_at": None}, None),
        ({"verified_at": MOMENT - 25 * HOUR}, False),
    ],
)
def test_what_was_sent_must_have_been_read_back(project: Settings, change: dict[str, Any], passed: bool | None) -> None:
    assert check(project, "verified", {"fresh_within": "24h"}, sync=replace(WELL, **change)).passed is passed


def test_as_many_as_usual(project: Settings) -> None:
    def size(rules: dict[str, Any], members: int | None = 100) -> bool | None:
        return check(project, "size", {"size": rules}, prepared=Prepared(TRIGGER, RUNNING, {8: members})).passed

    assert size({"min": 100, "max": 100})
    assert size({"min": 101}) is False and size({"max": 99}) is False
    assert size({"min": 1}, members=None) is None
    # the first time there is nothing to compare with
    assert size({"max_change": 0.5})
    sent(project, MOMENT - timedelta(days=7), members=100)
    assert size({"max_change": 0.5}, 150) and size({"max_change": 0.5}, 50)
    assert size({"max_change": 0.5}, 151) is False and size({"max_change": 0.5}, 49) is False


def test_not_twice_within_a_time(project: Settings) -> None:
    rules = {"at_most_every": "7d"}
    assert check(project, "not_too_often", rules).passed
    sent(project, MOMENT - timedelta(days=7))
    assert check(project, "not_too_often", rules).passed
    sent(project, MOMENT - timedelta(days=7) + timedelta(minutes=1))
    assert check(project, "not_too_often", rules).passed is False
    sent(project, MOMENT - timedelta(days=30), state="unknown")
    assert check(project, "not_too_often", rules).passed is None


def test_nobody_is_woken(project: Settings) -> None:
    night = {"from": "21:00", "to": "08:00", "timezone": "America/New_York"}
    # 09:30 UTC is 04:30 there, and 10:30 in Berlin
    assert check(project, "awake", {"quiet_hours": night}).passed is False
    assert check(project, "awake", {"quiet_hours": night | {"timezone": "Europe/Berlin"}}).passed
    # YAML reads 10:30 without quotes as 630, and 9:00 as 540
    day = {"from": 540, "to": 630, "timezone": "Europe/Berlin"}
    assert check(project, "awake", {"quiet_hours": day}).passed
    assert check(project, "awake", {"quiet_hours": day | {"to": 631}}).passed is False


def test_streams_must_have_no_hole(project: Settings, warehouse: Warehouse) -> None:
    rules = {"streams": {"names": ["iterable_activity", "iterable_users"], "hours": 3}}
    nothing = check(project, "streams", rules)
    assert nothing.passed is None and "nothing published" in nothing.text
    complete(warehouse, "iterable_activity", 3)
    complete(warehouse, "iterable_users", 2)
    found = check(project, "streams", rules)
    assert found.passed is False and found.figures["iterable_users"] == "2 of 3 hours"
    complete(warehouse, "iterable_users", 3)
    assert check(project, "streams", rules).passed
    # one of its data types is silent, which is a suspicion; then one lacks something
    complete(warehouse, "iterable_users", 3, trouble="silent")
    assert check(project, "streams", rules).passed
    complete(warehouse, "iterable_activity", 3, trouble="landed but not loaded")
    assert check(project, "streams", rules).passed is False


@pytest.mark.parametrize("name", ["suppression", "fresh"])
def test_lists_must_have_been_read_lately(project: Settings, warehouse: Warehouse, name: str) -> None:
    if name == "suppression":
        rules: dict[str, Any] = {"suppression": {"lists": [77], "read_within": "2h"}}
        more: dict[str, Any] = {"suppression_list_ids": [77]}
    else:
        rules, more = {"fresh_within": "2h"}, {"list_ids": [77]}
    assert check(project, name, rules, **more).passed is None
    warehouse.publish()
    found = check(project, name, rules, **more)
    assert found.passed is False and "was never read" in found.text
    for hours, passed in ((2, True), (3, False)):
        read_at(warehouse, MOMENT - hours * HOUR)
        assert check(project, name, rules, **more).passed is passed


def test_every_check_is_looked_at_and_some_may_be_set_aside(project: Settings) -> None:
    campaign = GatedCampaign.model_validate(
        {"name": "sale", "campaign_id": 5, "audience": "vips", "gate": {"fresh_within": "1m", "size": {"min": 1000}}}
    )
    facts = Facts(project, campaign, Prepared(TRIGGER, RUNNING, {8: 5}), CallLedger(project), MOMENT, WELL)
    found = evaluate(facts, ["size", "rejects"])
    words = {each.name: each.word for each in found}
    assert list(words) == list(campaign.checks)
    assert (words["fresh"], words["size"], words["rejects"]) == ("failed", "overridden", "passed")


def sent(project: Settings, moment: datetime, members: int | None = None, state: Any = "done") -> None:
    """The ledger tells of a send."""
    ledger = CallLedger(project)
    planned = ledger.plan(TRIGGER, "ann", True, moment)
    ledger.note(replace(planned, state=state, sent_at=moment, list_size=members))


def complete(warehouse: Warehouse, stream: str, hours: int, trouble: str | None = None) -> None:
    """The stream has so many hours up to two before the moment; in the first of them a second data type has trouble."""
    with warehouse.transaction() as con:
        con.execute("delete from streams.completeness where stream = ?", [stream])
        for back in range(hours):
            hour = datetime(2026, 11, 22, 6) - back * HOUR
            for data_type, wrong in (("one", None), ("two", None if back else trouble)):
                con.execute(
                    "insert into streams.completeness (stream, data_type, hour, trouble) values (?, ?, ?, ?)",
                    [stream, data_type, hour, wrong],
                )
    warehouse.publish()


def read_at(warehouse: Warehouse, moment: datetime) -> None:
    """List 77 was read then."""
    with warehouse.transaction() as con:
        con.execute("insert or replace into objects.lists (id, name, list_type) values (77, 'No', 'Suppression')")
        con.execute("delete from objects.list_states")
        con.execute(
            "insert into objects.list_states (list_id, known_by, noticed_at, read_at, members) "
            "values (77, 'reading', $1, $1, 3)",
            [moment.replace(tzinfo=None)],
        )
    warehouse.publish()
