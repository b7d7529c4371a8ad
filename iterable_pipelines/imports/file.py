"""One import as its file describes it: what is asked of Iterable (`in`), where it goes (`out`), and when (`schedule`).

Keys and values are spelled as Treasure Data spells them (checklist T46 to T76, D7).
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from iterable_pipelines.imports import values

# the column that every table has: the time_column's value, or when the row was loaded
TIME, UNTYPED = "time", "_untyped"
# what is read person by person has these two besides: what tells its rows apart, and the record as it came
KEY, RECORD = "_key", "_record"
TYPES = {
    "boolean": "BOOLEAN",
    "long": "BIGINT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "json": "JSON",
}
# what Iterable answers for one person at a time, and what people call it
_OF_PEOPLE = {"user_events": "user events", "in_app_messages": "in-app messages"}
# these imports would have the names of schedules of the project
_TAKEN = ("the_last_hour", "what_is_behind")
_BEYOND_PRINT = re.compile(r"[^\x20-\x7e\x80-\U0010ffff]")


def _or_nothing(read: Callable[[Any], Any]) -> BeforeValidator:
    """Reads what is written; a blank is nothing."""
    return BeforeValidator(lambda given: None if values.blank(given) is None else read(given))


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Column(_Section):
    """One column. `field` is the record's field; without it, every field whose name in snake case is the column's."""

    name: Annotated[str, Field(min_length=1)]
    type: Annotated[Literal["boolean", "long", "double", "string", "timestamp", "json"], BeforeValidator(values.lower)]
    format: str | None = None
    field: str | None = None

    @property
    def sql_type(self) -> str:
        return TYPES[self.type]

    @model_validator(mode="after")
    def _fits(self) -> "Column":
        if self.name.casefold() in (TIME, UNTYPED) or _BEYOND_PRINT.search(self.name):
            raise ValueError(f"{self.name!r} cannot be a column: {TIME} and {UNTYPED} are added to every table")
        if self.format is not None:
            if self.type != "timestamp":
                raise ValueError(f"format is for columns of type timestamp, this one is {self.type}")
            values.strptime_format(self.format)
        return self


class People(_Section):
    """Whom to ask about: the columns `email` and `user_id` of a query on the copy for readers."""

    sql: Annotated[str, BeforeValidator(values.query)]


Moment = Annotated[datetime | None, _or_nothing(values.moment)]


class Source(_Section):
    """What is asked of Iterable."""

    type: Annotated[Literal["iterable"], BeforeValidator(values.lower)]
    api_key: Annotated[SecretStr | None, BeforeValidator(values.blank)] = None
    region: Annotated[Literal["us", "eu"] | None, _or_nothing(values.lower)] = None
    data_type: Annotated[
        Literal["campaign", "list", "export_data", "user_events", "in_app_messages"], BeforeValidator(values.lower)
    ] = "campaign"
    export_data_type: Annotated[str | None, _or_nothing(values.data_type)] = None
    campaign_ids: Annotated[tuple[int, ...] | None, _or_nothing(values.numbers)] = None
    list_id: Annotated[tuple[int, ...] | None, _or_nothing(values.numbers)] = None
    emails: Annotated[tuple[str, ...], BeforeValidator(values.addresses)] = ()
    user_ids: Annotated[tuple[str, ...], BeforeValidator(values.field_names)] = ()
    people: People | None = None
    number_of_ids_for_each_request: Annotated[int, Field(ge=1, le=20)] = 1
    incremental: bool = False
    start_time: Moment = Field(None, validation_alias=AliasChoices("start_time", "start_date"))
    end_time: Moment = Field(None, validation_alias=AliasChoices("end_time", "end_date"))
    use_date_range: bool = False
    date_range: Annotated[
        Literal["today", "yesterday", "before-today", "all"] | None, _or_nothing(values.date_range)
    ] = None
    omit_fields: Annotated[tuple[str, ...], BeforeValidator(values.field_names)] = ()
    only_fields: Annotated[tuple[str, ...], BeforeValidator(values.field_names)] = ()
    campaign_id: Annotated[int | None, _or_nothing(lambda given: given), Field(ge=1)] = None
    retry_limit: Annotated[int | None, Field(ge=0, le=100)] = None
    retry_initial_wait_millis: Annotated[int | None, Field(ge=0, le=3_600_000)] = Field(
        None,
        validation_alias=AliasChoices(
            "retry_initial_wait_millis", "initial_retry_wait_millis", "initial_retry_interval_millis"
        ),
    )
    max_retry_wait_millis: Annotated[int | None, Field(ge=0, le=3_600_000)] = Field(
        None,
        validation_alias=AliasChoices(
            "max_retry_wait_millis", "maximum_retry_wait_millis", "maximum_retry_interval_millis"
        ),
    )
    columns: tuple[Column, ...] = ()

    @property
    def of_people(self) -> bool:
        """Whether Iterable answers for one person at a time, so that somebody must be named (outbound.md 4.5)."""
        return self.data_type in _OF_PEOPLE

    @property
    def has_span(self) -> bool:
        """Whether a span is asked for; all else is read whole, as it is now."""
        return self.data_type in ("campaign", "export_data")

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """The columns, and those that rows are told apart by; none where none are declared."""
        if not (self.of_people and self.columns):
            return self.columns
        declared = {each.name for each in self.columns}
        own = (Column(name=KEY, type="string"), Column(name=RECORD, type="json"))
        return (*self.columns, *(each for each in own if each.name not in declared))

    @property
    def what(self) -> str:
        """What is asked for, in a few words, without the span. A change of it begins an incremental import anew."""
        if self.data_type == "list":
            return f"users of list {', '.join(map(str, self.list_id or ()))}"
        if self.of_people:
            # who they are is written nowhere: this stands in logs
            listed = len(self.emails) + len(self.user_ids)
            named = [
                f"{listed:,} {'person' if listed == 1 else 'people'}" if listed else "",
                "those of a query" if self.people else "",
            ]
            return f"{_OF_PEOPLE[self.data_type]} of {' and '.join(filter(None, named))}"
        if self.data_type == "campaign":
            chosen = f" {', '.join(map(str, self.campaign_ids))}" if self.campaign_ids else "s"
            return f"campaign{chosen} and metrics"
        campaign = f" of campaign {self.campaign_id}" if self.campaign_id else ""
        return f"{self.export_data_type}{campaign}"

    def problems(self) -> list[tuple[str, str]]:
        """What does not fit together: the field, and what is wrong with it."""
        found = [*self._of_its_type(), *self._of_its_span()]
        if self.omit_fields and self.only_fields:
            found.append(("only_fields", "omit_fields drops fields and only_fields keeps them: give one of the two"))
        if (self.retry_initial_wait_millis or 0) > (self.max_retry_wait_millis or 3_600_000):
            found.append(("max_retry_wait_millis", "it is shorter than the first wait"))
        seen: set[str] = set()
        for at, column in enumerate(self.columns):
            if column.name.casefold() in seen:
                found.append((f"columns.{at}.name", f"{column.name!r} stands twice; few databases tell A from a"))
            seen.add(column.name.casefold())
        return found

    def _of_its_type(self) -> list[tuple[str, str]]:
        found = []
        named = ("emails", "user_ids", "people")
        belongs = {
            "export_data_type": "export_data",
            "campaign_id": "export_data",
            "only_fields": "export_data",
            "omit_fields": "export_data",
            "campaign_ids": "campaign",
            "list_id": "list",
        }
        for name, kind in (belongs | dict.fromkeys(named, " and ".join(_OF_PEOPLE))).items():
            if getattr(self, name) and self.data_type not in kind.split(" and "):
                found.append((name, f"it is for data_type {kind}, this import's is {self.data_type}: take it out"))
        if self.data_type == "export_data" and not self.export_data_type:
            found.append(("data_type", "export_data needs export_data_type, such as user or emailSend"))
        if self.data_type == "list" and not self.list_id:
            found.append(("data_type", "list needs list_id, the number of a list"))
        if self.of_people:
            if not any(getattr(self, name) for name in named):
                why = f"{_OF_PEOPLE[self.data_type]} are read one person at a time, never by a full scan"
                found.append(("data_type", f"filter_required: {why}: give emails, user_ids or people.sql"))
            found += [
                (f"columns.{at}.name", f"{KEY} tells the rows apart: leave it a string, or take it out")
                for at, column in enumerate(self.columns)
                if column.name == KEY and (column.type != "string" or column.field not in (None, KEY))
            ]
        if self.campaign_id and self.export_data_type == "user":
            found.append(("campaign_id", "users belong to no campaign: take it out"))
        return found

    def _of_its_span(self) -> list[tuple[str, str]]:
        if not self.has_span:
            read = "a list is always read whole, as it is now"
            if self.of_people:
                read = "every run reads what Iterable shows, and updates rows by their key"
            return [
                (name, f"{read}: take it out")
                for name in ("incremental", "start_time", "end_time", "use_date_range")
                if getattr(self, name)
            ]
        if self.use_date_range:
            found = [
                (name, "use_date_range is on, and date_range is a span by itself: take one of the two out")
                for name in ("start_time", "end_time")
                if getattr(self, name)
            ]
            if self.incremental:
                found.append(("incremental", "with use_date_range every run reads the same span: turn one of them off"))
            return found
        if self.start_time and self.end_time and self.start_time >= self.end_time:
            return [("end_time", "it must be later than start_time; it is the end, and not included")]
        return []


class Target(_Section):
    """Where the rows go."""

    type: Annotated[Literal["duckdb", "postgresql"] | None, _or_nothing(values.lower)] = None
    database: Annotated[str | None, _or_nothing(values.database)] = None
    table: Annotated[str | None, _or_nothing(values.table)] = None
    mode: Annotated[Literal["append", "replace", "replace_on_new_data"], BeforeValidator(values.mode)] = "append"
    time_column: Annotated[str | None, BeforeValidator(values.blank)] = None
    auto_create_table: bool = False
    timezone: Annotated[str, BeforeValidator(values.zone)] = "UTC"

    @property
    def is_postgres(self) -> bool:
        return self.database is not None and values.is_postgres(self.database)

    def problems(self) -> list[tuple[str, str]]:
        """What does not fit together: the field, and what is wrong with it."""
        found = []
        if self.type == "postgresql" and not self.is_postgres:
            found.append(("type", "postgresql needs the URL of a database, best as database: ${MY_URL}"))
        if self.type == "duckdb" and self.is_postgres:
            found.append(
                ("type", "the database is the URL of a PostgreSQL one: write postgresql, or leave the type out")
            )
        if self.is_postgres and self.timezone != "UTC":
            found.append(("timezone", "PostgreSQL keeps moments, and shows them in each reader's zone: take it out"))
        return found


class Schedule(_Section):
    """When it runs by itself. `delay` is in seconds; a run starts that much later than the cron expression says."""

    cron: Annotated[str, BeforeValidator(values.cron)]
    delay: Annotated[int, Field(ge=0, le=86400)] = 0
    timezone: Annotated[str, BeforeValidator(values.zone)] = "UTC"
    enabled: bool = True


class Filter(_Section):
    """What Treasure Data's own guess writes below `filters`: it happens here without being asked for."""

    model_config = ConfigDict(extra="allow")

    type: str

    @model_validator(mode="after")
    def _is_done_anyway(self) -> "Filter":
        given = self.model_extra or {}
        column = given.get("to_column")
        named_time = isinstance(column, dict) and column.get("name") == TIME
        if self.type == "add_time" and named_time and "from_value" in given:
            return self
        if self.type == "rename" and set(given) == {"rules"}:
            return self
        raise ValueError(
            "no filters are applied here: only rename by rules, and add_time of upload_time into the column time, may "
            "stand, because both happen anyway; for another column, write out.time_column"
        )


class Import(_Section):
    """One import. `name` is its file's, without the ending."""

    name: str
    source: Source = Field(alias="in")
    target: Target = Field(Target(), alias="out")
    schedule: Schedule | None = None
    filters: tuple[Filter, ...] = ()
    # about Treasure Data's machines
    exec: dict[str, Any] = {}

    def problems(self) -> list[tuple[str, str]]:
        """What does not fit together: the path of the field, such as out.database, and what is wrong with it."""
        found = [(f"in.{path}", text) for path, text in self.source.problems()]
        found += [(f"out.{path}", text) for path, text in self.target.problems()]
        if self.name in _TAKEN:
            found.append(("name", f"the project itself has a schedule import_{self.name}: rename the file"))
        if self.source.incremental and self.target.mode != "append":
            found.append(("out.mode", "with incremental it would keep only the newest stretch: write append"))
        column = self.target.time_column
        declared = {each.name: each.type for each in self.source.columns}
        if column and declared and declared.get(column) not in ("long", "timestamp"):
            why = f"it is of type {declared[column]}" if column in declared else "in.columns has none of that name"
            found.append(("out.time_column", f"it must be a column of type timestamp or long; {why}"))
        return found
