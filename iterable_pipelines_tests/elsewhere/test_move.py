"""Landing moves to S3 and PostgreSQL and back: the same files, the same tables, and the old place as it was."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from iterable_pipelines.api import Ledger
from iterable_pipelines.cli.console import CannotGoOn
from iterable_pipelines.cli.move_landing import move_landing
from iterable_pipelines.erasure.run import erase
from iterable_pipelines.erasure.tombstones import Tombstones, hash_of
from iterable_pipelines.file_store import FileStore, StoreFailed
from iterable_pipelines.hours import HOUR
from iterable_pipelines.landing import Manifest
from iterable_pipelines.landing.move import copy_landing
from iterable_pipelines.landing.move_tables import MoveFailed, copy_tables
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.erasure.people import ADA, BOB, START, event, forget, import_people
from iterable_pipelines_tests.kept_open import kept_open
from iterable_pipelines_tests.landing_by_hand import land
from iterable_pipelines_tests.s3_server import S3
from iterable_pipelines_tests.webhooks.world import at, body, bring

FOLDERS = ("events", "webhooks", "quarantine", "project")


@pytest.fixture
def landed(project: Settings) -> Settings:
    """A project with something in every table that moves."""
    manifest, warehouse = Manifest.of(project), Warehouse.of(project)
    warehouse.prepare()
    with kept_open(warehouse):
        import_people(project, manifest, warehouse)
        bring(project, manifest, warehouse, [body("emailOpen", at(600, START), email=BOB)])
    forget(project, ADA)
    for _ in range(4):
        Ledger.of(project).book("export", "a project")
    return project


def files(project: Settings) -> dict[str, int]:
    sizes = FileStore.of(project).sizes()
    return {name: size for name, size in sizes.items() if name.startswith(("events/", "webhooks/", "quarantine/"))}


def test_there_and_back(landed: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    before, token = files(landed), Manifest.of(landed).next_token()
    there = copy_landing(landed, elsewhere)
    assert there.files == len(before) == len(files(elsewhere)) and there.rows > 10
    # nothing new the second time, and nothing twice
    assert copy_landing(landed, elsewhere) == there
    assert Manifest.of(elsewhere).next_token() == token + 1
    land(elsewhere, Manifest.of(elsewhere), "emailClick", START + HOUR, [])
    with pytest.raises(MoveFailed, match="newer manifest"):
        copy_landing(landed, elsewhere)
    land(elsewhere, Manifest.of(elsewhere), "emailOpen", START + HOUR, [event(BOB)])
    with pytest.raises(MoveFailed, match="has gone on"):
        copy_landing(landed, elsewhere)

    home = elsewhere.model_copy(
        update={"landing": str(tmp_path / "home"), "postgres": None, "data_dir": tmp_path / "home-data"}
    )
    back = copy_landing(elsewhere, home)
    assert back.files == there.files + 2
    assert files(home) == files(elsewhere)
    for name in ("emailOpen", "emailSend", "user"):
        assert Manifest.of(home).current(name) == Manifest.of(elsewhere).current(name)
    assert Manifest.of(home).next_token() == token + 2
    assert Ledger.of(home).delay("export", "a project") > 20
    # the old place is as it was
    assert files(landed) == before and Manifest.of(landed).next_token() == token + 1


def test_a_file_that_is_not_the_same_is_copied_again(landed: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    copy_landing(landed, elsewhere)
    name = min(files(landed))
    (tmp_path / "other").write_text("somebody else was here")
    FileStore.of(elsewhere).put(tmp_path / "other", name)
    copy_landing(landed, elsewhere)
    assert files(elsewhere) == files(landed)


def test_another_landing_is_not_written_over(landed: Settings, tmp_path: Path) -> None:
    file = tmp_path / "other" / "events" / "hour=2026-01-01T00" / "data_type=user" / "part-0.parquet"
    file.parent.mkdir(parents=True)
    file.write_text("somebody's")
    with pytest.raises(MoveFailed, match="another landing"):
        copy_landing(landed, landed.model_copy(update={"landing": str(tmp_path / "other")}))
    assert [each for each in (tmp_path / "other").rglob("*") if each.is_file()] == [file]


def test_what_lands_meanwhile_is_not_left_behind(
    landed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files first, tables afterwards: the manifest names what came in between, and the new place has it not."""

    def lands_before(source: Settings, target: Settings) -> int:
        bring(landed, Manifest.of(landed), Warehouse.of(landed), [body("emailOpen", at(660, START), email=BOB)])
        return copy_tables(source, target)

    target = landed.model_copy(update={"landing": str(tmp_path / "new")})
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("iterable_pipelines.landing.move.copy_tables", lands_before)
        with pytest.raises(MoveFailed, match="imports, or the receiver of webhooks, are running"):
            copy_landing(landed, target)
    copy_landing(landed, target)
    assert files(target) == files(landed)


