"""Network failures in plain words: requests' own texts carry whole addresses, with whoever is named in them."""

import socket
import ssl
from urllib.parse import urlsplit

import requests


def host_of(url: str) -> str:
    """The host of an address, with its port if it names one."""
    return urlsplit(url).netloc.rpartition("@")[2]


def cause_of(error: BaseException) -> str:
    """What failed on the way, from an exception of requests, without any address."""
    root = _root(error)
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy could not be used"
    if isinstance(error, requests.exceptions.SSLError):
        reason = root.verify_message if isinstance(root, ssl.SSLCertVerificationError) else type(root).__name__
        return f"no secure connection: {reason}"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(root, socket.gaierror):
        return "the name of the host cannot be resolved"
    if isinstance(root, OSError) and root.strerror:
        return root.strerror.lower()
    return f"the connection was lost ({type(root).__name__})"


def _root(error: BaseException) -> BaseException:
    """The innermost exception: requests wraps urllib3, urllib3 wraps the socket's."""
    for _ in range(10):
        inner = getattr(error, "reason", None) or error.__cause__ or error.__context__
        if not isinstance(inner, BaseException):
            inner = next((each for each in reversed(error.args) if isinstance(each, BaseException)), None)
        if inner is None:
            break
        error = inner
    return error
