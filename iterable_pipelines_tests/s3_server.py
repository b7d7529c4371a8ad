"""A real S3 server for the tests: moto's, in a process of its own, on a free port of this machine."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError

_PATIENCE = 60.0
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True)
class S3:
    """A running server."""

    endpoint: str

    @property
    def options(self) -> dict[str, str]:
        """What s3fs needs to find it."""
        return {"endpoint_url": self.endpoint}

    def bucket(self, name: str) -> str:
        """The URL of a new, empty bucket."""
        self.client().create_bucket(Bucket=name)
        return f"s3://{name}"

    def client(self) -> Any:
        """A client of another library than the project's own."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=ENVIRONMENT["AWS_REGION"],
            aws_access_key_id=ENVIRONMENT["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
        )


@contextmanager
def running_s3() -> Iterator[S3]:
    """Start a server and stop it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **ENVIRONMENT},
    )
    server = S3(f"http://127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _is_ready(server):
            assert process.poll() is None and time.monotonic() < deadline, "moto's server does not start"
            time.sleep(0.1)
        yield server
    finally:
        process.kill()
        process.wait()


def _is_ready(server: S3) -> bool:
    try:
        server.client().list_buckets()
    except BotoCoreError:
        return False
    return True
