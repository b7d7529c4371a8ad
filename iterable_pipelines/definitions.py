"""The table of contents: everything Dagster shows and runs, in the order in which data flows."""

import warnings

import dagster as dg

from iterable_pipelines.activation.assets import activation_assets
from iterable_pipelines.activation.checks import activation_checks
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.one_off.job import write_once_job
from iterable_pipelines.automation import JOBS, schedules_and_sensors
from iterable_pipelines.campaigns.jobs import campaign_definitions
from iterable_pipelines.declared_schedules import schedules_of_files
from iterable_pipelines.erasure.assets import erasure_assets, erasure_checks
from iterable_pipelines.erasure.request_assets import request_assets
from iterable_pipelines.executors import executor_of
from iterable_pipelines.imports.assets import import_definitions
from iterable_pipelines.landing.assets import landing_assets
from iterable_pipelines.objects.assets import object_assets
from iterable_pipelines.objects.io_manager import WarehouseFrames
from iterable_pipelines.objects.list_members.assets import list_member_assets, list_member_checks
from iterable_pipelines.profiles.assets import profile_assets, profile_resources
from iterable_pipelines.replications.assets import replication_assets
from iterable_pipelines.replications.declaration import load_replications
from iterable_pipelines.resources import KEY_VARIABLE, IterableResource
from iterable_pipelines.retention.assets import retention_assets
from iterable_pipelines.settings import load_settings
from iterable_pipelines.streams.assets import stream_assets, stream_checks
from iterable_pipelines.streams.campaign_check import campaign_checks
from iterable_pipelines.streams.completeness_asset import completeness_assets
from iterable_pipelines.track_calls.assets import track_call_assets
from iterable_pipelines.track_calls.declaration import enabled_destinations
from iterable_pipelines.two_way.assets import two_way_definitions
from iterable_pipelines.webhooks.assets import webhook_assets


@dg.definitions
def defs() -> dg.Definitions:
    """Everything, for the project that the settings describe. Raises SettingsError for a wrong setting."""
    settings = load_settings()
    for category in (dg.BetaWarning, dg.PreviewWarning):
        # partitioned checks and backfill policies are new in Dagster: its warnings say so a hundred times
        warnings.simplefilter("ignore", category)
    schedules, sensors = schedules_and_sensors(settings)
    replications, destinations = load_replications(settings), enabled_destinations(settings)
    syncs = load_syncs(settings)
    project = dg.Definitions(
        assets=[
            *landing_assets(settings),
            *stream_assets(settings),
            *webhook_assets(),
            *completeness_assets(settings),
            *object_assets(),
            *list_member_assets(settings),
            *profile_assets(settings),
            *replication_assets(replications),
            *track_call_assets(destinations),
            *activation_assets(settings, syncs),
            *request_assets(),
            *erasure_assets(),
            *retention_assets(),
        ],
        asset_checks=[
            *stream_checks(settings),
            *campaign_checks(),
            *list_member_checks(),
            *activation_checks(syncs),
            *erasure_checks(),
        ],
        jobs=[*JOBS, write_once_job],
        schedules=[*schedules, *schedules_of_files(settings, replications, destinations, syncs)],
        sensors=sensors,
        resources={
            "iterable": IterableResource(api_key=dg.EnvVar(KEY_VARIABLE)),
            "warehouse_frames": WarehouseFrames(),
            **profile_resources(settings),
        },
        executor=executor_of(settings),
    )
    others = (import_definitions(settings), campaign_definitions(settings), two_way_definitions(settings))
    return dg.Definitions.merge(project, *others)
