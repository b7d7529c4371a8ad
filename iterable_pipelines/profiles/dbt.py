"""Running the dbt models: with one constant set of variables, behind the warehouse's lock."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from iterable_pipelines.data_types import ACTIVITY_STREAMS, DATA_TYPES, STREAM
from iterable_pipelines.marts.event_fields import EVENT_FIELDS
from iterable_pipelines.marts.steps import step_of
from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_values import memory_bytes

# what is being collected into lists stays in memory: this much of it fits into a gigabyte, and into the half of one
EVENTS_PER_SLICE, USERS_PER_SLICE, PIECES_PER_SLICE = 250_000, 30_000, 400_000
# each configuration has its own, of a megabyte, and few of them are still in use
_MANIFESTS_KEPT = 8
# the tables that a build adds to; all others it makes anew
GROWING = (
    "marts.builds",
    "profiles.profile_builds",
    "profiles.user_profiles",
    "profiles.user_base",
    "profiles.user_activity_hourly",
    "marts.recent_activity",
    "marts.user_campaign_activity",
    "marts.campaign_activity",
)


class ModelsFailed(Exception):
    """A dbt model or one of its tests failed. Profiles are as they were, model by model."""


def project_dir(settings: Settings) -> Path:
    """Where the dbt project lies."""
    return settings.checkout / "dbt_models"


def dbt_vars(settings: Settings) -> str:
    """What the models are told, as JSON: the same text for the same configuration, so that partial parsing stays on."""
    data_types = [
        {
            "name": each.name,
            "profile": each.profile,
            "impression": each.impression,
            "conversion": each.conversion,
            "step": step_of(each.name),
        }
        for each in DATA_TYPES
    ]
    gigabytes = max(1.0, memory_bytes(settings.memory_limit) / 1e9)
    streams = [{"name": each.name, "columns": list(STREAM[each.name].columns)} for each in ACTIVITY_STREAMS]
    return json.dumps(
        {
            "data_types": data_types,
            "streams": streams,
            "profile_fields": dict(settings.profile_fields),
            "mart_metrics": list(settings.counted_events),
            "event_fields": EVENT_FIELDS,
            "user_key_first": "user_id" if settings.project_type == "userid" else "email",
            # each slice reads its table once, and ends with a commit: fewer are faster
            "events_per_slice": int(EVENTS_PER_SLICE * gigabytes),
            "users_per_slice": int(USERS_PER_SLICE * gigabytes),
            "pieces_per_slice": int(PIECES_PER_SLICE * gigabytes),
        },
        sort_keys=True,
    )


def dbt_environment(settings: Settings) -> dict[str, str]:
    """What profiles.yml reads, and where dbt keeps its own files: below the data folder, in one place."""
    target = settings.data_dir / "dbt"
    return {
        "ITERABLE_WAREHOUSE_PATH": str(settings.warehouse_path),
        "ITERABLE_MEMORY_LIMIT": settings.memory_limit,
        "DBT_PROFILES_DIR": str(project_dir(settings)),
        "DBT_PROJECT_DIR": str(project_dir(settings)),
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target / "logs"),
        # every statement, and what dbt thinks while it parses: a fifth of an hourly build
        "DBT_LOG_LEVEL_FILE": "info",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


def dbt_executable() -> str:
    """The dbt of this environment, whatever PATH says, unless DBT_EXECUTABLE names another program."""
    return os.environ.get("DBT_EXECUTABLE") or str(Path(sys.executable).with_name("dbt"))


def read_manifest(settings: Settings) -> dict[str, Any]:
    """dbt's manifest, parsed anew where it is not up to date. Raises ModelsFailed."""
    try:
        said = manifest_path(settings).read_bytes()
    except FileNotFoundError:
        # another process has just removed it as one of the oldest: made anew, it is the newest
        said = manifest_path(settings).read_bytes()
    manifest: dict[str, Any] = json.loads(said)
    return manifest


def manifest_path(settings: Settings) -> Path:
    """Where dbt's manifest is, parsed anew only when a model, a macro or the configuration is newer: it costs seconds.

    It lies with the models and serves every data folder, or in the data folder where the models may only be read. Of
    those for other configurations the newest few are kept. Raises ModelsFailed.
    """
    models = project_dir(settings)
    sources = [path for path in models.rglob("*") if path.suffix in (".sql", ".yml")]
    newest = max(path.stat().st_mtime for path in sources)
    # the file's name is the catalog of every relation
    told = f"{settings.warehouse_path.stem} {dbt_vars(settings)}"
    name = f"manifest-{hashlib.sha256(told.encode()).hexdigest()[:16]}.json"
    folder = models / "target"
    if not os.access(folder if folder.exists() else models, os.W_OK):
        folder = settings.data_dir / "dbt"
    manifest = folder / name
    if not manifest.exists() or manifest.stat().st_mtime < newest:
        run_dbt(settings, ["parse"])
        folder.mkdir(exist_ok=True)
        # whoever reads meanwhile reads a whole one
        part = folder / f"{name}.{uuid4().hex}"
        shutil.copyfile(settings.data_dir / "dbt" / "manifest.json", part)
        part.replace(manifest)
        _remove_older(folder)
    return manifest


def _remove_older(folder: Path) -> None:
    # another process may be removing the same ones
    with suppress(FileNotFoundError):
        oldest_first = sorted(folder.glob("manifest-*.json"), key=lambda each: each.stat().st_mtime)
        for each in oldest_first[:-_MANIFESTS_KEPT]:
            each.unlink()


def run_dbt(settings: Settings, arguments: list[str], more_environment: dict[str, str] | None = None) -> None:
    """Run dbt in a process of its own: it leaves its connections open as long as it lives. Raises ModelsFailed."""
    environment = os.environ | dbt_environment(settings) | (more_environment or {})
    command = [dbt_executable(), "--quiet", *arguments, "--vars", dbt_vars(settings)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise ModelsFailed(
            f"dbt {arguments[0]} failed: {' '.join(said[-12:])[:2000]}. Streams are safe, and profiles are as the last "
            f"finished model left them. Next: read {environment['DBT_LOG_PATH']}/dbt.log, then build the profiles again"
        )
