"""The documented proxy, as it stands in docs/, in front of a receiver: real nginx, real TLS."""

import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from iterable_pipelines_tests.webhooks.nginx_server import NAME, Proxy, running_nginx
from iterable_pipelines_tests.webhooks.receiving import TOKEN, Running, event, running_receiver, until

MEGABYTE = 1024**2


@pytest.fixture
def proxied(receiver: Running) -> Iterator[tuple[Running, Proxy]]:
    """A receiver, and the proxy before it."""
    with running_nginx(receiver.port) as proxy:
        yield receiver, proxy


class Connection(http.client.HTTPSConnection):
    """https to this machine, by the name in the certificate, which is verified."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(NAME, proxy.port, context=ssl.create_default_context(cafile=proxy.authority))

    def connect(self) -> None:
        self.host, name = "127.0.0.1", self.host
        http.client.HTTPConnection.connect(self)
        self.host = name
        self.sock = self._context.wrap_socket(self.sock, server_hostname=name)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        self.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = self.getresponse()
        return answer.status, answer.read()


def test_a_webhook_comes_through_tls(proxied: tuple[Running, Proxy]) -> None:
    receiver, proxy = proxied
    connection = Connection(proxy)
    for number in range(20):
        # on one connection, as Iterable keeps it
        status, _ = connection.ask("POST", f"/webhooks?name=a%20b{number}", event(number), Authorization=TOKEN)
        assert status == 200
    assert receiver.bodies() == [event(number) for number in range(20)]
    connection.request("POST", "/webhooks", iter([event(20)[:9], event(20)[9:]]), {"Authorization": f"OAuth2 {TOKEN}"})
    assert connection.getresponse().status == 200
    assert receiver.bodies()[-1] == event(20)


def test_a_wrong_token_stays_out_and_only_what_is_meant_for_outside_can_be_reached(
    proxied: tuple[Running, Proxy],
) -> None:
    receiver, proxy = proxied
    asked = {
        ("POST", "/webhooks"): 401,
        ("GET", "/webhooks"): 405,
        ("POST", "/health"): 405,
        ("GET", "/health"): 200,
        ("GET", "/metrics"): 404,
        ("GET", "/%6detrics"): 404,
        ("GET", "/health/../metrics"): 404,
        ("POST", "/"): 404,
    }
    answered = {each: Connection(proxy).ask(*each, Authorization="a-token-that-is-wrong")[0] for each in asked}
    assert answered == asked
    assert receiver.get("/metrics").status == 200
    assert receiver.bodies() == []


def test_what_is_too_large_ends_at_the_proxy(proxied: tuple[Running, Proxy]) -> None:
    receiver, proxy = proxied
    assert Connection(proxy).ask("POST", "/webhooks", b"x" * (MEGABYTE + 1), Authorization=TOKEN)[0] == 413
    assert Connection(proxy).ask("POST", "/webhooks?" + "x" * 10_000, b"", Authorization=TOKEN)[0] == 414
    assert not [name for name in receiver.metrics() if "refused" in name]
    assert Connection(proxy).ask("POST", "/webhooks", b" " * MEGABYTE, Authorization=TOKEN)[0] == 200


def test_nobody_and_no_token_is_in_the_logs_of_the_proxy(tmp_path: Path) -> None:
    path = "/webhooks?name=person1@example.com"
    with running_receiver(tmp_path) as receiver:
        port = receiver.port
    with running_nginx(port) as proxy:

        def ask(body: bytes) -> int:
            return Connection(proxy).ask("POST", path, body, Authorization=TOKEN)[0]

        # what goes wrong is logged with the whole request, if at all
        assert [ask(event(1)), ask(b"x" * (MEGABYTE + 1))] == [502, 413]
        with running_receiver(tmp_path, port=port):
            until(lambda: ask(event(1)) == 200)
        logged = "".join(each.read_text() for each in proxy.folder.glob("*.log"))
    assert TOKEN not in logged and "example.com?" not in logged and "person1" not in logged


def test_without_a_receiver_nothing_is_acknowledged(tmp_path: Path) -> None:
    with running_receiver(tmp_path) as receiver:
        port = receiver.port
    with running_nginx(port) as proxy:
        assert Connection(proxy).ask("POST", "/webhooks", event(1), Authorization=TOKEN)[0] == 502
        with running_receiver(tmp_path / "again", port=port) as receiver:
            statuses = [Connection(proxy).ask("POST", "/webhooks", event(2), Authorization=TOKEN)[0] for _ in range(3)]
            assert statuses[-1] == 200
            assert receiver.bodies() == [event(2)]
