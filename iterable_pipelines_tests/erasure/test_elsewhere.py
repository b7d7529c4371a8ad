"""What an erasure cannot reach is named, and what is replicated follows by itself."""

import duckdb
import pytest

from iterable_pipelines.erasure.elsewhere import elsewhere
from iterable_pipelines.erasure.run import erase
from iterable_pipelines.replications import load_replications
from iterable_pipelines.replications.replicate import replicate
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.erasure.everywhere import CY, import_hour, quiet
from iterable_pipelines_tests.erasure.planted import BOB, bury
from iterable_pipelines_tests.postgres_server import Server

FILES = {
    "replications/users.yml": "table: streams.iterable_users\npostgres: COPY_URL\nkeys: email\ndelete_guard: 0.5\n",
    "replications/file.yml": "query: select email from streams.iterable_users\nfile: out/users.csv\n",
    "replications/inside.yml": "query: select email from streams.iterable_users\nfile: data/out/users.csv\n",
    "imports/clicks.yml": "in:\n  type: iterable\n  data_type: list\n  list_id: 7\nout:\n  database: out/x.duckdb\n"
    "  table: people\n  auto_create_table: true\n",
    "track_calls/segment.yml": "to: {url_env: SEGMENT_URL}\nsince: 2026-11-01\n",
    "track_calls/files.yml": "to: {folder: out}\nsince: 2026-11-01\n",
}


def declare(project: Settings) -> Settings:
    root = project.data_dir.parent
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return project.model_copy(update={"project_root": root})


def test_places_beyond_the_data_folder_are_named(project: Settings) -> None:
    assert elsewhere(declare(project)) == [
        "out/users.csv: its next run takes them out: iterable-pipelines replicate file",
        "table iterable.users in the PostgreSQL of COPY_URL: its next run takes them out: "
        "iterable-pipelines replicate users",
        "table people in out/x.duckdb, of imports/clicks.yml: delete them there",
        "files in out, by track_calls/files.yml: delete them there",
        "what was sent to SEGMENT_URL, by track_calls/segment.yml: delete them there",
    ]


def test_a_file_that_names_people_itself_is_named(project: Settings) -> None:
    settings = declare(project)
    text = "in:\n  type: iterable\n  data_type: user_events\n  emails: cy@example.com\nout:\n  table: events\n"
    (settings.project_root / "imports" / "support.yml").write_text(text)
    assert "whom imports/support.yml names: take them out of the file" in elsewhere(settings)


def test_a_file_that_cannot_be_read_stops_nothing(project: Settings) -> None:
    settings = declare(project)
    (settings.project_root / "imports" / "clicks.yml").write_text("in: nonsense\n")
    assert "whatever imports/*.yml name: a file there cannot be read" in elsewhere(settings)


def test_x16_deletion_travels_by_the_next_replication(
    project: Settings, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = declare(project)
    import_hour(settings)
    declared = {each.name: each for each in load_replications(settings)}
    with postgres.database("erased") as url:
        monkeypatch.setenv("COPY_URL", url)
        for name in ("users", "file"):
            assert replicate(settings, declared[name]).inserted == 3
        bury(settings)
        assert len(erase(settings, quiet).elsewhere) == 5
        done = replicate(settings, declared["users"])
        assert (done.inserted, done.updated, done.deleted, done.unchanged) == (0, 0, 1, 2)
    replicate(settings, declared["file"])
    file = settings.project_root / "out" / "users.csv"
    assert duckdb.execute(f"select email from '{file}' order by 1").fetchall() == [(BOB,), (CY,)]
