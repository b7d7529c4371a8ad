"""A wire between a client and a server that is cut while a request is on its way."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


@contextmanager
def cutting_proxy(endpoint: str, after: int) -> Iterator[str]:
    """The URL of a proxy to `endpoint` that cuts every connection when it has passed on so many bytes of requests."""
    parts = urlsplit(endpoint)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, (parts.hostname, parts.port), after), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, server: tuple[str, int], after: int) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_pass_on, args=(client, server, after), daemon=True).start()


def _pass_on(client: socket.socket, address: tuple[str, int], after: int) -> None:
    with client, socket.create_connection(address) as server:
        threading.Thread(target=_back, args=(server, client), daemon=True).start()
        left = after
        while left > 0 and (block := client.recv(min(left, 65536))):
            server.sendall(block)
            left -= len(block)
        for each in (client, server):
            each.shutdown(socket.SHUT_RDWR)


def _back(server: socket.socket, client: socket.socket) -> None:
    try:
        while block := server.recv(65536):
            client.sendall(block)
    except OSError:
        return
