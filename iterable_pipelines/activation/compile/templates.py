"""Templates: what is mapped of a row, and nothing else; Iterable keeps the rest of a template that it has (4.1)."""

from math import isfinite
from typing import Any, cast

from iterable_pipelines.activation.compile.compiler import Acknowledged, Row
from iterable_pipelines.activation.compile.fields import json_or_text
from iterable_pipelines.activation.compile.identity import identifier, whole_number
from iterable_pipelines.activation.compile.rows import RowCompiler, wrong
from iterable_pipelines.activation.content import TemplateSync
from iterable_pipelines.activation.records import Compiled, Identity, Issue, Record
from iterable_pipelines.activation.template_members import MEMBERS, Medium, MemberType

OUTPUT = "template"
_SPELLINGS = {"in_app": "inapp", "in-app": "inapp"}


class TemplateCompiler(RowCompiler[TemplateSync]):
    """Rows of a template sync."""

    is_content = True

    def compile(self, pk: str, row: Row, seq: int = 0, before: Acknowledged | None = None) -> Compiled:
        """One template, or one locale of it."""
        issues: list[Issue] = []
        sync = self.sync
        medium = sync.medium or self._medium(row, issues)
        template_id = self._template_id(row, issues)
        client_id = _text(row.get(sync.client_template_id) if sync.client_template_id else None)
        if client_id is None and template_id is None and not wrong(issues):
            named = "clientTemplateId or templateId is" if sync.template_id else "clientTemplateId is"
            issues.append(Issue("missing_template_id", f"{named} required", "clientTemplateId"))
        data, _ = self.fields.of_row(row, issues)
        members = _typed(data, medium, issues) if medium else {}
        if medium is None or wrong(issues):
            return Compiled(issues=tuple(issues))
        if not members:
            return Compiled(issues=tuple(issues), skipped="nothing_to_send")
        # Iterable's own id says exactly which one is meant
        endpoint = "template" if template_id is None else "template_update"
        named_by: dict[str, Any] = {"clientTemplateId": client_id}
        if template_id is not None:
            named_by = {"templateId": template_id}
        identity = Identity("template", f"{medium}/{client_id if template_id is None else template_id}")
        # each locale of a template is a content of its own
        key = f"{identity.key}/{members['locale']}" if members.get("locale") else identity.key
        return Compiled(
            (Record(OUTPUT, endpoint, {**named_by, **members}, identity, key, {"medium": medium}),), tuple(issues)
        )

    def _medium(self, row: Row, issues: list[Issue]) -> Medium | None:
        found = (_text(row.get(self.sync.medium_column or "")) or "").lower()
        found = _SPELLINGS.get(found, found)
        if found in MEMBERS:
            return cast(Medium, found)
        issues.append(Issue("unknown_medium", f"none of {', '.join(MEMBERS)}", "medium"))
        return None

    def _template_id(self, row: Row, issues: list[Issue]) -> int | None:
        given = row.get(self.sync.template_id) if self.sync.template_id else None
        if given is None or (identifier(given) is not None and _text(given) is None):
            return None
        return whole_number(given, "invalid_template_id", "templateId", issues)


def _text(value: Any) -> str | None:
    text = identifier(value)
    return text.strip() or None if text is not None else None


def _typed(data: dict[str, Any], medium: Medium, issues: list[Issue]) -> dict[str, Any]:
    """The members, of the types that Iterable has for them; texts of JSON become what they say (V4)."""
    known, found = MEMBERS[medium], {}
    for name, value in data.items():
        if name not in known:
            # of a column with media each row has some members only
            if value is not None:
                issues.append(Issue("unknown_member", f"a template of the medium {medium} has none of this name", name))
            continue
        found[name] = value if value is None else _as(known[name], value, name, issues)
    return found


def _as(kind: MemberType, value: Any, path: str, issues: list[Issue]) -> Any:
    structured = json_or_text(value) if kind in ("array", "object") else value
    text = value.strip().lower() if isinstance(value, str) else None
    try:
        if kind == "array" and isinstance(structured, list):
            return structured
        if kind == "object" and isinstance(structured, dict):
            return structured
        if kind == "boolean" and (isinstance(value, bool) or text in ("true", "false")):
            return value if isinstance(value, bool) else text == "true"
        if kind == "text" and not isinstance(value, bool | list | dict):
            return value if isinstance(value, str) else str(value)
        if kind == "long" and (whole := identifier(value)) is not None:
            return int(whole)
        if kind == "double" and not isinstance(value, bool) and isfinite(number := float(value)):
            return number
    except (ValueError, TypeError):
        pass
    article = "an" if kind in ("array", "object") else "a"
    issues.append(Issue("unserializable_value", f"not {article} {kind}: cast it in SQL", path))
    return None
