"""`campaign` on the command line: it says what would be done, does it when told to, and how doubts are settled."""

import pytest

from iterable_pipelines_tests.campaigns.conftest import PEOPLE, Town
from iterable_pipelines_tests.cli.command import CommandHere


@pytest.fixture
def here(town: Town, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandHere:
    """The command line of that project, in this process."""
    given = {name: str(getattr(town.settings, name)) for name in ("base_url", "data_dir", "project_type")}
    return CommandHere(town.settings.project_root, monkeypatch, capfd, **given, api_key=town.sandbox.key)


def test_what_would_be_done_and_then_what_was(town: Town, here: CommandHere) -> None:
    number = town.create()
    asked = ("campaign", "trigger", str(number), "--list", str(town.all), "--data", '{"code": "X"}')
    said = here(*asked)
    assert said.code == 0, said.err
    assert f"campaign {number}: Sale (Email, Triggered), Running" in said.out
    assert 'POST /api/campaigns/trigger {"campaignId": ' in said.out and '"dataFields": "…"' in said.out
    assert f"list {town.all}: 3 members" in said.out and "the same command with --approve" in said.out
    assert town.recipients == []
    said = here(*asked, "--approve")
    assert said.code == 0 and "trigger_campaign: done" in said.out and town.recipients == [PEOPLE]
    said = here("campaign", "calls")
    assert said.out.count("trigger_campaign") == 2 and "dry_run" in said.out and "done" in said.out


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("trigger", "5"), "triggers no campaign without listIds"),
        (("trigger", "5", "--list", "1", "--data", "[1]"), "--data must be a JSON object"),
        (("trigger", "5", "--list", "1", "--override", "fresh"), "has no gate to override"),
        (("trigger", "sale", "--list", "1"), "--list, --suppress, --data and --no-repeat are for ids"),
        (("schedule", "5", "--at", "2026-11-23T09:00"), "write the time zone"),
        (("journey", "7"), "exactly one of"),
        (("settle", "--happened"), "are about one call"),
        (("settle", "abc"), "there is no call abc"),
    ],
)
def test_what_is_asked_wrongly_is_told(here: CommandHere, given: tuple[str, ...], told: str) -> None:
    said = here("campaign", *given)
    assert said.code == 1 and told in said.err and "Next: " in said.err


def test_what_the_state_forbids(town: Town, here: CommandHere) -> None:
    number = town.create()
    said = here("campaign", "cancel", str(number))
    assert said.code == 4 and "- stops: campaign" in said.out and "It would be refused" in said.out
    said = here("campaign", "cancel", str(number), "--approve")
    assert said.code == 1 and "must be Recurring or Scheduled" in said.err and "Next: " in said.err
    said = here("campaign", "abort", str(number), "--approve")
    assert said.code == 0 and "abort_campaign: done" in said.out


def test_doubts_are_settled(town: Town, here: CommandHere) -> None:
    town.sandbox.fault("status", "/api/workflows/triggerWorkflow", times=None, status=500)
    said = here("campaign", "journey", "7", "--email", "ann@example.com", "--approve")
    assert said.code == 1 and "it is not known whether trigger_journey" in said.err
    assert "ann@example.com" not in said.out + said.err
    said = here("campaign", "settle")
    assert said.code == 1 and "Iterable does not show who has entered" in said.out and "--happened" in said.err
    (doubtful,) = town.calls
    said = here("campaign", "settle", doubtful.id, "--did-not")
    assert said.code == 0 and "not_done, as you say" in said.out
    assert here("campaign", "settle").out.strip() == "No call is in doubt."


def test_gates(town: Town, here: CommandHere) -> None:
    assert "There is no gate yet" in here("campaign", "gates").out
    number = town.create()
    folder = town.settings.project_root / "campaigns"
    folder.mkdir()
    file = folder / "sale.yml"
    file.write_text(f"campaign_id: {number}\nlist_ids: [{town.all}]\ngate: {{size: {{min: 3}}, at_most_every: 1d}}\n")
    assert "campaign, size, not_too_often" in here("campaign", "gates").out
    said = here("campaign", "gate", "sale")
    assert said.code == 0 and "3 are on its lists" in said.out and "campaign trigger sale --approve" in said.out
    said = here("campaign", "trigger", "sale", "--approve")
    assert said.code == 0 and town.recipients == [PEOPLE]
    said = here("campaign", "gate", "sale")
    assert said.code == 4 and "the gate is closed: not_too_often" in said.out
    said = here("campaign", "trigger", "sale", "--approve", "--override", "not_too_often")
    assert said.code == 1 and "needs its reason" in said.err
    said = here("campaign", "trigger", "sale", "--approve", "--override", "not_too_often", "--because", "once more")
    assert said.code == 0 and "overridden" in said.out and len(town.recipients) == 2
    said = here("campaign", "gate", "sail")
    assert said.code == 2 and "did you mean sale" in said.err


def test_a_call_is_kept_when_the_warehouse_is_not_to_be_had(
    town: Town, here: CommandHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger is what counts; the warehouse has it from the next call on."""
    from iterable_pipelines.campaigns import publish
    from iterable_pipelines.streams import Warehouse

    monkeypatch.setattr(publish, "WAIT_SECONDS", 0.0)
    number = town.create()
    holder = Warehouse.of(town.settings)
    with holder.locked():
        said = here("campaign", "abort", str(number), "--approve")
    assert said.code == 0 and "will be published by the next call" in said.out and town.state(number) == "Aborted"
    here("campaign", "abort", str(number))
    assert town.published("select state from activation.campaign_calls order by planned_at") == [
        ("done",),
        ("dry_run",),
    ]
