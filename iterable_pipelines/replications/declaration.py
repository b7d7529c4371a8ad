"""`replications/*.yml`: one file, one replication, one asset. What is wrong in them is refused at start, by line."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import duckdb
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from iterable_pipelines.declared import Scheduled, Variable, load_declared
from iterable_pipelines.postgres import database_of
from iterable_pipelines.published import only_query, tables_of
from iterable_pipelines.quoting import quoted
from iterable_pipelines.record_files import ENDINGS
from iterable_pipelines.settings import Settings
from iterable_pipelines.variables import variable

FOLDER = "replications"


def _query(text: str) -> str:
    try:
        return only_query(text)
    except duckdb.Error as error:
        raise ValueError(str(error).strip()) from None


def _dotted(text: str) -> str:
    schema, dot, table = text.partition(".")
    if not schema or not dot or not table:
        raise ValueError("write the schema too, such as profiles.user_profiles")
    return text


def _file(text: Path) -> Path:
    if text.suffix.lower() not in ENDINGS:
        raise ValueError(f"the name must end with {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    return text


def _keys(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


class Replication(Scheduled):
    """What is replicated (`table` or `query`), where to (`postgres` and `into`, or `file`), and when."""

    table: Annotated[str, AfterValidator(_dotted)] | None = None
    query: Annotated[str, AfterValidator(_query)] | None = None
    file: Annotated[Path, AfterValidator(_file)] | None = None
    postgres: Variable | None = None
    into: Annotated[str, AfterValidator(_dotted)] | None = None
    keys: Annotated[tuple[str, ...], BeforeValidator(_keys)] = ()
    delete_guard: float = Field(0.2, ge=0, le=1)

    @model_validator(mode="after")
    def _fit_together(self) -> "Replication":
        if (self.table is None) == (self.query is None):
            raise ValueError("name what is replicated: either `table` or `query`")
        if (self.file is None) == (self.postgres is None):
            raise ValueError("name where to: either `postgres`, the variable that holds the URL, or `file`")
        if self.postgres and not self.keys:
            raise ValueError("name the columns that identify a row in `keys`: without them no row could be updated")
        if self.file and self.model_fields_set & {"into", "keys", "delete_guard"}:
            raise ValueError("`into`, `keys` and `delete_guard` belong to `postgres`: a file is written as a whole")
        return self

    @property
    def source(self) -> str:
        """The query that gives the rows."""
        return self.query or "from " + ".".join(map(quoted, (self.table or "").split(".", 1)))

    @property
    def target(self) -> tuple[str, str]:
        """Schema and table in PostgreSQL: as `into` says, else `iterable` and the replication's name."""
        schema, _, table = (self.into or f"iterable.{self.name}").partition(".")
        return schema, table

    def place(self, root: Path) -> tuple[str, ...]:
        """Where to, so that two replications can be told apart; two variables may hold the URL of one database."""
        if self.file:
            return ("file", str(self.file))
        name = self.postgres or ""
        url = variable(name, root)
        database = database_of(url) if url else None
        return (*(database or (name,)), *self.target)

    @cached_property
    def reads(self) -> list[tuple[str, str]]:
        """Schema and name of the tables that are read, as far as the query names the schema."""
        return tables_of(self.source)


def load_replications(settings: Settings) -> list[Replication]:
    """Every replication of the project, by name. Raises SettingsError with all that is wrong, by file and line."""
    return load_declared(settings, FOLDER, Replication, "A replication", "iterable-pipelines replicate --all --dry-run")
