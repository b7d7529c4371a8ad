"""Persons in texts that Python reads: whose a record is, whether a text names one of them, and the text without."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from iterable_pipelines.erasure.mentions import ERASED, pattern_of, spellings, tellable, without
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.tombstones import normal

# columns, and keys of JSON, that say of whom a row or a record is
OWNERS = ("email", "user_id", "userid", "itbl_user_id", "itbluserid", "user_key", "anonymousid", "user")
_OWNER_KEY = r'"[a-z_]*(?:email|user_?id|user_?key|anonymousid|identity)"\s*:\s*'


class Named:
    """Some persons, by all their identifiers."""

    def __init__(self, identifiers: Iterable[str]) -> None:
        """`identifiers` as spelled anywhere; short ids count only where a column or key says that it is one."""
        given = [each for each in identifiers if normal(each)]
        self.keys = frozenset(map(normal, given))
        self.pattern = pattern_of(given)
        self._words = sorted({form.lower() for each in given if tellable(each) for form in spellings(each)})
        quoted = sorted({re.escape(form) for each in given for form in spellings(each)})
        self._owner = re.compile(rf'(?i)({_OWNER_KEY})(?:"(?:{"|".join(quoted)})"|(?:{"|".join(quoted)})(?=[\s,}}]))')

    @classmethod
    def of(cls, persons: Persons) -> "Named":
        """Those of an erasure."""
        return cls(persons.plain())

    def is_one(self, value: object) -> bool:
        """Whether a value, whole, is an identifier of one of them."""
        return value is not None and normal(str(value)) in self.keys

    def stands_in(self, text: str) -> bool:
        """Whether the text names one of them anywhere."""
        low = text.lower()
        # searching for so many words at every place would take ten times as long
        if any(word in low for word in self._words) and re.search(self.pattern, text):
            return True
        return '"' in low and bool(self._owner.search(text))

    def without(self, text: str) -> str:
        """The text with `erased` in place of each of them; JSON stays JSON."""
        text = self._owner.sub(rf'\g<1>"{ERASED}"', text)
        return without(text, self.pattern) if self.pattern else text

    def owns(self, record: Any) -> bool:
        """Whether a JSON object says that it is of one of them: itself, or where it says nothing, inside."""
        if not isinstance(record, Mapping):
            return False
        said = [value for key, value in record.items() if key.lower() in OWNERS and isinstance(value, str | int)]
        if any(map(self.is_one, said)):
            return True
        inside = [record.get(key) for key in ("dataFields", "user", "context", "traits")]
        return any(self.owns(each) for each in inside if isinstance(each, Mapping) and (not said or "traits" in each))

    def owns_text(self, text: str) -> bool:
        """Whether a text is such a JSON object."""
        if not self.stands_in(text):
            return False
        try:
            return self.owns(json.loads(text))
        except (ValueError, RecursionError):
            return False
