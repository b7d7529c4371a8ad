"""One request on its way, and its failures in plain words: requests' own texts carry whole addresses and persons."""

import socket
import ssl
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies, select_proxy

from iterable_pipelines.api.errors import Broken
from iterable_pipelines.api.patience import Patience


def send(
    session: requests.Session, prepared: requests.PreparedRequest, what: str, patience: Patience
) -> requests.Response:
    """Send one request and return the answer's beginning, whatever its status. Raises Broken if none comes in time."""
    url = prepared.url or ""
    settings = session.merge_environment_settings(url, {}, True, None, None)
    try:
        # the adapter itself knows no redirects: a session would carry the key to wherever one points (faults.md M4)
        return session.get_adapter(url).send(
            prepared,
            stream=True,
            timeout=(patience.connect, patience.first_byte),
            verify=settings["verify"] or True,
            proxies=settings["proxies"],
        )
    except (requests.RequestException, OSError) as error:
        proxy = select_proxy(url, get_environ_proxies(url)) if session.trust_env else None
        through = f" through the proxy {host_of(proxy)}" if proxy else ""
        failure = f"{what}: network failure on the way to {host_of(url)}{through}: {cause_of(error)}"
    # raised out here, so that the original, which holds the request and its headers, is not chained to it
    raise Broken(failure)


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
