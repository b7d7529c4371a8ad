"""What lies elsewhere: an S3 server that all tests share, and stores in buckets and folders of their own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from iterable_pipelines.file_store import FileStore
from iterable_pipelines.hours import parse_hour
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.postgres_server import Server
from iterable_pipelines_tests.s3_server import ENVIRONMENT, S3, running_s3


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    with running_s3() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The server, with the environment that lets in."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> FileStore:
    """An empty store; each test sees one of either kind."""
    if request.param == "folder":
        return FileStore(tmp_path / "landing")
    server: S3 = request.getfixturevalue("s3")
    return FileStore(f"{server.bucket(f'bucket-{uuid4().hex}')}/landing", server.options)


@pytest.fixture
def elsewhere(s3: S3, postgres: Server, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a project whose landing lies on S3, and whose tables lie in PostgreSQL."""
    name = f"elsewhere-{uuid4().hex}"
    with postgres.database(name) as url:
        yield Settings(
            api_key="sandbox",
            base_url="http://127.0.0.1:9",
            data_dir=tmp_path / "elsewhere",
            landing=f"{s3.bucket(name)}/landing",
            landing_options=json.dumps(s3.options),
            postgres=url,
            start_date=parse_hour("2026-11-01"),
        )


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a file of this machine with a text in it."""

    def write(text: str) -> Path:
        file = tmp_path / f"written-{uuid4().hex}"
        file.write_text(text)
        return file

    return write
