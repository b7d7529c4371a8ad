"""The checks of a sync: what they find in its state and at Iterable; and that they stop nothing."""

import dagster as dg

from iterable_pipelines.activation.assets import activation_assets
from iterable_pipelines.activation.checks import activation_checks
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.state import open_workspace
from iterable_pipelines.activation.verify.watch import QUESTIONS
from iterable_pipelines.automation import sync as sync_job
from iterable_pipelines.automation import verify_activation
from iterable_pipelines_tests.activation.conftest import Activation
from iterable_pipelines_tests.activation.surface.conftest import SYNC

AT_ONCE = SYNC + "max_failure_ratio: 0.5\nverify_after_seconds: 0\n"


def checked(shop: Activation, instance: dg.DagsterInstance, job: str) -> dict[str, dg.AssetCheckEvaluation]:
    """Run a job; every check that it evaluated, by name."""
    syncs = load_syncs(shop.settings)
    definitions = dg.Definitions(
        activation_assets(shop.settings, syncs),
        asset_checks=activation_checks(syncs),
        jobs=[sync_job, verify_activation],
        executor=dg.in_process_executor,
    )
    result = definitions.resolve_job_def(job).execute_in_process(instance=instance)
    assert result.success
    return {each.check_name: each for each in result.get_asset_check_evaluations()}


def test_they_ride_along_and_stop_nothing(shop: Activation, instance: dg.DagsterInstance) -> None:
    shop.sync("people", AT_ONCE)
    found = checked(shop, instance, "sync")
    assert set(found) == set(QUESTIONS)
    assert {name for name, each in found.items() if not each.passed} == {"no_invalid_rows"}
    wrong = found["no_invalid_rows"]
    assert "1 invalid_email. Next: iterable-pipelines sync errors people" in (wrong.description or "")
    assert (wrong.severity, wrong.blocking) == (dg.AssetCheckSeverity.WARN, False)
    assert found["verified"].metadata["verified"].value == 2


def test_what_iterable_lost_turns_verified_red(shop: Activation, instance: dg.DagsterInstance) -> None:
    shop.sync("people", AT_ONCE)
    shop.sandbox.fault("lie", "/api/users/bulkUpdate", share=1.0)
    found = checked(shop, instance, "sync")
    assert not found["verified"].passed
    assert found["verified"].metadata["wrong"].value == 2


def test_while_a_run_is_at_work_they_say_nothing(shop: Activation, instance: dg.DagsterInstance) -> None:
    shop.sync("people", AT_ONCE)
    shop.run("people")
    with open_workspace(shop.settings, "people", write=True):
        assert checked(shop, instance, "verify_activation") == {}


def test_iterable_that_cannot_be_asked_is_told_and_hides_no_figure(
    shop: Activation, instance: dg.DagsterInstance
) -> None:
    shop.sync("people", AT_ONCE)
    shop.run("people")
    shop.sandbox.fault("status", "/api/users/getByEmail", times=None, status=401)
    found = checked(shop, instance, "verify_activation")
    assert not found["verified"].passed
    assert "Iterable could not be asked" in (found["verified"].description or "")
    assert found["reject_ratio"].passed
