"""What is wrong with syncs that are right each by itself: two write one field (R14), or do not suit their project."""

from collections.abc import Iterator, Sequence

from iterable_pipelines.activation.declaration import FOLDER, Sync
from iterable_pipelines.activation.project import ProjectType


def conflicts(syncs: Sequence[Sync], project_type: ProjectType) -> list[str]:
    """One line each, with its file. `project_type`: that of the settings, for syncs without a `connection`."""
    return [*_unsuited(syncs, project_type), *_shared(syncs)]


def _shared(syncs: Sequence[Sync]) -> Iterator[str]:
    """Fields of profiles, and keys, that two syncs of one project write: each would undo the other in turn."""
    written: list[tuple[Sync, str]] = []
    for sync in syncs:
        if not sync.enabled:
            continue
        for field in sorted(sync.profile_fields):
            for other, taken in written:
                if other.connection == sync.connection and _overlap(field, taken):
                    yield (
                        f"{FOLDER}/{sync.name}.yml: it writes the field {field}, and {FOLDER}/{other.name}.yml writes "
                        f"{taken}: leave it to one of them, or make one source of both"
                    )
                    break
        written += [(sync, field) for field in sync.profile_fields]


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _unsuited(syncs: Sequence[Sync], project_type: ProjectType) -> Iterator[str]:
    for sync in syncs:
        project = sync.connection.project_type if sync.connection else project_type
        here = f"{FOLDER}/{sync.name}.yml"
        if sync.placeholder_email and project != "email":
            yield f"{here}: `placeholder_email` is for email-based projects; this one's type is {project} (I8)"
        if sync.identify_by and project != "hybrid":
            yield f"{here}: `identify_by` is for hybrid projects; this one's type is {project} (I3)"
        named = {to.to for to in sync.targets.values()} | ({sync.match.field} if sync.match else set())
        if sync.needs_user and project == "userid" and not named & {"userId", "*"}:
            yield f"{here}: users of this project go by userId: name the column with it (project type: userid, I4)"
