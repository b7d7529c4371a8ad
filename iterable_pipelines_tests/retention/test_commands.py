"""What the command line says of the retention, and what it refuses to fetch again."""

import dagster as dg
import pytest

from iterable_pipelines.cli import main
from iterable_pipelines.landing import Manifest
from iterable_pipelines.retention import assets
from iterable_pipelines.retention.run import let_go
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.retention.old_hours import (
    EMAIL,
    HOURS,
    MOMENT,
    TYPES,
    files,
    import_hour,
    load,
    note_built,
    project_of,
)


@pytest.fixture
def old(project: Settings, manifest: Manifest, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The project of `old_hours` as the command line sees it."""
    old = project_of(project)
    for name, value in {
        "API_KEY": "sandbox",
        "BASE_URL": "http://127.0.0.1:9",
        "DATA_DIR": str(old.data_dir),
        "START_DATE": "2026-11-01T03",
        "DATA_TYPES": ",".join(TYPES),
        "SKIP_USERS": "true",
        "RETENTION": f"{EMAIL}=9d",
    }.items():
        monkeypatch.setenv(f"ITERABLE_{name}", value)
    for hour in HOURS:
        import_hour(old, manifest, hour)
    load(old, manifest, warehouse)
    note_built(warehouse)
    return old


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The code that a command leaves with, and all that it says, on one line."""
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    found = capsys.readouterr()
    return int(left.value.code or 0), " ".join((found.out + found.err).split())


def test_it_shows_before_it_lets_go(old: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(old)
    code, told = said(capsys, "retention")
    assert (code, files(old)) == (0, before)
    assert "Nothing was changed" in told
    assert EMAIL in told


def test_without_a_retention_it_names_the_setting(
    old: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ITERABLE_RETENTION")
    code, told = said(capsys, "retention", "--run")
    assert code == 1
    assert "ITERABLE_RETENTION=400d" in told


def test_a_backfill_of_what_has_left_is_refused(
    old: Settings, manifest: Manifest, warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    let_go(warehouse, manifest, old, MOMENT, lambda text: None)
    span = ("--from", "2026-11-01T03", "--to", "2026-11-01T05")
    code, told = said(capsys, "backfill", *span, "--stream", EMAIL, "--refetch")
    assert code == 1
    assert "ITERABLE_RETENTION" in told
    assert "Nothing was changed" in told


def test_the_nightly_asset_says_what_left(old: Settings, manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "now", lambda: MOMENT)
    done = dg.materialize(assets.retention_assets(), instance=dg.DagsterInstance.ephemeral())
    (first, second) = done.asset_materializations_for_node("let_old_hours_go")
    told = {name: value.value for name, value in first.metadata.items()}
    assert (told["hours_left"], told["rows_left"], told["files_removed"], told["held"]) == (2, 6, 4, "none")
    assert (told["dagster/row_count"], second.metadata["dagster/row_count"].value) == (2, 3)
    assert len(files(old)) == 5
