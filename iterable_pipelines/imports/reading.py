"""Reading an import's file: every problem with its line, its field, what was given and what is allowed."""

import re
import warnings
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from iterable_pipelines.imports.document import Document, ImportFileError, Place, read_document
from iterable_pipelines.imports.file import Column, Filter, Import, People, Schedule, Source, Target
from iterable_pipelines.imports.values import REFERENCE
from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_sources import DOTENV, SettingsWarning
from iterable_pipelines.settings_values import api_key, did_you_mean
from iterable_pipelines.variables import variable

FOLDER, ENDING = "imports", ".yml"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
_SECTIONS: dict[tuple[str, ...], type[BaseModel]] = {
    (): Import,
    ("in",): Source,
    ("out",): Target,
    ("schedule",): Schedule,
    ("in", "columns"): Column,
    ("in", "people"): People,
    ("filters",): Filter,
}
_FIELDS = "write fields below it, one `name: value` a line"
_PLAIN = {
    "missing": "it is missing",
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "int_parsing": "write a whole number",
    "int_type": "write a whole number",
    "int_from_float": "write a whole number",
    "string_type": "write a text; put quotes around it",
    "model_type": _FIELDS,
    "model_attributes_type": _FIELDS,
    "dict_type": _FIELDS,
    "tuple_type": "write a list, each item behind a -",
}


def imports_folder(settings: Settings) -> Path:
    """Where the project's imports lie, one file each."""
    return settings.project_root / FOLDER


def job_name(name: str) -> str:
    """The name of an import's Dagster job, and of its schedule."""
    return f"import_{name}"


def all_imports(settings: Settings) -> list[Import]:
    """Every import of the project, by name. Raises ImportFileError, with what is wrong in each of the files."""
    found, problems = [], []
    for path in sorted(imports_folder(settings).glob("*.y*ml")):
        try:
            found.append(read_import(path, settings, complete=True))
        except ImportFileError as error:
            problems.append(str(error))
    if problems:
        raise ImportFileError("\n".join(problems))
    return found


def read_import(path: Path, settings: Settings, complete: bool = False) -> Import:
    """The import that a file describes; `complete` if it must name a table.

    Raises ImportFileError; warns (SettingsWarning) of a key that stands in it.
    """
    shown = shown_path(path, settings)
    if path.suffix != ENDING:
        raise ImportFileError(f"{shown} is not read: rename it to {path.with_suffix(ENDING).name}")
    document = read_document(path, shown)
    if complete and not document.value(("out", "table")):
        document.complain(("out", "table"), "it is missing")
    return checked(document, path.stem, settings)


def checked(document: Document, name: str, settings: Settings) -> Import:
    """The import that a document describes. Raises ImportFileError; warns (SettingsWarning) of a key in it."""
    if not _NAME.fullmatch(name):
        raise ImportFileError(
            f"{document.shown}: {name!r} is no name of an import: write up to 60 letters, digits and _, a letter first"
        )
    sections = {key: each for key, each in document.given.items() if each is not None}
    if "name" in sections:
        document.complain(("name",), "it is no section: the file's own name is the import's")
    try:
        made = Import.model_validate({**sections, "name": name})
    except ValidationError as error:
        for each in error.errors(include_input=False, include_url=False):
            _explain(document, tuple(each["loc"]), each["type"], each["msg"])
    else:
        for path, text in [*made.problems(), *_of_the_project(made, settings)]:
            place = tuple(int(part) if part.isdigit() else part for part in path.split("."))
            document.complain(_spelled(place, document), text)
        for what, instead in secrets_in(made):
            _warn(document.shown, what, instead)
    # outside the handler: the library's own error holds what was given, the key among it
    document.check()
    return made


