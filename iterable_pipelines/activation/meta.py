"""What a state is of: a version of its tables, and a project of Iterable's (S10)."""

from secrets import token_hex

from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.project import Project
from iterable_pipelines.activation.state import SCHEMA_VERSION, Workspace, state_path
from iterable_pipelines.settings import Settings


def check_meta(workspace: Workspace, settings: Settings, sync: Sync, project: Project) -> None:
    """Note whose state this is, the first time; refuse another project's, or another version's, from then on."""
    if not _known(workspace):
        wanted = {"schema_version": SCHEMA_VERSION, "project": project.fingerprint}
        with workspace.transaction() as con:
            noted = [*wanted.items(), ("salt", token_hex(16)), ("named", sync.renamed_from or sync.name)]
            con.executemany("insert into state.meta values (?, ?)", noted)
        return
    refuse_others(workspace, settings, sync, project)


def refuse_others(workspace: Workspace, settings: Settings, sync: Sync, project: Project) -> None:
    """Raise ActivationRefused for a state of another project's, or another version's (S10)."""
    found, file = _known(workspace), state_path(settings, sync.name)
    if not found:
        return
    if found.get("schema_version") != SCHEMA_VERSION:
        raise ActivationRefused(
            f"{sync.name}: {file} was written by another version of this program. Nothing was sent or changed.\n"
            "Next: run that version, or move the file away and see what iterable-pipelines sync plan "
            f"{sync.name} says"
        )
    if found.get("project") != project.fingerprint:
        raise ActivationRefused(
            f"{sync.name}: state_project_mismatch: {file} is about another project of Iterable's, or another key, than "
            f"{project.url} with the key that is set now. Nothing was sent or changed.\n"
            "Next: set the key back; or, for a new project, move that file away, and this sync begins anew; or, for a "
            f"new key of the same project, iterable-pipelines sync reset {sync.name} project"
        )


def with_kept_name(workspace: Workspace, sync: Sync) -> Sync:
    """The sync, `renamed_from` what it was called when its state began: the ids of its events go on with that (T4)."""
    named = _known(workspace).get("named")
    return sync.model_copy(update={"renamed_from": named if named != sync.name else None}) if named else sync


def take_project(workspace: Workspace, project: Project) -> str:
    """Take the key that is set now for a new one of the project that the state is about. Returns its former print."""
    former = _known(workspace).get("project", project.fingerprint)
    workspace.con.execute("update state.meta set value = ? where name = 'project'", [project.fingerprint])
    return former


def _known(workspace: Workspace) -> dict[str, str]:
    return dict(workspace.con.execute("select name, value from state.meta").fetchall())
