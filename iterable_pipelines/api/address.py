"""Where Iterable is: the two data centres (api.md 1.1), and which other addresses may be asked."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from iterable_pipelines.api.errors import Refused

REGIONS = {"us": "https://api.iterable.com", "eu": "https://api.eu.iterable.com"}


def checked_address(base_url: str) -> str:
    """`base_url` without a trailing slash. Raises Refused unless it is https, or http on this machine, and bare."""
    parts = urlsplit(base_url.strip())
    if parts.username or parts.password or parts.query or parts.fragment or not parts.hostname:
        raise Refused("ITERABLE_BASE_URL must be an address such as https://api.iterable.com, and nothing more")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(base_url)):
        raise Refused(f"ITERABLE_BASE_URL: {parts.scheme}://{parts.hostname} would show the key; use https")
    return base_url.strip().rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether the address is this machine itself, by name or number."""
    host = urlsplit(url.strip()).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def is_protected(url: str) -> bool:
    """Whether nobody on the way can read or change what is asked there: https, or http on this machine."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url)))
    except ValueError:
        return False
