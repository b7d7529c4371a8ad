"""Compilers without a warehouse or a network: a sync's fields and rows in, records out."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from iterable_pipelines.activation.compile.compiler import Compiler
from iterable_pipelines.activation.compile.objects import compiler_of
from iterable_pipelines.activation.objects import OBJECTS
from iterable_pipelines.activation.project import ProjectType

AS_OF = datetime(2026, 11, 1, 12, tzinfo=UTC)
Compile = Callable[..., Compiler]


def compiler(
    kind: str,
    columns: dict[str, str] | str = "",
    project: ProjectType = "hybrid",
    meta: dict[str, dict[str, Any]] | None = None,
    **said: Any,
) -> Compiler:
    """The compiler of a sync named s. `columns`: with their types, or names in one text, which are VARCHAR."""
    there = dict.fromkeys(columns.split(), "VARCHAR") if isinstance(columns, str) else columns
    usual: dict[str, Any] = {"name": "s", "object": kind, "source": "made.rows", "primary_key": "pk"}
    if OBJECTS[kind].is_history:
        usual["first_run"] = "backfill"
    sync = OBJECTS[kind].model_validate(usual | said)
    return compiler_of(sync, project, AS_OF, {"pk": "VARCHAR", **there}, meta)


def by_email(**more: Any) -> dict[str, Any]:
    """What a user sync says that is matched by its column `email`."""
    return {"match": {"column": "email", "field": "email"}, **more}


def by_user_id(**more: Any) -> dict[str, Any]:
    """What a user sync says that is matched by its column `user_id`."""
    return {"match": {"column": "user_id", "field": "userId"}, **more}


def payload(made: Compiler, row: dict[str, Any], pk: str = "1") -> dict[str, Any]:
    """The only record's payload of a row with nothing wrong but warnings."""
    compiled = made.compile(pk, row)
    (record,) = compiled.records
    return record.payload


def codes(made: Compiler, row: dict[str, Any], pk: str = "1") -> list[str]:
    """What is wrong with a row that gives no record."""
    compiled = made.compile(pk, row)
    assert not compiled.records and not compiled.skipped
    return [each.code for each in compiled.issues if each.severity == "error"]


@pytest.fixture(params=["email", "userid", "hybrid"])
def project(request: pytest.FixtureRequest) -> ProjectType:
    """Each of the three types of projects."""
    kind: ProjectType = request.param
    return kind
