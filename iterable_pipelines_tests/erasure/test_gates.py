"""Nobody who is forgotten comes back (X17, D24): not by an import, a replay, a webhook, a list, a file or a sync."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from iterable_pipelines.api import Iterable, Ledger
from iterable_pipelines.cli.console import CannotGoOn
from iterable_pipelines.cli.user_reads import user
from iterable_pipelines.erasure.tombstones import Tombstones, hash_of
from iterable_pipelines.hours import HOUR, Window, iterate_hours
from iterable_pipelines.landing import Manifest, land_hours
from iterable_pipelines.landing.cut import cut
from iterable_pipelines.objects.list_members.read import Reading
from iterable_pipelines.objects.list_members.store import Try, store_tries
from iterable_pipelines.objects.list_members.tables import READING, MemberList, State
from iterable_pipelines.record_files import write_records
from iterable_pipelines.sandbox import Sandbox, running_sandbox
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse, load_hours, replay
from iterable_pipelines.streams.completeness import LINES_LOST, NOT_LOADED, refresh, troubles
from iterable_pipelines.streams.webhooks import load_webhooks
from iterable_pipelines.webhooks.body import Body, read_body
from iterable_pipelines.webhooks.land import land as land_webhooks
from iterable_pipelines.webhooks.spool import Spool
from iterable_pipelines_tests.erasure.everywhere import (
    CY,
    HERS,
    HIS,
    NAMES_HER,
    click,
    import_hour,
    quiet,
    spool_bodies,
)
from iterable_pipelines_tests.erasure.everywhere import (
    HOUR as H3,
)
from iterable_pipelines_tests.erasure.planted import ADA, ADA_ID, BOB, bury, naming

DAY = H3.replace(hour=0)
HOURS = list(iterate_hours(DAY, DAY + 24 * HOUR))


@pytest.fixture(scope="module")
def lingering() -> Iterator[Sandbox]:
    """An Iterable that still serves whoever is forgotten here."""
    with running_sandbox(users=30, start=DAY - timedelta(days=2), end=DAY + timedelta(days=2), relaxed=True) as running:
        yield running


def clicks(warehouse: Warehouse) -> list[str]:
    return sorted(email for (email,) in warehouse.read("select email from streams.iterable_activity"))


@pytest.mark.parametrize("hours", [1, 4])
def test_x17_lines_of_the_forgotten_are_no_rows(project: Settings, tmp_path: Path, hours: int) -> None:
    window, download = Window(H3, H3 + hours * HOUR), tmp_path / "download"

    def cut_now(tombstones: Tombstones | None) -> list:  # type: ignore[type-arg]
        download.write_text("".join(json.dumps(each) + "\n" for each in (HERS, HIS, {**click(4), "userId": ADA_ID})))
        return cut([download], window, "createdAt", tmp_path / str(tombstones), tombstones=tombstones)

    before = cut_now(Tombstones(project))
    assert [each.rows for each in before] == [3] + [0] * (hours - 1)
    bury(project)
    (first, *rest) = cut_now(Tombstones(project))
    assert (first.rows, first.erased, first.outside_rows) == (1, 2, 0)
    assert first.digest.startswith("1:") and not any(each.rows or each.erased for each in rest)
    assert duckdb.execute(f"select email, record from read_parquet('{first.file}')").fetchall() == [
        (BOB, json.dumps(HIS))
    ]


def test_x17_the_same_hours_again_from_an_iterable_that_still_serves_her(
    project: Settings, warehouse: Warehouse, lingering: Sandbox
) -> None:
    settings = project.model_copy(update={"base_url": lingering.url, "api_key": None})
    client = Iterable(lingering.key, lingering.url, Ledger(settings.ledger_path, relaxed=True))
    manifest = Manifest(settings.landing_dir)
    streams = ("iterable_activity", "iterable_users")

    def import_all(run: str, **more: bool) -> None:
        for stream in streams:
            land_hours(client, manifest, settings, stream, HOURS, run, log=quiet, **more)
            load_hours(warehouse, manifest, settings, stream, HOURS, run, log=quiet)

    import_all("first")
    rows, addresses = warehouse.read("select count(*), list(distinct email) from streams.iterable_activity")[0]
    her = min(each.strip().lower() for each in addresses if each)
    (hers,) = warehouse.read(f"select count(*) from streams.iterable_activity where lower(trim(email)) = '{her}'")[0]
    assert 0 < hers < rows
    bury(settings, her)
    import_all("second", refetch=True)
    sql = "select count(*), count(*) filter (lower(trim(email)) = ?) from streams.{0}"
    assert warehouse.read(sql.format("iterable_activity"), [her]) == [(rows - hers, 0)]
    current = [part for name in settings.enabled_data_types(streams[0]) for part in manifest.current(name).values()]
    assert sum(part.erased for part in current) == hers
    assert sum(part.rows for part in current) == rows - hers
    assert not sum(part.late_rows for part in current)
    with warehouse.transaction() as con:
        refresh(con, settings, manifest, DAY + 25 * HOUR, streams)
        # people who are there already stay until the erasure itself
        assert [each for each in troubles(con, streams) if each.kind in (LINES_LOST, NOT_LOADED)] == []
    # users are merged: a row that is there stays until the erasure itself, and none comes in a new warehouse
    warehouse.path.unlink()
    warehouse.prepare()
    for stream in streams:
        load_hours(warehouse, manifest, settings, stream, HOURS, "anew", log=quiet)
    assert warehouse.read(sql.format("iterable_users"), [her])[0][1] == 0


def test_x17_a_backup_of_landing_brings_nobody_back(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    import_hour(project)
    assert clicks(warehouse) == [ADA, BOB, CY]
    bury(project)
    for stream in ("iterable_activity", "iterable_users"):
        replay(warehouse, manifest, project, stream, log=quiet)
    assert clicks(warehouse) == [BOB, CY]
    assert warehouse.read("select email from streams.iterable_users order by 1") == [(BOB,), (CY,)]


def test_d24_webhooks_of_hers_go_no_further_than_the_spool(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    bury(project)
    by_id = {key: value for key, value in HERS.items() if key != "email"}
    spool, records = Spool(project.spool_path), [HERS, HIS, {**by_id, "email": "", "campaignId": 9}]
    spool_bodies(project, *records)
    with spool.kept_open():
        moved = land_webhooks(spool, manifest, project, "run", quiet)
    assert (moved.bodies, moved.erased, moved.failed) == (1, 2, 0)
    assert spool.level().queued == 0
    assert naming(project.data_dir) == set()
    load_webhooks(warehouse, manifest, project, "run", quiet)
    assert clicks(warehouse) == [BOB]


def test_d24_landed_webhooks_of_a_backup_are_not_loaded(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    spool_bodies(project, HERS, HIS)
    Spool(project.spool_path).add([_unknown(ADA), _unknown(BOB)])
    land_webhooks(Spool(project.spool_path), manifest, project, "run", quiet)
    bury(project)
    load_webhooks(warehouse, manifest, project, "run", quiet)
    assert clicks(warehouse) == [BOB]
    assert warehouse.read("select body->>'$.email' from streams.unknown_webhooks") == [(BOB,)]


def _unknown(email: str) -> tuple[Body, datetime]:
    return read_body(json.dumps({"eventName": "new", "email": email}).encode()), datetime.now(UTC)


def test_x17_a_list_that_still_has_her(project: Settings, warehouse: Warehouse, tmp_path: Path) -> None:
    bury(project)
    file = tmp_path / "reading"
    file.write_text(f"{ADA}\n{BOB}\n{ADA.upper()}\n{ADA_ID}\n")
    members = MemberList("", None, False, State(1, READING, H3))
    reading = Reading(file, H3, 0.1, 4, "f", True)
    (after,) = store_tries(warehouse, "email", [Try(members, H3, reading)], Tombstones(project))
    assert after.state.members == 1
    assert warehouse.read("select user_key from objects.list_members") == [(BOB,)]


@pytest.mark.parametrize("ending", [".ndjson", ".csv", ".parquet"])
def test_x17_files_of_records(project: Settings, tmp_path: Path, ending: str) -> None:
    bury(project)
    lines = [json.dumps(each, indent=None) + "\n" for each in (HERS, HIS, {"userId": ADA_ID, "n": 1}, NAMES_HER)]
    part = tmp_path / "part"
    part.write_text("".join(lines))
    to = tmp_path / f"out{ending}"
    written = write_records([part], to, "createdAt", tombstones=Tombstones(project))
    assert (written.records, written.erased) == (2, 2)
    if ending == ".ndjson":
        assert to.read_text() == lines[1] + lines[3]
    else:
        assert duckdb.execute(f"select email from '{to}'").fetchall() == [(BOB,), (CY,)]


def test_whoever_is_forgotten_is_not_shown(project: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERABLE_API_KEY", "sandbox")
    monkeypatch.setenv("ITERABLE_DATA_DIR", str(project.data_dir))
    bury(project)
    with pytest.raises(CannotGoOn, match=r"is forgotten\. Iterable was not asked"):
        user(f" {ADA.upper()} ")


def test_without_tombstones_no_file_is_made(project: Settings, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_text(json.dumps(HERS) + "\n")
    assert write_records([part], tmp_path / "a.ndjson", "createdAt", tombstones=Tombstones(project)).records == 1
    assert not (project.data_dir / "erasure").exists()


def test_whoever_is_lifted_comes_back(project: Settings, manifest: Manifest, warehouse: Warehouse) -> None:
    bury(project)
    Tombstones(project).lift([hash_of(ADA), hash_of(ADA_ID)])
    import_hour(project)
    assert clicks(warehouse) == [ADA, BOB, CY]
