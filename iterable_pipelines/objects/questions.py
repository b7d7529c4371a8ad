"""What is to be asked of Iterable for an object: one question for each pass, and for each parent that needs it."""

import json
from dataclasses import dataclass
from urllib.parse import quote

import duckdb

from iterable_pipelines.objects.object_type import Listing, ObjectType


@dataclass(frozen=True)
class Question:
    """The parameters of one question, and the version of what it asks for, if that has one."""

    asked: dict[str, str]
    version: str | None = None

    @property
    def name(self) -> str:
        """The question as text, by which it is remembered."""
        return json.dumps(self.asked, sort_keys=True)

    def at(self, endpoint: str) -> tuple[str, dict[str, str]]:
        """The path, with the parameters that `endpoint` names in braces, and the query, with the others."""
        named = {name for name in self.asked if f"{{{name}}}" in endpoint}
        path = endpoint.format(**{name: quote(self.asked[name], safe="") for name in named})
        return path, {name: value for name, value in self.asked.items() if name not in named}


def questions_of(con: duckdb.DuckDBPyConnection, kind: ObjectType) -> list[Question]:
    """The questions that are due. What is asked for by version is not asked for again while that stays the same."""
    asked_before = dict(
        con.execute("select question, version from objects.asked where name = ?", [kind.name]).fetchall()
    )
    if isinstance(kind.read, Listing):
        passes = [Question(each) for each in kind.read.passes]
        if not kind.read.parents:
            return passes
        return [Question(each.asked | parent.asked) for parent in _parents(con, kind.read.parents) for each in passes]
    questions = _parents(con, kind.read.parents)
    # what went away and comes back is new
    here = {each.name for each in questions}
    forgotten = [name for name in asked_before if name not in here]
    con.execute("delete from objects.asked where name = ? and list_contains(?, question)", [kind.name, forgotten])
    due = [each for each in questions if each.version is None or asked_before.get(each.name) != each.version]
    # what failed before comes last, so that it never stands in the way of the others
    return sorted(due, key=lambda each: each.name in asked_before and asked_before[each.name] is None)


def _parents(con: duckdb.DuckDBPyConnection, select: str) -> list[Question]:
    if not select:
        return []
    found = con.execute(select)
    names = [column[0] for column in found.description or ()]
    questions = []
    for row in found.fetchall():
        asked = {name: str(value) for name, value in zip(names, row, strict=True) if value is not None}
        version = asked.pop("version", None)
        questions.append(Question(asked, version))
    return questions
