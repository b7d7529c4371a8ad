"""From the sync to the send: the gate opens and closes, every decision is kept, and the schedule sends by itself."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.verify import verify_sync
from iterable_pipelines.campaigns.assets import asset_key
from iterable_pipelines.campaigns.declaration import load_campaigns
from iterable_pipelines.campaigns.errors import CallInDoubt, CallRefused, GateClosed
from iterable_pipelines.campaigns.gated import Gated, Override, trigger_gated
from iterable_pipelines.campaigns.jobs import campaign_definitions, op_name
from iterable_pipelines.campaigns.ledger import CallLedger, Decision
from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines_tests.activation.conftest import Activation, quick_client
from iterable_pipelines_tests.campaigns.conftest import PEOPLE, Town

SYNC = """
object: list
source: shop.vips
primary_key: id
match: {column: email, field: email}
mode: mirror
list: {name: VIPs, create: true}
verify_after_seconds: 0
"""
GATE = """
campaign_id: %d
audience: vips
data_fields: {code: SUMMER}
gate:
  fresh_within: 24h
  size: {min: 2, max: 100, max_change: 0.5}
  at_most_every: 7d
"""


class Shop:
    """A town with a sync that fills a list, and a campaign behind a gate."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.activation = Activation(town.settings, town.sandbox)
        self.activation.sync("vips", SYNC)
        self.people(PEOPLE)
        self.number = town.create()
        self.gate(GATE % self.number)

    def people(self, names: tuple[str, ...]) -> None:
        rows = ", ".join(f"({number}, '{name}')" for number, name in enumerate(names))
        self.activation.table("shop.vips", f"select * from (values {rows}) t(id, email)")

    def gate(self, text: str, name: str = "sale") -> None:
        path = self.town.settings.project_root / "campaigns" / f"{name}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def sync(self) -> None:
        """Send, and read back."""
        self.activation.run("vips", approve=("mass_exit",))
        (sync,) = load_syncs(self.town.settings)
        connect = partial(quick_client, self.town.settings, self.town.said.append)
        verify_sync(self.town.settings, sync, connect=connect, log=self.town.said.append)

    def trigger(self, approve: bool = True, **more: Any) -> Gated:
        (campaign,) = load_campaigns(self.town.settings)
        told = {"client": self.town.client, "log": self.town.said.append, "clock": self.town.clock}
        return trigger_gated(self.town.settings, campaign, "ann", approve=approve, **told, **more)

    @property
    def decisions(self) -> list[Decision]:
        return CallLedger(self.town.settings).decisions()


@pytest.fixture
def shop(town: Town) -> Shop:
    return Shop(town)


def words(gated: Gated) -> dict[str, str]:
    return {each.name: each.word for each in gated.checks}


def test_before_the_sync_has_run_nothing_can_be_sent(shop: Shop) -> None:
    gated = shop.trigger(approve=False)
    assert gated.report is None and words(gated)["audience"] == "failed" and words(gated)["campaign"] == "unknown"
    with pytest.raises(GateClosed, match="it has not made or found its list yet") as closed:
        shop.trigger()
    # nobody is told to set aside what cannot be
    assert "--override" not in str(closed.value)
    assert [each.outcome for each in shop.decisions] == ["refused", "refused"] and shop.town.recipients == []


def test_an_open_gate_lets_it_pass_once(shop: Shop) -> None:
    shop.sync()
    dry = shop.trigger(approve=False)
    assert dry.closed == [] and shop.town.recipients == [], words(dry)
    assert set(words(dry).values()) == {"passed"}
    gated = shop.trigger()
    assert gated.report and gated.report.call.state == "done"
    assert [sorted(each) for each in shop.town.recipients] == [sorted(PEOPLE)]
    (asked,) = shop.town.sandbox.requests("/api/campaigns/trigger")
    body = json.loads(asked.body)
    assert body["dataFields"] == {"code": "SUMMER"} and body["allowRepeatMarketingSends"] is False
    with pytest.raises(GateClosed, match="not_too_often: failed"):
        shop.trigger()
    assert len(shop.town.recipients) == 1
    found = shop.town.published(
        "select d.gate, d.outcome, d.approved, c.state, d.evidence->>'$[0].name' from activation.campaign_decisions d "
        "join activation.campaign_calls c on c.id = d.call_id order by decided_at"
    )
    assert found == [
        ("sale", "passed", False, "dry_run", "campaign"),
        ("sale", "passed", True, "done", "campaign"),
        ("sale", "refused", True, "refused", "campaign"),
    ]


