"""A YAML file with the line of every field, so that what is wrong can be pointed at."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from iterable_pipelines.settings_errors import KEY_SHAPED, SettingsError

Place = tuple[str | int, ...]
# what a field holds that is shown to nobody
SECRETS = (("in", "api_key"), ("in", "emails"), ("in", "user_ids"), ("in", "people"), ("out", "database"))
# in whatever field: a key, or a URL, which may hold a password, up to the quote around it
_SECRET = re.compile(rf"{KEY_SHAPED.pattern}|\w+://\S+?(?=['\"]?(:?\s|$))")


class ImportFileError(SettingsError):
    """A file of an import that nothing can be done with: each problem on a line of its own, with its place.

    What looks like a key or a URL in it is not shown.
    """

    def __init__(self, text: str) -> None:
        super().__init__(_SECRET.sub("(hidden: it looks like a key or a login)", text))


class _Loader(yaml.SafeLoader):
    """YAML whose times stay as they were written: as datetimes they would lose digits and zones."""


_Loader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _named(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    """A key may be named instead of written: `!env MY_KEY` is `${MY_KEY}`."""
    return f"${{{node.value}}}"


_Loader.add_constructor("!env", _named)


@dataclass
class Document:
    """What a file says, the line of each field by its path, and the problems found in it. `shown` is the file's name
    in errors."""

    shown: str
    given: dict[str, Any]
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def value(self, place: Place) -> Any:
        """What stands at a place; None for nothing."""
        found: Any = self.given
        for part in place:
            try:
                found = found[part]
            except (KeyError, IndexError, TypeError):
                return None
        return found

    def complain(self, place: Place, text: str, name_value: bool = True) -> None:
        """Note a problem at a place, or where it is missing from, with what was given there."""
        line = next((self.lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in self.lines), 1)
        dotted = ".".join(str(each + 1) if isinstance(each, int) else each for each in place)
        value = self.value(place)
        hidden = not name_value or value is None or place[:2] in SECRETS or isinstance(value, dict | list)
        self.problems.append((line, f"{dotted}{'' if hidden else f' is {_short(value)}'}: {text}"))

    def check(self) -> None:
        """Raise ImportFileError with every problem there is, in the order of the file."""
        if self.problems:
            found = sorted(dict.fromkeys(self.problems))
            text = "\n".join(f"{self.shown}, line {line}: {text}" for line, text in found)
            raise ImportFileError(text)


def read_document(path: Path, shown: str) -> Document:
    """Read a file. Raises ImportFileError for what is no YAML mapping, or says one thing twice."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=_Loader)
    except FileNotFoundError:
        raise ImportFileError(f"There is no file {shown}.\nNext: iterable-pipelines import list") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ImportFileError(f"{shown} cannot be read ({type(error).__name__})") from None
    except yaml.MarkedYAMLError as error:
        raise _no_yaml(error, shown) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ImportFileError(f"{shown} is no YAML file ({type(error).__name__})") from None
    if not isinstance(node, yaml.MappingNode):
        raise ImportFileError(f"{shown}, line 1: write the sections in:, out: and schedule:, with fields below them")
    document = Document(shown, {})
    try:
        _walk(node, (), document)
        document.given = _Loader("").construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise _no_yaml(error, shown) from None
    except (ValueError, RecursionError) as error:
        raise ImportFileError(f"{shown} holds what cannot be read ({type(error).__name__})") from None
    document.check()
    return document


def _no_yaml(error: yaml.MarkedYAMLError, shown: str) -> ImportFileError:
    # the error's own text shows the line, which may hold a key
    mark = error.problem_mark or error.context_mark
    hint = ": put quotes around it, '@daily'" if "'@'" in str(error.problem) else ""
    return ImportFileError(f"{shown}, line {mark.line + 1 if mark else '?'}: {error.problem}{hint}")


def _walk(node: yaml.Node, place: Place, document: Document) -> None:
    """Note the line of each field below `node`, and those that stand twice: YAML would take the last of them."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            where = (*place, str(key.value))
            twice = where in document.lines
            document.lines[where] = key.start_mark.line + 1
            if twice:
                document.complain(where, "it stands twice")
            elif key.tag != "tag:yaml.org,2002:str":
                document.complain(where, "it is no field")
            _walk(value, where, document)
    elif isinstance(node, yaml.SequenceNode):
        for at, value in enumerate(node.value):
            document.lines[(*place, at)] = value.start_mark.line + 1
            _walk(value, (*place, at), document)


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:79] + "…"