def test_a_copy_that_an_erasure_has_overtaken_never_becomes_the_live_one(landed: Settings, tmp_path: Path) -> None:
    copy = landed.model_copy(update={"landing": str(tmp_path / "copy")})
    copy_landing(landed, copy)
    erase(landed, log=lambda text: None)
    with pytest.raises(MoveFailed, match="name an empty folder") as refused:
        copy_landing(landed, copy)
    assert ".env" not in str(refused.value)


def test_who_was_forgotten_at_the_new_place_stays_forgotten(landed: Settings, elsewhere: Settings) -> None:
    copy_landing(landed, elsewhere)
    forget(elsewhere, BOB)
    forgotten = Tombstones(elsewhere).hashes()
    land(landed, Manifest.of(landed), "emailClick", START + HOUR, [])
    with pytest.raises(MoveFailed, match="has 1 tombstones that the old one lacks"):
        copy_landing(landed, elsewhere)
    assert Tombstones(elsewhere).hashes() == forgotten
    # no table was changed, those of the manifest neither
    assert not Manifest.of(elsewhere).current("emailClick", [START + HOUR])
    forget(landed, BOB)
    copy_landing(landed, elsewhere)
    assert Tombstones(elsewhere).hashes() == forgotten
    Tombstones(landed).lift([hash_of(BOB)])
    copy_landing(landed, elsewhere)
    assert Tombstones(elsewhere).hashes() == forgotten - {hash_of(BOB)}


def test_the_new_place_has_options_of_its_own(
    landed: Settings, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a server that is gone when the new one is written to: nothing may go to the old one's address."""
    monkeypatch.setenv("ITERABLE_DATA_DIR", str(landed.data_dir))
    monkeypatch.setenv("ITERABLE_START_DATE", "2026-11-01")
    monkeypatch.setenv("ITERABLE_LANDING_OPTIONS", json.dumps({"endpoint_url": "http://127.0.0.1:9"}))
    monkeypatch.setenv("NEW_OPTIONS", json.dumps(s3.options))
    bucket = s3.bucket(f"options-{uuid4().hex}")
    move_landing(to=f"{bucket}/landing", tables="", options="NEW_OPTIONS")
    assert "ITERABLE_LANDING_OPTIONS=(what NEW_OPTIONS holds)" in capsys.readouterr().out
    assert FileStore(f"{bucket}/landing", s3.options).sizes("events") == FileStore.of(landed).sizes("events")
    monkeypatch.setenv("NEW_OPTIONS", "[]")
    with pytest.raises(CannotGoOn, match="JSON object"):
        move_landing(to=f"{bucket}/landing", tables="", options="NEW_OPTIONS")


def test_the_same_bucket_at_another_server_is_another_place(landed: Settings, s3: S3, tmp_path: Path) -> None:
    bucket = s3.bucket(f"same-{uuid4().hex}")
    there = landed.model_copy(
        update={"landing": f"{bucket}/landing", "landing_options": SecretStr(json.dumps(s3.options))}
    )
    nowhere = there.model_copy(update={"landing_options": SecretStr('{"endpoint_url": "http://127.0.0.1:9"}')})
    copy_landing(landed, there)
    with pytest.raises(StoreFailed):
        copy_landing(there, nowhere)


def test_the_command_says_what_to_write(
    landed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ITERABLE_DATA_DIR", str(landed.data_dir))
    monkeypatch.setenv("ITERABLE_START_DATE", "2026-11-01")
    move_landing(to=str(tmp_path / "new"), tables="", options="")
    said = capsys.readouterr().out
    assert f"ITERABLE_LANDING={tmp_path / 'new'}" in said and "iterable-pipelines check" in said
    assert Manifest(tmp_path / "new").current("emailOpen") == Manifest.of(landed).current("emailOpen")
    for wrong in ({"to": "memory://x", "tables": ""}, {"to": "", "tables": ""}, {"to": "", "tables": "NOT_THERE"}):
        with pytest.raises(CannotGoOn, match="Nothing was changed"):
            move_landing(**wrong, options="")