def test_a_gate_that_is_closed_may_be_overridden_with_a_reason(shop: Shop) -> None:
    shop.sync()
    shop.town.ahead = timedelta(days=2)
    with pytest.raises(GateClosed, match="fresh: failed") as closed:
        shop.trigger()
    assert 'trigger sale --approve --override fresh --override verified --because "…"' in str(closed.value)
    with pytest.raises(GateClosed, match="fresh: failed"):
        shop.trigger(override=Override(("verified",), "hurry"))
    for override, told in (
        (Override(("fresh",)), "needs its reason"),
        (Override(("fresh", "freshness"), "hurry"), "freshness is no check"),
        (Override(("campaign",), "hurry"), "campaign is no check that can be overridden"),
    ):
        with pytest.raises(CallRefused, match=told):
            shop.trigger(override=override)
    gated = shop.trigger(override=Override(("fresh", "verified"), "the sale ends today"))
    assert gated.report and gated.report.call.state == "done" and len(shop.town.recipients) == 1
    assert shop.decisions[0].overridden == ["fresh", "verified"]
    assert shop.decisions[0].because == "the sale ends today"


def test_an_audience_that_shrank_or_did_not_arrive_is_not_sent_to(shop: Shop) -> None:
    shop.sync()
    shop.trigger()
    shop.town.ahead = timedelta(days=8)
    shop.people(PEOPLE[:1])
    shop.sync()
    with pytest.raises(GateClosed, match="a change of 67%, and 50% is allowed"):
        shop.trigger(override=Override(("fresh", "verified"), "the clock of this test runs ahead"))
    shop.town.ahead = timedelta()
    shop.people((*PEOPLE, "nobody"))
    shop.sync()
    closed = {each.name for each in shop.trigger(approve=False).closed}
    assert "rejects" in closed and len(shop.town.recipients) == 1


def test_a_campaign_with_a_gate_is_not_sent_around_it(shop: Shop) -> None:
    shop.sync()
    with pytest.raises(CallRefused, match=r"has a gate, campaigns/sale.yml"):
        shop.town.trigger(shop.number)
    assert shop.town.trigger(shop.number, approve=False).call.state == "dry_run"
    assert shop.town.recipients == []


def test_a_lost_answer_closes_the_gate_until_it_is_settled(shop: Shop) -> None:
    shop.sync()
    shop.town.sandbox.fault("status", "/api/campaigns/trigger", status=500)
    with pytest.raises(CallInDoubt):
        shop.trigger()
    assert words(shop.trigger(approve=False))["not_too_often"] == "unknown"
    with pytest.raises(CallInDoubt):
        shop.trigger()
    shop.town.ahead = timedelta(minutes=16)
    assert shop.trigger().report is not None
    assert len(shop.town.recipients) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("campaign_id: 5\naudience: vipz\ngate: {}\n", "there is no sync 'vipz', did you mean vips"),
        ("campaign_id: 5\ngate: {}\n", "one of the two"),
        ("campaign_id: 5\naudience: vips\nlist_ids: [1]\ngate: {}\n", "one of the two"),
        ("campaign_id: 5\naudience: vips\n", "gate: it is missing"),
        ("campaign_id: 5\naudience: vips\ngate: {fresh: 24h}\n", "line 3, gate.fresh: no such field"),
        ("campaign_id: 5\naudience: vips\ngate: {fresh_within: soon}\n", "write a span"),
        ("campaign_id: 5\naudience: vips\ngate: {streams: {names: [activity]}}\n", "is no stream"),
        ("campaign_id: 5\naudience: vips\ngate: {suppression: {lists: [7]}}\n", "suppression_list_ids"),
        ("campaign_id: 5\nlist_ids: [1]\ngate: {min_verified: 0.9}\n", "no effect without `audience`"),
        ("campaign_id: 5\naudience: vips\ngate: {size: {min: 9, max: 8}}\n", "no list has so many"),
        ("campaign_id: 5\naudience: vips\ngate: {quiet_hours: {from: '08:00', to: '08:00'}}\n", "are the same"),
        ("campaign_id: 5\naudience: vips\ngate: {}\napprove: true\n", "needs a `schedule`"),
        ("campaign_id: 5\naudience: vips\nschedule: daily\ngate: {}\n", "five fields of cron"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_campaigns(with_files(tmp_path, sale=text))
    assert told in str(refused.value)


def test_two_gates_for_one_campaign_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="writes to the same place already"):
        load_campaigns(with_files(tmp_path, sale=GATE % 5, again=GATE % 5))


def with_files(folder: Path, **gates: str) -> Settings:
    """A project with the sync, and with these gates."""
    for name, text in {"syncs/vips": SYNC, **{f"campaigns/{each}": text for each, text in gates.items()}}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / f"{name}.yml").write_text(text)
    return Settings(project_root=folder, data_dir=folder / "data", start_date="2026-11-01")


