"""Snippets: a name, which is for ever, and its content (4.1, api.md 6.5)."""

from typing import Any

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.fields import json_or_text
from iterable_pipelines.activation.compile.identity import identifier
from iterable_pipelines.activation.compile.rows import RowCompiler, wrong
from iterable_pipelines.activation.content import SnippetSync
from iterable_pipelines.activation.records import Compiled, Identity, Issue, Record

OUTPUT = "snippet"


class SnippetCompiler(RowCompiler[SnippetSync]):
    """Rows of a snippet sync."""

    is_content = True

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One snippet."""
        issues: list[Issue] = []
        name = _name(row.get(self.sync.snippet), issues)
        if self.sync.mode == "remove":
            return Compiled(() if name is None else (_gone(name),), tuple(issues))
        payload, _ = self.fields.of_row(row, issues)
        if not isinstance(payload.get("content"), str):
            issues.append(Issue("missing_content", "content is required, as text", "content"))
        if "variables" in payload and not _are_names(variables := json_or_text(payload["variables"])):
            issues.append(Issue("unserializable_value", "not a list of names", "variables"))
        elif "variables" in payload:
            payload["variables"] = variables
        if name is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        identity = Identity("snippet", name)
        return Compiled((Record(OUTPUT, "snippet", payload, identity, identity.key, {"name": name}),), tuple(issues))

    def leave(self, acknowledged: Acknowledged) -> Record | None:
        """The snippet is deleted, where the sync says so."""
        if self.sync.on_leave != "delete" or acknowledged.identity is None:
            return None
        return _gone(acknowledged.identity.value)


def _gone(name: str) -> Record:
    identity = Identity("snippet", name)
    return Record(OUTPUT, "snippet_gone", {"name": name}, identity, identity.key, {"name": name})


def _name(value: Any, issues: list[Issue]) -> str | None:
    name = (identifier(value) or "").strip()
    # what is all digits is an id to Iterable, and a slash would be another path (api.md 5.9)
    if name and not name.isdigit() and "/" not in name and name not in (".", ".."):
        return name
    issues.append(Issue("invalid_snippet_name", "a name is no number and has no slash", "name"))
    return None


def _are_names(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(each, str) for each in value))
