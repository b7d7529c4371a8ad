"""Members of a record as columns of the table: which type they get, how one becomes the other, and what does not fit.

Both sides are read through the columns' types, so that what a type cannot tell apart is no difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iterable_pipelines.landing.typed import typed_sql
from iterable_pipelines.quoting import literal, quoted

_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT"}
_DOUBLES = {"FLOAT", "DOUBLE"}
_MOMENTS = {"TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}
_TEXTS = {"DATE", "UUID"}
_NUMBER = "('BIGINT', 'UBIGINT', 'DOUBLE')"


@dataclass(frozen=True)
class Member:
    """A member of a record, and the column that holds it."""

    column: str
    name: str
    type: str

    @property
    def is_known(self) -> bool:
        """Whether values of the column's type can go both ways unchanged."""
        plain = self.type in {*_WHOLE, *_DOUBLES, *_MOMENTS, *_TEXTS, "VARCHAR", "JSON", "BOOLEAN"}
        return plain or self.type.startswith("DECIMAL(")

    def json_sql(self, of: str = "") -> str:
        """The column as JSON has it: moments as Iterable writes them, in UTC and without parts of a second (V1)."""
        column = of + quoted(self.column)
        if self.type in _MOMENTS:
            return f"strftime({column}::timestamp, '%Y-%m-%d %H:%M:%S +00:00')"
        return f"{column}::varchar" if self.type in _TEXTS else column

    def value_sql(self, record: str) -> str:
        """The value of the column for a JSON `record`; NULL too for what does not fit, as `unfit_sql` tells."""
        found, text = self._found(record), self._text(record)
        kind, number = f"json_type({found})", f"json_type({found}) in {_NUMBER}"
        if self.type == "JSON":
            return f"if({kind} = 'NULL', null, {found})"
        if self.type in _WHOLE:
            whole = f"try_cast({text} as hugeint) = try_cast({text} as double)"
            return f"if({number} and {whole}, try_cast({text} as {self.type}), null)"
        if self.type in _DOUBLES:
            exact = (
                f"({kind} = 'DOUBLE' or try_cast(try_cast({text} as double) as hugeint) = try_cast({text} as hugeint))"
            )
            return f"if({number} and {exact}, try_cast({text} as {self.type}), null)"
        if self.type.startswith("DECIMAL("):
            same = f"try_cast({text} as {self.type})::double = try_cast({text} as double)"
            return f"if({number} and {same}, try_cast({text} as {self.type}), null)"
        if self.type == "BOOLEAN":
            return f"if({kind} = 'BOOLEAN', try_cast({text} as boolean), null)"
        if self.type in _MOMENTS:
            return f"if({kind} = 'VARCHAR', {typed_sql('TIMESTAMP', text)}, null)::{self.type}"
        read = text if self.type == "VARCHAR" else f"try_cast({text} as {self.type})"
        return f"if({kind} = 'VARCHAR', {read}, null)"

    def unfit_sql(self, record: str, of: str) -> str:
        """The column's name where the record has a value that the column, here in `of`, could not take."""
        there = f"coalesce(json_type({self._found(record)}), 'NULL') <> 'NULL'"
        return f"if({there} and {of}{quoted(self.column)} is null, {literal(self.column)}, null)"

    def _found(self, record: str) -> str:
        return f"json_extract({record}, {self._pointer})"

    def _text(self, record: str) -> str:
        return f"json_extract_string({record}, {self._pointer})"

    @property
    def _pointer(self) -> str:
        return literal("/" + self.name.replace("~", "~0").replace("/", "~1"))


def content_sql(members: Sequence[Member], of: str = "") -> str:
    """The members as one JSON object."""
    if not members:
        return "'{}'::json"
    pairs = (f"{literal(each.name)}, {each.json_sql(of)}" for each in sorted(members, key=lambda each: each.name))
    return f"json_object({', '.join(pairs)})"


def inferred(kinds: Mapping[str, bool], defined: str | None = None) -> str:
    """The SQL type for a member whose values have these types in JSON; each says whether all of them fit BIGINT.

    `defined` is the type that the catalog's own mapping gives the member, which it keeps for ever (api.md 6.4).
    """
    told = {"double": "DOUBLE", "long": "BIGINT", "boolean": "BOOLEAN", "string": "VARCHAR"}
    found = set(kinds) - {"NULL"}
    if defined in told and found <= _json_types(told[defined]):
        return told[defined]
    for kind in ("BOOLEAN", "BIGINT", "DOUBLE", "VARCHAR"):
        if found and found <= _json_types(kind) and (kind != "BIGINT" or all(kinds.values())):
            return kind
    return "JSON"


def _json_types(kind: str) -> set[str]:
    numbers = {"BIGINT", "UBIGINT"}
    return {"BIGINT": numbers, "DOUBLE": numbers | {"DOUBLE"}}.get(kind, {kind})
