"""Folders of YAML files, each of which declares one thing. What is wrong in them is refused at start, by line."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import isclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines.settings_values import did_you_mean

_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
# what pydantic says in words of Python
_MESSAGES = {
    "missing": "it is missing",
    "model_type": "write its fields below it, one `field: value` a line",
    "path_type": "it must be a path",
}
_Lines = dict[tuple[str | int, ...], int]


def _variable(text: str) -> str:
    # a URL or key pasted here must not come back in the error
    if not _VARIABLE.fullmatch(text) or text.startswith("ITERABLE_"):
        raise ValueError(
            "write the name of the variable that holds it, such as REPORTING_URL, not the URL or key itself; names "
            "that begin with ITERABLE_ are this project's own"
        )
    return text


def _cron(text: str) -> str:
    from dagster._utils.schedules import is_valid_cron_schedule

    if not is_valid_cron_schedule(text):
        raise ValueError("write five fields of cron, such as '15 6 * * *' (UTC), or @hourly, @daily, @weekly, @monthly")
    return text


Variable = Annotated[str, AfterValidator(_variable)]
Cron = Annotated[str, AfterValidator(_cron)]


class Section(BaseModel):
    """Fields of a file, or of one part of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Declared(Section):
    """What one file declares. `name` is the file's, and the asset's."""

    name: str
    description: str | None = None

    def place(self, root: Path) -> tuple[str, ...]:
        """Where to, so that two of them can be told apart."""
        raise NotImplementedError


class Scheduled(Declared):
    """What runs at times of its own, or else when what it reads is new."""

    schedule: Cron | None = None


D = TypeVar("D", bound=Declared)


@dataclass(frozen=True)
class Kinds(Generic[D]):
    """The models of a folder whose files are of several kinds: the member that tells, and the model of each kind."""

    member: str
    models: Mapping[str, type[D]]


def load_declared(
    settings: Settings,
    folder: str,
    model: type[D] | Kinds[D],
    what: str,
    then: str,
    together: Callable[[Sequence[D]], Sequence[str]] = lambda found: (),
) -> list[D]:
    """Every declaration in `folder` of the project, by name. `together` says what is wrong between them.

    Raises SettingsError with all that is wrong, by file and line; `what` is wrong there, and `then` comes next.
    """
    found: list[D] = []
    problems: list[str] = []
    places: dict[tuple[str, ...], str] = {}
    for path in sorted((settings.project_root / folder).glob("*.y*ml")):
        here = f"{folder}/{path.name}"
        if path.suffix == ".yaml":
            problems.append(f"{here} is not read: rename it to {path.stem}.yml")
            continue
        declared, wrong = _read(path, model)
        problems += [f"{here}{each}" for each in wrong]
        if declared is None:
            continue
        other = places.setdefault(declared.place(settings.project_root), path.name)
        if other != path.name:
            problems.append(f"{here}: {folder}/{other} writes to the same place already")
        found.append(declared)
    problems += together(found)
    if problems:
        text = "\n".join(f"  {problem}" for problem in problems)
        raise SettingsError(
            f"{what} is wrong; nothing was started or changed.\n{text}\nNext: correct that, then {then}"
        )
    return found


def _read(path: Path, models: type[D] | Kinds[D]) -> tuple[D | None, list[str]]:
    """What a file declares, or what is wrong with it, each with its line."""
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
    lines: _Lines = {}
    if twice := _note_lines(node, (), lines):
        return None, [f", line {line}: a field stands there twice" for line in twice]
    if given.pop("name", path.stem) != path.stem:
        return None, [f", line {lines[('name',)]}, name: leave it out: it is the file's name"]
    if isinstance(models, Kinds):
        kind = given.get(models.member)
        if not isinstance(kind, str) or kind not in models.models:
            near = did_you_mean(kind, models.models) if isinstance(kind, str) else ""
            at = lines.get((models.member,), 1)
            return None, [f", line {at}, {models.member}: write one of {', '.join(models.models)}{near}"]
        model = models.models[kind]
    else:
        model = models
    try:
        return model.model_validate({"name": path.stem, **{str(key): value for key, value in given.items()}}), []
    except ValidationError as error:
        return None, [_told(each, lines, model) for each in error.errors(include_input=False, include_url=False)]


def _note_lines(node: yaml.Node, place: tuple[str | int, ...], lines: _Lines) -> list[int]:
    """Note the line of each field; returns the lines of those that stand there twice: YAML would take the last."""
    twice = []
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            where, line = (*place, str(key.value)), key.start_mark.line + 1
            twice += [line] if where in lines else []
            lines[where] = line
            twice += _note_lines(value, where, lines)
    elif isinstance(node, yaml.SequenceNode):
        for at, value in enumerate(node.value):
            lines[*place, at] = value.start_mark.line + 1
            twice += _note_lines(value, (*place, at), lines)
    return twice


def _told(error: Any, lines: _Lines, model: type[BaseModel]) -> str:
    place = tuple(error["loc"])
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "it must")
    if error["type"] == "extra_forbidden":
        fields = _fields_beside(model, place)
        message = f"no such field{did_you_mean(place[-1], fields) or '; there are ' + ', '.join(fields)}"
    elif error["type"] in _MESSAGES:
        message = _MESSAGES[error["type"]]
    line = next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), 1)
    return f", line {line}, {'.'.join(map(str, place))}: {message}" if place else f": {message}"


def _fields_beside(model: type[BaseModel], place: tuple[str | int, ...]) -> list[str]:
    for part in place[:-1]:
        # the key of a mapping, or the member of a union, is no field
        field = model.model_fields.get(str(part))
        given = [] if field is None else [field.annotation, *get_args(field.annotation)]
        model = next((each for each in given if isclass(each) and issubclass(each, BaseModel)), model)
    # its own first, then those that all have
    return sorted(
        (each for each in model.model_fields if each != "name"), key=lambda each: each in Scheduled.model_fields
    )
