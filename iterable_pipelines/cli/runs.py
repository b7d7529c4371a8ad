"""Runs of Dagster in this process, without a daemon, kept in the project's Dagster home so that the UI shows them."""

import os
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from iterable_pipelines.cli.console import quiet
from iterable_pipelines.dagster_home import prepare_home
from iterable_pipelines.settings import Settings

Said = Callable[[str], None]
_ROOT, _PARENT = "dagster/root_run_id", "dagster/parent_run_id"


@dataclass
class Outcome:
    """How a run ended. `failed` maps assets (`landing/iterable_users`) to why, `again` are worth another try.

    `undone` are the assets that were named and not materialized, those after a failed one included. `waits_for` are
    the export jobs, ids of our own rows, that must be ready before the run can be done again and go on.
    """

    run_id: str
    failed: dict[str, str] = field(default_factory=dict)
    again: set[str] = field(default_factory=set)
    undone: set[str] = field(default_factory=set)
    waits_for: list[int] = field(default_factory=list)


class Runs:
    """The project's definitions and its Dagster instance, for one command. Use as a context manager."""

    def __init__(self, settings: Settings, definitions: Callable[[], Any] | None = None) -> None:
        """Export what Dagster reads from the environment, and load the definitions, which takes seconds, with dbt;
        or make those that are given, which need no key.
        """
        os.environ["DAGSTER_HOME"] = str(prepare_home(settings))
        if definitions is None:
            # the resource reads it from the environment, wherever it was set
            os.environ["ITERABLE_API_KEY"] = settings.required_api_key()
        with quiet():
            import dagster as dg

            # they are about parts of Dagster that are new, and nothing a person at a terminal can act on
            for category in (dg.BetaWarning, dg.PreviewWarning):
                warnings.simplefilter("ignore", category)
            if definitions is None:
                from iterable_pipelines.definitions import defs

                definitions = defs
            self._dg = dg
            self._definitions = definitions()
            self._instance = dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"])
            self._bury_ghosts()

    def _bury_ghosts(self) -> None:
        """End the runs of killed processes, which would keep their place in a pool, and everybody else out of it."""
        from iterable_pipelines.ghosts import ghost_runs

        for run in list(ghost_runs(self._instance)):
            self._instance.report_run_failed(run, "the run's process is gone")
            self._instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._instance.dispose()

    def run(
        self,
        job: str,
        assets: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
        config: Mapping[str, object] | None = None,
        before: Outcome | None = None,
        root: str | None = None,
        said: Said | None = None,
        done: Callable[[], None] | None = None,
    ) -> Outcome:
        """Run `job`, or those of its `assets` (`landing/iterable_users`), and wait for its end.

        `config` is by asset. `before` is the run that this one retries, `root` the id of the first in the row.
        `said` hears what the assets log, `done` each asset that ends, well or not.
        """
        from iterable_pipelines.ghosts import tags_of_this_host
        from iterable_pipelines.waiting import WAITS_FOR

        run_id = str(uuid.uuid4())
        definition = self._definitions.resolve_job_def(job)
        lineage = {_PARENT: before.run_id, _ROOT: root or before.run_id} if before else {}
        chosen = [self._dg.AssetKey(name.split("/")) for name in assets] if assets is not None else None
        ops = {name.replace("/", "__"): {"config": each} for name, each in (config or {}).items()}
        # checks speak by their results, and Dagster by its own words
        speaking = {name.replace("/", "__") for name in assets} if assets is not None else None

        def heard(entry: object) -> None:
            event = entry.dagster_event  # type: ignore[attr-defined]
            if event is None:
                if said and (speaking is None or entry.step_key in speaking):  # type: ignore[attr-defined]
                    said(entry.user_message)  # type: ignore[attr-defined]
            elif (event.is_step_success or event.is_step_failure or event.is_step_skipped) and done:
                done()

        self._instance.add_event_listener(run_id, heard)
        with quiet():
            result = definition.execute_in_process(
                run_config={"ops": ops},
                instance=self._instance,
                asset_selection=chosen,
                run_id=run_id,
                tags={**(tags or {}), **lineage, **tags_of_this_host()},
                raise_on_error=False,
            )
        outcome = _outcome(run_id, assets or (), result.all_events)
        stored = self._instance.get_run_by_id(run_id)
        listed = stored.tags.get(WAITS_FOR, "") if stored else ""
        outcome.waits_for = [int(each) for each in listed.split(",") if each]
        return outcome


def _outcome(run_id: str, assets: Sequence[str], events: Sequence) -> Outcome:  # type: ignore[type-arg]
    from iterable_pipelines.failures import NEVER, NOW

    outcome = Outcome(run_id)
    made = set()
    for event in events:
        if event.event_type_value == "ASSET_MATERIALIZATION":
            made.add(event.asset_key.to_user_string())
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.event_specific_data
            if not check.passed and check.blocking:
                name = f"{check.asset_key.to_user_string()}, check {check.check_name}"
                outcome.failed[name] = check.description or "not passed"
        elif event.is_step_failure:
            name = event.step_key.replace("__", "/", 1)
            failure = event.event_specific_data.user_failure_data
            error = event.event_specific_data.error
            if error and error.cls_name == "DagsterExecutionInterruptedError":
                # somebody pressed Ctrl-C: that is no failure of this step, and nothing else is to be started
                raise KeyboardInterrupt
            retry = NEVER
            if failure:
                text, given = failure.description or failure.label, failure.metadata.get("retry")
                retry = given.value if given else NOW
            else:
                cause = error.cause if error and error.cause else error
                text = cause.message.strip() if cause else "it failed"
            outcome.failed[name] = text
            if retry != NEVER:
                outcome.again.add(name)
    outcome.undone = set(assets) - made
    return outcome
