"""Who may send webhooks: whoever shows one of the tokens, in any of the ways in which Iterable may send it."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Sequence

from starlette.datastructures import Headers

AUTHORIZATION = "Authorization"
_SCHEMES = (b"bearer", b"oauth2", b"basic")


class Authentication:
    """Compares what a request shows with the tokens, in a time that tells nothing of them. Keeps only their digests."""

    def __init__(self, tokens: Sequence[str], header: str = AUTHORIZATION) -> None:
        """`tokens`: each of them is good, so that one can take the place of the other. `header`: where it is sent."""
        self._digests = [_digest(token.encode()) for token in tokens]
        self._header, self._has_schemes = header, header.lower() == AUTHORIZATION.lower()

    def admits(self, headers: Headers) -> bool:
        """Whether the request may pass. With the header twice, nobody can know which one a proxy has looked at."""
        shown = headers.getlist(self._header)
        if len(shown) != 1:
            return False
        value = shown[0].strip().encode("latin-1")
        admitted = False
        for reading in _readings(value) if self._has_schemes else (value,):
            for digest in self._digests:
                # every one is compared, whatever came out before
                admitted |= hmac.compare_digest(_digest(reading), digest)
        return admitted


def _readings(value: bytes) -> Iterator[bytes]:
    """What may be meant as the token: Iterable sends it bare or after a scheme, and says not which (api.md 7)."""
    yield value
    scheme, _, rest = value.partition(b" ")
    if scheme.lower() not in _SCHEMES:
        return
    yield rest.strip()
    if scheme.lower() == b"basic":
        try:
            decoded = base64.b64decode(rest.strip(), validate=True)
        except binascii.Error:
            return
        yield decoded
        yield decoded.partition(b":")[2]


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
