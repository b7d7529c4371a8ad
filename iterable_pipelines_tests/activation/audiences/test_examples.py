"""The example syncs are right, and a fresh project has none of them."""

import shutil

from iterable_pipelines.activation.memberships import AudienceSync
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.source import tables_read
from iterable_pipelines.settings import Settings

FOLDER = "docs/syncs-examples"


def test_examples_load_and_a_project_without_a_copy_of_them_sends_nothing(project: Settings) -> None:
    examples = project.checkout / FOLDER
    fresh = project.model_copy(update={"project_root": project.data_dir})
    assert load_syncs(fresh) == []
    shutil.copytree(examples, project.data_dir / "syncs")
    found = {sync.name: sync for sync in load_syncs(fresh)}
    assert {sync.object for sync in found.values()} >= {"audience", "trait", "user", "event", "catalog"}
    outputs = {sync.outputs for sync in found.values() if isinstance(sync, AudienceSync)}
    assert outputs >= {("identify",), ("track",), ("list",)}
    models = {sync.model for sync in found.values()} - {None}
    assert models >= {"engaged", "lapsing", "never_opened", "push_reachable", "best_hour_to_send"}
    schemas = {schema for sync in found.values() for schema, _ in tables_read(fresh, sync)}
    assert schemas == {"audiences", "profiles", "streams"}