def resolved_key(source: Source, settings: Settings) -> str:
    """The key of an import, for the request header alone. Raises SettingsError where a variable it names is not set."""
    if source.api_key is None:
        return settings.required_api_key()
    written = source.api_key.get_secret_value().strip()
    found = REFERENCE.fullmatch(written)
    if not found:
        return _header_safe(written, "in.api_key")
    name, value = found[1], variable(found[1], settings.project_root)
    if not value and name != "ITERABLE_API_KEY":
        raise ImportFileError(
            f"in.api_key names {name}, which is not set, so Iterable cannot be asked; nothing was changed.\n"
            f"Next: write {name}=… into {settings.project_root / DOTENV}"
        )
    return _header_safe(value, name) if value else settings.required_api_key()


def secrets_in(made: Import) -> list[tuple[str, str]]:
    """What stands in the file itself instead of the name of a variable that holds it, and what to write instead."""
    found, key = [], made.source.api_key
    if key is not None and not REFERENCE.fullmatch(key.get_secret_value().strip()):
        found.append(("in.api_key is the key itself", "api_key: ${MY_KEY}"))
    if made.target.is_postgres and not REFERENCE.fullmatch(str(made.target.database)):
        found.append(("out.database holds the login itself", "database: ${MY_URL}"))
    return found


def database_file(target: Target, settings: Settings) -> Path:
    """The DuckDB file of an import: a bare name lies in the data folder, a path begins at the project's."""
    name = target.database or FOLDER
    if name.endswith(".duckdb"):
        return (settings.project_root / Path(name).expanduser()).resolve()
    return (settings.data_dir / f"{name}.duckdb").resolve()


def shown_path(path: Path, settings: Settings) -> str:
    """A file as errors name it: from the project's folder on, where it lies below that."""
    root = settings.project_root
    return str(path.resolve().relative_to(root)) if path.resolve().is_relative_to(root) else str(path)


def _header_safe(text: str, name: str) -> str:
    try:
        return api_key(text)
    except ValueError as error:
        raise ImportFileError(f"{name}: {error}. Nothing was asked.\nNext: correct {name}") from None


def _warn(shown: str, what: str, instead: str) -> None:
    text = (
        f"{shown}: {what}, which everybody who gets the file can read. It belongs into {DOTENV}; write {instead} here"
    )
    warnings.warn(text, SettingsWarning, stacklevel=4)


def _of_the_project(made: Import, settings: Settings) -> list[tuple[str, str]]:
    if made.target.is_postgres:
        return []
    path = database_file(made.target, settings)
    if path in (settings.warehouse_path.resolve(), settings.published_path.resolve()):
        return [("out.database", f"{path} is the project's own warehouse, which only its streams write: take another")]
    return [("out.database", f"{path} is a folder: name a file in it")] if path.is_dir() else []


def _explain(document: Document, place: Place, kind: str, message: str) -> None:
    place = _spelled(place, document)
    if kind == "extra_forbidden" and place[-1] in _spellings(place):
        document.complain(place, "the same stands here under another name: keep one of the two", name_value=False)
        return
    if kind == "extra_forbidden":
        known = _spellings(place)
        near = did_you_mean(place[-1], known) or f"; there are {', '.join(known)}"
        document.complain(place, f"it is no field{near}", name_value=False)
        return
    text = message.removeprefix("Value error, ").replace("Input should", "it must")
    document.complain(place, _PLAIN.get(kind, text))


def _spelled(place: Place, document: Document) -> Place:
    """The place as the file spells it: start_date where that was written for start_time."""
    if len(place) == 2 and place[0] == "in" and document.value(place) is None:
        choices = _choices(Source.model_fields.get(str(place[1])))
        written = [name for name in choices if document.value(("in", name)) is not None]
        return ("in", *written[:1]) if written else place
    return place


def _spellings(place: Place) -> list[str]:
    section: Any = _SECTIONS.get(tuple(str(part) for part in place[:-1] if isinstance(part, str)), Import)
    return [
        spelling
        for name, field in section.model_fields.items()
        if section is not Import or name != "name"
        for spelling in (_choices(field) or [field.alias or name])
    ]


def _choices(field: FieldInfo | None) -> list[str]:
    return [str(each) for each in getattr(field.validation_alias, "choices", [])] if field else []