@pytest.fixture
def dagster(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster of its own, for the project of the shop."""
    for name in ("project_root", "data_dir", "base_url", "project_type"):
        monkeypatch.setenv(f"ITERABLE_{name.upper()}", str(getattr(shop.town.settings, name)))
    monkeypatch.setenv("ITERABLE_API_KEY", shop.town.sandbox.key)
    home = tmp_path / "dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as made:
        yield made


@pytest.fixture
def run(shop: Shop, dagster: dg.DagsterInstance) -> Callable[..., dg.ExecuteInProcessResult]:
    def run(job: str, **config: Any) -> dg.ExecuteInProcessResult:
        made = campaign_definitions(shop.town.settings).resolve_job_def(job)
        return made.execute_in_process(
            run_config={"ops": {op_name(job): {"config": config}}}, instance=dagster, raise_on_error=False
        )

    return run


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [each for each in result.all_events if each.is_step_failure]
    return str(event.step_failure_data.user_failure_data.description)  # type: ignore[union-attr]


def test_jobs_only_look_unless_approved(shop: Shop, run: Callable[..., dg.ExecuteInProcessResult]) -> None:
    other = shop.town.create()
    given = {"campaign_id": other, "list_ids": [shop.town.all], "data_fields": {"a": {"b": [1]}}}
    assert run("trigger_campaign", **given).success and shop.town.recipients == []
    assert run("trigger_campaign", **given, approve=True).success and shop.town.recipients == [PEOPLE]
    assert run("abort_campaign", campaign_id=other, approve=True).success and shop.town.state(other) == "Aborted"
    later = shop.town.create(listIds=[shop.town.all], scheduleSend=False)
    at = f"{shop.town.clock() + timedelta(days=1):%Y-%m-%dT%H:%M}Z"
    assert run("schedule_campaign", campaign_id=later, send_at=at, approve=True).success
    assert shop.town.state(later) == "Scheduled"
    refused = run("trigger_campaign", campaign_id=other, list_ids=[])
    assert not refused.success and "without listIds" in failure_of(refused)
    assert shop.town.calls[0].who.startswith("Dagster run ")


def test_no_person_can_be_named_in_the_launchpad(shop: Shop, run: Callable[..., dg.ExecuteInProcessResult]) -> None:
    """Dagster keeps what a run was given."""
    with pytest.raises(dg.DagsterInvalidConfigError, match="email"):
        run("trigger_journey", workflow_id=7, email="ann@example.com")


def test_the_gate_in_dagster(
    shop: Shop, run: Callable[..., dg.ExecuteInProcessResult], dagster: dg.DagsterInstance
) -> None:
    shop.sync()
    assert run("trigger_gated_campaign", name="sale").success and shop.town.recipients == []
    assert run("trigger_gated_campaign", name="sale", approve=True).success and len(shop.town.recipients) == 1
    again = run("trigger_gated_campaign", name="sale", approve=True)
    assert not again.success and "the gate is closed" in failure_of(again) and len(shop.town.recipients) == 1
    unknown = run("trigger_gated_campaign", name="sail")
    assert "did you mean sale" in failure_of(unknown)
    seen = dagster.fetch_observations(asset_key("sale"), limit=9).records
    metadata = [{name: each.value for name, each in one.asset_observation.metadata.items()} for one in seen]  # type: ignore[union-attr]
    assert [each["closed_by"] for each in metadata] == ["not_too_often", "nothing", "nothing"]
    assert "| size | passed | 3 are on its lists" in metadata[1]["gate"]
    checks = campaign_definitions(shop.town.settings).asset_checks
    result = dg.materialize(list(checks or []), instance=dagster, selection=dg.AssetSelection.all_asset_checks())
    (found,) = result.get_asset_check_evaluations()
    assert not found.passed and "not_too_often" in str(found.description) and len(shop.town.recipients) == 1
    kept = [each.read_bytes() for each in Path(dagster.root_directory).rglob("*") if each.is_file()]
    assert not [each for each in kept if b"ann@example.com" in each]


def test_a_schedule_sends_in_time_or_not_at_all(shop: Shop, dagster: dg.DagsterInstance) -> None:
    shop.gate(GATE % shop.number + "schedule: '0 9 * * 1'\napprove: true\n")
    (schedule,) = campaign_definitions(shop.town.settings).schedules or []
    assert isinstance(schedule, dg.ScheduleDefinition) and schedule.cron_schedule == "0 9 * * 1"

    def tick(moment: datetime) -> Any:
        with dg.build_schedule_context(instance=dagster, scheduled_execution_time=moment) as context:
            return schedule.evaluate_tick(context)

    (asked,) = tick(shop.town.clock()).run_requests
    config = {"name": "sale", "approve": True}
    assert asked.run_config == {"ops": {"call_trigger_gated_campaign": {"config": config}}}
    assert "does not go out now" in tick(shop.town.clock() - timedelta(hours=2)).skip_message
    # the file is what counts, and not what it said when Dagster was started
    shop.gate(GATE % shop.number + "schedule: '0 9 * * 1'\n")
    (asked,) = tick(shop.town.clock()).run_requests
    assert asked.run_config["ops"]["call_trigger_gated_campaign"]["config"]["approve"] is False
