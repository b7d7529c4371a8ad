"""`replications/*.yml`: one file, one replication, one asset. What is wrong in them is refused at start, by line."""

import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import duckdb
import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from iterable_pipelines.postgres import database_of
from iterable_pipelines.published import only_query
from iterable_pipelines.quoting import quoted
from iterable_pipelines.record_files import ENDINGS
from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines.settings_values import did_you_mean
from iterable_pipelines.variables import variable

FOLDER = "replications"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


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


def _variable(text: str) -> str:
    # a URL pasted here must not come back in the error: it holds a password
    if not _VARIABLE.fullmatch(text) or text.startswith("ITERABLE_"):
        raise ValueError(
            "write the name of the variable that holds the URL, such as REPORTING_URL, not the URL itself; names that "
            "begin with ITERABLE_ are this project's own"
        )
    return text


def _keys(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


def _cron(text: str) -> str:
    from dagster._utils.schedules import is_valid_cron_schedule

    if not is_valid_cron_schedule(text):
        raise ValueError("write five fields of cron, such as '15 6 * * *' (UTC), or @hourly, @daily, @weekly, @monthly")
    return text


class Replication(BaseModel):
    """What is replicated (`table` or `query`), where to (`postgres` and `into`, or `file`), and when."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str
    table: Annotated[str, AfterValidator(_dotted)] | None = None
    query: Annotated[str, AfterValidator(_query)] | None = None
    file: Annotated[Path, AfterValidator(_file)] | None = None
    postgres: Annotated[str, AfterValidator(_variable)] | None = None
    into: Annotated[str, AfterValidator(_dotted)] | None = None
    keys: Annotated[tuple[str, ...], BeforeValidator(_keys)] = ()
    delete_guard: float = Field(0.2, ge=0, le=1)
    schedule: Annotated[str, AfterValidator(_cron)] | None = None
    description: str | None = None

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
        with duckdb.connect() as con:
            tree = con.execute("select json_serialize_sql(?::varchar)", [self.source]).fetchone()
        return sorted(set(_tables(json.loads(tree[0] if tree else "{}"))))


def load_replications(settings: Settings) -> list[Replication]:
    """Every replication of the project, by name. Raises SettingsError with all that is wrong, by file and line."""
    folder = settings.project_root / FOLDER
    found: list[Replication] = []
    problems: list[str] = []
    places: dict[tuple[str, ...], str] = {}
    for path in sorted(folder.glob("*.y*ml")):
        here = f"{FOLDER}/{path.name}"
        if path.suffix == ".yaml":
            problems.append(f"{here} is not read: rename it to {path.stem}.yml")
            continue
        replication, wrong = _read(path)
        problems += [f"{here}{each}" for each in wrong]
        if replication is None:
            continue
        other = places.setdefault(replication.place(settings.project_root), path.name)
        if other != path.name:
            problems.append(f"{here}: {FOLDER}/{other} writes to the same place already")
        found.append(replication)
    if problems:
        text = "\n".join(f"  {problem}" for problem in problems)
        raise SettingsError(
            f"A replication is wrong; nothing was started or changed.\n{text}\n"
            "Next: correct that, then iterable-pipelines replicate --all --dry-run"
        )
    return found


def _read(path: Path) -> tuple[Replication | None, list[str]]:
    """The replication of a file, or what is wrong with it, each with its line."""
    if not _NAME.fullmatch(path.stem):
        return None, [": the file's name becomes the asset's: lower-case letters, digits and _, up to 50 of them"]
    try:
        text = path.read_text(encoding="utf-8-sig")
        given, node = yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        return None, [f"{line}: {error.problem}"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError) as error:
        return None, [f" cannot be read ({type(error).__name__})"]
    if not isinstance(given, dict) or not isinstance(node, yaml.MappingNode):
        return None, [": write one `field: value` a line"]
    lines = {str(key.value): key.start_mark.line + 1 for key, _ in node.value}
    if len(lines) < len(node.value):
        return None, [": a field stands there twice"]
    if "name" in given:
        return None, [f", line {lines['name']}, name: leave it out: the file's name is the replication's"]
    try:
        return Replication.model_validate({"name": path.stem, **{str(key): value for key, value in given.items()}}), []
    except ValidationError as error:
        return None, [_told(each, lines) for each in error.errors(include_input=False, include_url=False)]


def _told(error: Any, lines: dict[str, int]) -> str:
    field = str(error["loc"][0]) if error["loc"] else ""
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "it must")
    if error["type"] == "extra_forbidden":
        fields = [each for each in Replication.model_fields if each != "name"]
        message = f"no such field{did_you_mean(field, fields) or '; there are ' + ','.join(fields)}"
    return f", line {lines.get(field, 1)}, {field}: {message}" if field else f": {message}"


def _tables(tree: Any) -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        if tree.get("type") == "BASE_TABLE" and tree.get("schema_name"):
            yield str(tree["schema_name"]), str(tree["table_name"])
        tree = list(tree.values())
    if isinstance(tree, list):
        for each in tree:
            yield from _tables(each)
