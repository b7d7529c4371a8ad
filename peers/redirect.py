"""Run a Python client of Iterable whose address is fixed, with every request sent to another address.

    redirect.py URL COMMAND [ARGUMENT …]

COMMAND is a console command of this environment. Nothing of the client is changed; a request that is not addressed to
Iterable is refused, so that nothing ever leaves the machine.
"""

import sys
from importlib.metadata import entry_points
from typing import Any

import requests

ITERABLE = "https://api.iterable.com/"


def main() -> None:
    """Replace the one method through which `requests` sends everything, then run the command."""
    here, command = sys.argv[1].rstrip("/") + "/", sys.argv[2]
    send = requests.Session.send

    def redirected(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        address = request.url or ""
        if not address.startswith((ITERABLE, here)):
            raise ValueError(f"not addressed to Iterable: {address}")
        request.url = here + address.removeprefix(ITERABLE) if address.startswith(ITERABLE) else address
        return send(self, request, **options)

    requests.Session.send = redirected
    sys.argv = [command, *sys.argv[3:]]
    (found,) = entry_points(group="console_scripts", name=command)
    found.load()()


if __name__ == "__main__":
    main()
