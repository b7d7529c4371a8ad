"""What the tests of replications share: a project with a published copy, a database, and a way to look into both."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from iterable_pipelines.replications import Replicated, load_replications, replicate
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.postgres_server import Server

VARIABLE = "REPORTING_URL"


@pytest.fixture
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """One for all examples: opening DuckDB takes longer than an example does."""
    with duckdb.connect() as con:
        yield con


@dataclass
class Replica:
    """A table `marts.people` here, and what `replications/people.yml` makes of it there."""

    settings: Settings
    url: str

    def here(self, *statements: str) -> list[tuple]:
        """Run SQL on the published copy; the rows of the last statement."""
        with duckdb.connect(self.settings.published_path) as con:
            con.execute("set timezone = 'UTC'")
            for statement in statements:
                con.execute(statement)
            return con.fetchall()

    def there(self, statement: str) -> list[tuple]:
        """Run SQL in PostgreSQL, as anybody with the login might; moments are UTC without a zone, as DuckDB's are."""
        with psycopg.connect(self.url) as con:
            cursor = con.execute(statement)
            return [tuple(map(_in_utc, row)) for row in cursor] if cursor.description else []

    def declare(self, text: str, name: str = "people") -> Path:
        """Write replications/<name>.yml."""
        path = self.settings.project_root / "replications" / f"{name}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def run(self, allow_deletes: bool = False, dry_run: bool = False) -> Replicated:
        """Replicate what is declared."""
        (declared,) = load_replications(self.settings)
        return replicate(self.settings, declared, allow_deletes=allow_deletes, dry_run=dry_run)


def _in_utc(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


PEOPLE = f"table: marts.people\npostgres: {VARIABLE}\nkeys: [id]\n"


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """The URL of an empty database."""
    with postgres.database(f"test_{uuid.uuid4().hex}") as url:
        yield url


@pytest.fixture
def replica(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Replica:
    """A project without rows yet, its replication declared."""
    settings = Settings(api_key="sandbox", project_root=tmp_path, data_dir=tmp_path / "data")
    settings.data_dir.mkdir()
    monkeypatch.setenv(VARIABLE, database)
    made = Replica(settings, database)
    made.here("create schema marts")
    made.declare(PEOPLE)
    return made
