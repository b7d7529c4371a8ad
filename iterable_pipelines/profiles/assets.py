"""The dbt models as assets: profiles and marts, pictures of it all, then the copy for readers."""

import os
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets
from packaging.version import Version

from iterable_pipelines.automation import when_models_may_follow
from iterable_pipelines.failures import explained
from iterable_pipelines.marts.pictures import funnel_picture, newest_funnels, reactions_by_hour_of_week, week_picture
from iterable_pipelines.profiles.dbt import ModelsFailed, dbt_environment, dbt_vars, project_dir, read_manifest
from iterable_pipelines.profiles.picture import events_per_hour, picture
from iterable_pipelines.profiles.spark_build import after_spark, before_spark
from iterable_pipelines.resources import open_project
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.warehouse import Warehouse
from iterable_pipelines.svg import as_markdown
from iterable_pipelines.webhooks.arrived import JOB as WEBHOOKS

PROFILES = dg.AssetKey(["profiles", "user_profiles"])
CAMPAIGNS = dg.AssetKey(["marts", "iterable__campaigns"])
EVENTS = dg.AssetKey(["marts", "iterable__events"])


class _InstalledDbt(DbtCliResource):
    """The dbt of this environment."""

    @property
    def _cli_version(self) -> Version:
        # asking `dbt --version` takes two seconds of every build, and asks PyPI for newer ones
        return Version(metadata.version("dbt-core"))


class _Translator(DagsterDbtTranslator):
    """Names, groups and owners as everywhere else in the project."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        # the folder, the schema and the group have one name
        return str(dbt_resource_props["schema"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return ["team:data"]

    def get_automation_condition(self, dbt_resource_props: Mapping[str, Any]) -> dg.AutomationCondition[dg.AssetKey]:
        return when_models_may_follow


def profile_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """Every model of the dbt project, in one step; parses the models only if one is newer than the manifest."""

    @dbt_assets(
        manifest=read_manifest(settings),
        dagster_dbt_translator=_Translator(),
        name="profiles",
        pool="warehouse",
    )
    def profiles(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
        with explained(context):
            project, _, warehouse = open_project(context.log.info)
            warehouse.prepare()
        # the tests look at whole tables, those of the marts too: once an hour is enough
        often = context.run.job_name == WEBHOOKS
        command = "run" if often else "build"
        arguments, environment = [command, "--vars", dbt_vars(project)], dbt_environment(project)
        with warehouse.locked():
            if warehouse.lake:
                with explained(context):
                    told, sparks = before_spark(project, warehouse, warehouse.lake)
                arguments, environment = arguments + told, environment | sparks
            # profiles.yml reads them, and dbt runs as a child of this process
            os.environ.update(environment)
            folder = Path(environment["DBT_TARGET_PATH"])
            invocation = dbt.cli(arguments, context=context, target_path=folder, raise_on_error=False)
            # kept until the end, so that the numbers of the whole build can go with them
            events = list(invocation.stream())
            succeeded = invocation.is_successful()
            if succeeded and warehouse.lake:
                with explained(context):
                    after_spark(project, warehouse, warehouse.lake)
        with explained(context):
            if succeeded:
                for key, facts in _FACTS.items():
                    if key in context.selected_asset_keys:
                        context.add_asset_metadata(facts(warehouse), asset_key=key)
                if not often or warehouse.copy_is_due():
                    warehouse.publish()
        yield from events
        if not succeeded:
            failed = ModelsFailed(f"dbt {command} failed: {invocation.get_error()}")
            raise dg.Failure(f"{failed}. Streams are safe. Next: materialize the profiles again", allow_retries=True)

    return [profiles]


def profile_resources(settings: Settings) -> dict[str, DbtCliResource]:
    """The dbt of this environment, whatever PATH says."""
    directory = os.fspath(project_dir(settings))
    executable = os.fspath(Path(sys.executable).with_name("dbt"))
    return {"dbt": _InstalledDbt(project_dir=directory, profiles_dir=directory, dbt_executable=executable)}


def _profile_facts(warehouse: Warehouse) -> dict[str, Any]:
    rows, touched = warehouse.read(
        "select (select count(*) from profiles.user_profiles), (select count(*) from profiles.touched_users)"
    )[0]
    hours, counts = events_per_hour(warehouse)
    return {
        "dagster/row_count": rows,
        "users_touched": touched,
        "events_per_hour": _shown(picture(hours, counts) if hours else "", "events per hour and data type"),
    }


def _campaign_facts(warehouse: Warehouse) -> dict[str, Any]:
    funnels = newest_funnels(warehouse)
    shown = _shown(funnel_picture(funnels) if funnels else "", "people at each step of the newest campaigns")
    rows = warehouse.read("select count(*) from marts.iterable__campaigns")[0][0]
    return {"dagster/row_count": rows, "funnel": shown}


def _event_facts(warehouse: Warehouse) -> dict[str, Any]:
    reactions = reactions_by_hour_of_week(warehouse)
    shown = _shown(week_picture(reactions) if reactions else "", "opens and clicks by hour of the week, UTC")
    return {"hour_of_week": shown}


def _shown(svg: str, title: str) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(as_markdown(svg, title) if svg else "no events yet")


_FACTS = {PROFILES: _profile_facts, CAMPAIGNS: _campaign_facts, EVENTS: _event_facts}
