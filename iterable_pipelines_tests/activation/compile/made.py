"""Compilers without a warehouse or a network: a sync's fields and rows in, records out."""

from datetime import UTC, datetime
from typing import Any

from iterable_pipelines.activation.compile.compiler import Compiler
from iterable_pipelines.activation.compile.objects import compiler_of
from iterable_pipelines.activation.objects import OBJECTS
from iterable_pipelines.activation.project import ProjectType

AS_OF = datetime(2026, 11, 1, 12, tzinfo=UTC)
BY_EMAIL: dict[str, Any] = {"match": {"column": "email", "field": "email"}}
BY_USER_ID: dict[str, Any] = {"match": {"column": "user_id", "field": "userId"}}


def compiler(
    kind: str,
    columns: str | dict[str, str] = "",
    project: ProjectType = "hybrid",
    meta: dict[str, dict[str, Any]] | None = None,
    /,
    **said: Any,
) -> Compiler:
    """The compiler of a sync named s; `columns`, beside `pk`: with their types, or one for each word of a text."""
    there = dict.fromkeys(columns.split(), "VARCHAR") if isinstance(columns, str) else columns
    usual: dict[str, Any] = {"name": "s", "object": kind, "source": "made.rows", "primary_key": "pk"}
    if OBJECTS[kind].is_history:
        usual["first_run"] = "backfill"
    sync = OBJECTS[kind].model_validate(usual | said)
    return compiler_of(sync, project, AS_OF, {"pk": "VARCHAR", **there}, meta)


def payload(made: Compiler, row: dict[str, Any], pk: str = "1") -> dict[str, Any]:
    """The payload of a row's only record."""
    (record,) = made.compile(pk, row).records
    return record.payload


def codes(made: Compiler, row: dict[str, Any], pk: str = "1") -> list[str]:
    """What is wrong with a row that gives no record."""
    compiled = made.compile(pk, row)
    assert not compiled.records and not compiled.skipped
    return [each.code for each in compiled.issues if each.severity == "error"]


def warnings(made: Compiler, row: dict[str, Any], pk: str = "1") -> list[tuple[str, str]]:
    """Code and path of what is odd about a row that is sent all the same."""
    compiled = made.compile(pk, row)
    assert compiled.records and all(each.severity == "warning" for each in compiled.issues)
    return [(each.code, each.path) for each in compiled.issues]
