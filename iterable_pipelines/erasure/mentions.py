"""Persons inside other people's rows: found as whole words in any text, and replaced by one fixed word."""

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

ERASED = "erased"
# a shorter user id, such as 4711, is also somebody else's price, quantity or year
_SHORTEST = 8
# what may stand within an address: an address that only begins or ends like the person's is somebody else's
_BEFORE, _AFTER = r"A-Za-z0-9._%+\-", r"A-Za-z0-9._\-"
# where nobody is looked for, nothing is found: no place is both an edge of a word and none
_NEVER = r"\b\B"


def tellable(identifier: str) -> bool:
    """Whether an identifier means its person wherever it stands: an address, or a long id that is no number."""
    return "@" in identifier or (len(identifier) >= _SHORTEST and re.search(r"[A-DF-Za-df-z]", identifier) is not None)


def spellings(identifier: str) -> list[str]:
    """How an identifier may be written in a file of ours: plainly, as JSON escapes it, or as a URL does."""
    plain = identifier.strip()
    escaped = (json.dumps(plain, ensure_ascii=ascii)[1:-1] for ascii in (True, False))
    # in a URL the @ of an address may stay as it is
    shapes = (plain, *escaped, *(quote(plain, safe=safe) for safe in ("", "@")))
    return list(dict.fromkeys(shapes))


def detector_of(identifiers: Iterable[str]) -> str:
    """A quick regular expression, as RE2 and Python read it, that finds every text `pattern_of` finds, and few more."""
    words = _words(identifiers)
    return f"(?i){words}" if words else _NEVER


def pattern_of(identifiers: Iterable[str]) -> str:
    """A regular expression for any of these as a whole word in any case; groups 1 and 2 are what stands before and
    after. Identifiers that are not `tellable` are left out."""
    words = _words(identifiers)
    if not words:
        return f"({_NEVER})({_NEVER})"
    # a full stop after an address ends a sentence, unless the address goes on
    after = rf"(\.?(?:[^{_AFTER}]|$)|\.+$)"
    before = rf"(^|[^{_BEFORE}]|\\[nrtbf]|\\u[0-9a-f]{{4}}|%(?:2[0267cf]|3[a-f]|0[ad]))"
    return f"(?i){before}(?:{words}){after}"


def without(text: str, pattern: str) -> str:
    """`text` with every match of `pattern_of` replaced by `erased`, and nothing else changed."""
    # what separates two neighbours is taken by the first
    for _ in range(2):
        text = re.sub(pattern, rf"\g<1>{ERASED}\g<2>", text)
    return text


def without_sql(expression: str, pattern: str) -> str:
    """`without` as SQL; `pattern` is an SQL expression."""
    once = f"regexp_replace({expression}, {pattern}, '\\1{ERASED}\\2', 'g')"
    return f"regexp_replace({once}, {pattern}, '\\1{ERASED}\\2', 'g')"


def _words(identifiers: Iterable[str]) -> str:
    return "|".join(sorted({re.escape(each) for one in identifiers if tellable(one) for each in spellings(one)}))
