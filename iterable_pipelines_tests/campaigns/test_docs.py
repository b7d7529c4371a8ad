"""docs/campaigns.md and its example: what they say is there, and nothing is left out."""

import re
from pathlib import Path

from iterable_pipelines.campaigns.declaration import CheckName, GatedCampaign, GateRules, load_campaigns
from iterable_pipelines.campaigns.ledger import CallLedger
from iterable_pipelines.campaigns.procedures import PROCEDURES
from iterable_pipelines.campaigns.publish import publish
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.cli.command import CHECKOUT

DOCS = CHECKOUT / "docs"
TEXT = (DOCS / "campaigns.md").read_text()


def test_the_example_loads_and_asks_for_every_check(tmp_path: Path) -> None:
    for folder, name, file in (
        ("syncs", "never_opened", DOCS / "syncs-examples" / "never_opened.yml"),
        ("campaigns", "win_back", DOCS / "campaigns-example.yml"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.yml").write_text(file.read_text())
    settings = Settings(project_root=tmp_path, data_dir=tmp_path / "data", start_date="2026-11-01")
    (loaded,) = load_campaigns(settings)
    assert set(loaded.checks) == set(CheckName.__args__)  # type: ignore[attr-defined]


def test_every_command_field_rule_and_check_is_told_of() -> None:
    rows = "\n".join(line for line in TEXT.splitlines() if line.startswith("|"))
    for kind in PROCEDURES.values():
        assert f"| `{kind.command} ID` | `{kind.name}` |" in rows
    for field in set(GatedCampaign.model_fields) - {"name"}:
        assert f"| `{field}` |" in rows
    for check in CheckName.__args__:  # type: ignore[attr-defined]
        assert f"| `{check}` |" in rows
    for rule in GateRules.model_fields:
        assert f"`{rule}: " in rows


def test_the_query_runs(project: Settings) -> None:
    publish(project, CallLedger(project), print)
    (query,) = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)
    assert Warehouse.of(project).read(query) == []
