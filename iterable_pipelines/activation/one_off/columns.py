"""Which column is what: the columns of a one-off write become the settings and fields of a sync, by their names."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from iterable_pipelines.activation.compile.loose_names import plain_name
from iterable_pipelines.activation.content import SNIPPET_MEMBERS
from iterable_pipelines.activation.one_off.objects import Writable
from iterable_pipelines.activation.template_members import MEMBERS, READ_ONLY, members_of
from iterable_pipelines.settings import SettingsError
from iterable_pipelines.settings_values import did_you_mean

# what Iterable shows of content, and exports of it have, and nobody writes
_SHOWN = {plain_name(each) for each in (*READ_ONLY, "id", "projectId", "createdBy", "updatedBy", "size", "record")}
_SHOWN |= {plain_name(each) for each in ("templateType", "messageMedium", "medium", "lastModified")}
_TYPES = ("string", "long", "double", "boolean")


@dataclass
class Mapped:
    """What the columns are for. settings, fields: of the sync. left_out: columns that are not written, and why not."""

    settings: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    # the column with all fields as one JSON object, whose members are still to be given columns
    whole: str = ""


def read_map(given: Collection[str]) -> dict[str, str]:
    """`Col=Field`, `Col=Field:type` and `Col=`, which leaves the column out. Raises SettingsError."""
    found = {}
    for each in given:
        column, is_one, target = each.partition("=")
        kind = target.rpartition(":")[2] if ":" in target else "string"
        if not is_one or not column or kind not in _TYPES:
            raise SettingsError(
                f"--map {each}: write Col=Field, or Col=Field:type with one of {', '.join(_TYPES)}, or Col= to leave "
                "it out. Nothing was sent."
            )
        found[column] = target
    return found


def map_columns(writable: Writable, columns: Collection[str], given: Mapping[str, str], mode: str) -> Mapped:
    """Say of each column what it is for. Raises SettingsError for one that is not there, or is for nothing."""
    for unknown in [each for each in given if each not in columns]:
        near = did_you_mean(unknown, columns) or f"; there are {', '.join(columns)}"
        raise SettingsError(f"--map {unknown}=…: there is no such column{near}. Nothing was sent.")
    mapped = Mapped()
    called = {each: given.get(each, each) for each in columns}
    left = [each for each in columns if called[each]]
    for setting, names in writable.settings.items():
        if (column := _take(left, called, names)) is not None:
            mapped.settings[setting] = column
    for identifier, names in writable.identifiers.items():
        if (column := _take(left, called, names)) is not None:
            mapped.fields[column] = {"to": identifier}
    if mode == "remove" or writable.fields == "none":
        mapped.left_out += left
    elif writable.fields == "known":
        _known(writable, mapped, left, called)
    else:
        _own(writable, mapped, left, called)
    return mapped


def _take(left: list[str], called: Mapping[str, str], names: Collection[str]) -> str | None:
    """The column of the first of these names that there is, in whatever spelling, taken out of those left."""
    for name in names:
        for column in left:
            if plain_name(called[column]) == plain_name(name):
                left.remove(column)
                return column
    return None


def _known(writable: Writable, mapped: Mapped, left: Collection[str], called: Mapping[str, str]) -> None:
    known = members_of(tuple(MEMBERS)) if writable.object == "template" else SNIPPET_MEMBERS
    spelled = {plain_name(each): each for each in known}
    for column in left:
        name, _, inner = called[column].partition(".")
        member = spelled.get(plain_name(name))
        if member is not None:
            mapped.fields[column] = {"to": f"{member}.{inner}" if inner else member}
        elif column.startswith("_") or plain_name(name) in _SHOWN:
            mapped.left_out.append(column)
        else:
            near = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise SettingsError(
                f"a {writable.object} has no {name}{near}. Nothing was sent.\n"
                f"Next: --map '{column}=…' says what it is, and --map '{column}=' leaves it out"
            )


def _own(writable: Writable, mapped: Mapped, left: Collection[str], called: Mapping[str, str]) -> None:
    whole = plain_name(writable.whole)
    inside = [each for each in left if plain_name(called[each].partition(".")[0]) == whole]
    for column in left:
        inner = called[column].partition(".")[2]
        if column.startswith("_error_"):
            mapped.left_out.append(column)
        elif column in inside and not inner:
            mapped.whole = column
        elif column in inside:
            mapped.fields[column] = _to(inner)
        elif inside:
            # the export of a record: what stands beside its fields is Iterable's
            mapped.left_out.append(column)
        else:
            mapped.fields[column] = _to(called[column])


def _to(target: str) -> dict[str, str]:
    name, has_type, kind = target.rpartition(":")
    return {"to": name, "type": kind} if has_type and kind in _TYPES else {"to": target}
