"""Debian's nginx with the documented file, on free ports of this machine, with a certificate made for the test."""

import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from iterable_pipelines_tests.webhooks.receiving import until

DOCUMENTED = Path(__file__).resolve().parents[2] / "docs" / "nginx-webhooks.conf"
NAME = "webhooks.example.com"
_INSTALL = "nginx is not installed, and these tests need it: apt-get install -y nginx"
# what a distribution's own nginx.conf does around the file, with everything in one folder
_AROUND = """
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/client;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/iterable-webhooks.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running nginx: its port, the authority that signed its certificate, and where it writes."""

    port: int
    authority: Path
    folder: Path


@contextmanager
def running_nginx(upstream: int) -> Iterator[Proxy]:
    """Start nginx before a receiver on the port `upstream`, and stop it. Fails where none is installed."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    assert program, _INSTALL
    folder = Path(tempfile.mkdtemp(prefix="nginx-", dir="/tmp"))
    try:
        authority, certificate = trustme.CA(), folder / "fullchain.pem"
        issued = authority.issue_cert(NAME)
        authority.cert_pem.write_to_path(folder / "authority.pem")
        issued.private_key_pem.write_to_path(folder / "privkey.pem")
        for each in issued.cert_chain_pems:
            each.write_to_path(certificate, append=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        text = DOCUMENTED.read_text()
        for pattern, value in (
            (r"listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
            (r"server 127\.0\.0\.1:8700;", f"server 127.0.0.1:{upstream};"),
            (r"/var/log/nginx/", f"{folder}/"),
            (r"/etc/letsencrypt/live/webhooks\.example\.com/", f"{folder}/"),
        ):
            text, count = re.subn(pattern, value, text)
            assert count, pattern
        (folder / "iterable-webhooks.conf").write_text(text)
        (folder / "nginx.conf").write_text(_AROUND.format(folder=folder))
        command = [program, "-c", folder / "nginx.conf", "-p", folder]
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
        assert "[warn]" not in checked.stderr.replace('"user" directive', ""), checked.stderr
        # it dies with this process, however that ends
        process = subprocess.Popen(["setpriv", "--pdeathsig=TERM", *command], stderr=subprocess.DEVNULL)
        try:
            until(lambda: process.poll() is not None or _listens(port))
            assert process.poll() is None, (folder / "error.log").read_text()
            yield Proxy(port, folder / "authority.pem", folder)
        finally:
            process.terminate()
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
