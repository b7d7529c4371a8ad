"""Where landing and the shared tables lie: what is taken, what is refused by name, and no secret shown."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from iterable_pipelines import settings_places
from iterable_pipelines.settings import Settings

Given = Callable[..., Settings]
Refused = Callable[..., str]
URL = "postgresql://me:hunter22hunter22@db.example.com:5432/pipelines"


def test_landing_lies_in_the_data_folder_unless_somebody_says_where(given: Given) -> None:
    usual = given()
    assert usual.landing_root == str(usual.landing_dir) == str(usual.data_dir / "landing")
    moved = given(ITERABLE_LANDING="elsewhere/")
    assert moved.landing_root == str(moved.landing_dir) == str(moved.project_root / "elsewhere")
    assert given(ITERABLE_LANDING="file:///srv/landing").landing_dir == Path("/srv/landing")
    remote = given(ITERABLE_LANDING="s3://company/iterable/", ITERABLE_LANDING_OPTIONS='{"endpoint_url": "http://x"}')
    assert remote.landing_root == "s3://company/iterable"
    # scratch, and the manifest of a single machine
    assert remote.landing_dir == remote.data_dir / "landing"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("memory://landing", "nothing stays at memory://"),
        ("https://example.com/landing", "nothing stays at https://"),
        ("s4://company/landing", "there is no driver for s4://"),
        ("s3://", "it names no folder of an object store"),
        ("simplecache::s3://company/landing", "it names no folder of an object store"),
        ("s3://id:secret-of-aws@company/landing", "a URL is no place for a password"),
    ],
)
def test_what_keeps_no_files_is_refused(refused: Refused, written: str, why: str) -> None:
    assert why in refused(ITERABLE_LANDING=written)


def test_a_driver_that_is_not_installed_is_named_with_its_command(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_places, "find_spec", lambda name: None if name == "gcsfs" else find_spec(name))
    text = refused(ITERABLE_LANDING="gs://company/landing")
    command = ".venv/bin/python -m pip install -c constraints.txt -e '.[gcs]'"
    assert f"the driver gcsfs is not installed: {command}" in text


def test_the_secrets_of_both_are_never_shown(given: Given, refused: Refused) -> None:
    settings = given(ITERABLE_POSTGRES=URL, ITERABLE_LANDING_OPTIONS='{"secret": "of-the-object-store"}')
    assert "hunter22" not in repr(settings) and "of-the-object-store" not in repr(settings)
    for wrong in (URL.removesuffix("/pipelines"), URL.replace("postgresql", "mysql"), URL.replace("22h", "22@h")):
        text = refused(ITERABLE_POSTGRES=wrong)
        assert "write postgresql://user:password@host:5432/database" in text and "hunter22" not in text
    text = refused(ITERABLE_LANDING_OPTIONS='{"secret": "of-the-object-store"')
    assert "write a JSON object" in text and "of-the-object-store" not in text
    assert "postgres stands in iterable.yml" in refused(yml=f"postgres: {URL}\n")
