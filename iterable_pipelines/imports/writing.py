"""Writing an import's file: checked before it takes its place, and never half written."""

import os
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from iterable_pipelines.file_store import sync
from iterable_pipelines.imports.document import Document, read_document
from iterable_pipelines.imports.file import Column, Import
from iterable_pipelines.imports.reading import checked, secrets_in, shown_path
from iterable_pipelines.settings import Settings


class _InOneLine(dict[str, Any]):
    """A mapping that is written as {name: email, type: string}."""


class _Dumper(yaml.SafeDumper):
    """YAML as people write it."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        # list items stand deeper than the field they belong to
        super().increase_indent(flow, False)


_Dumper.add_representer(
    _InOneLine, lambda dumper, made: dumper.represent_mapping("tag:yaml.org,2002:map", made, flow_style=True)
)


def as_yaml(given: dict[str, Any]) -> str:
    """What a file says, as text; each column in a line of its own."""
    source = dict(given.get("in") or {})
    if source.get("columns"):
        source["columns"] = [_InOneLine(each) for each in source["columns"]]
    return yaml.dump({**given, "in": source}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def as_given(column: Column) -> dict[str, Any]:
    """A column as a file says it: without what is not set."""
    return column.model_dump(exclude_none=True)


def write_import(path: Path, text: str, settings: Settings) -> Import:
    """Write a file that describes an import, if it does. Raises ImportFileError; what was there before stays then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        aside.write_text(text, encoding="utf-8")
        made = checked(read_document(aside, shown_path(path, settings)), path.stem, settings)
        if secrets_in(made):
            aside.chmod(0o600)
        sync(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    sync(path.parent)
    return made


def with_enabled(text: str, document: Document, on: bool) -> str:
    """The text of a file with `schedule.enabled` set; everything else in it stays as it is, comments too.

    A schedule that is written in one line, and does not say it yet, is written anew.
    """
    word = "true" if on else "false"
    lines = text.splitlines(keepends=True)
    there, first = document.lines.get(("schedule", "enabled")), document.lines[("schedule", "cron")]
    if there:
        lines[there - 1] = re.sub(r"(enabled['\"]?\s*:\s*)[^\s#,}]+", rf"\g<1>{word}", lines[there - 1])
    elif first == document.lines[("schedule",)] or lines[first - 1].lstrip().startswith("{"):
        given = document.given
        return as_yaml({**given, "schedule": {**given["schedule"], "enabled": on}})
    else:
        indent = lines[first - 1][: len(lines[first - 1]) - len(lines[first - 1].lstrip())]
        lines.insert(first - 1, f"{indent}enabled: {word}\n")
    return "".join(lines)
