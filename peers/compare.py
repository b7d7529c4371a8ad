"""Whether other people's clients of Iterable read from the sandbox exactly what its world holds.

    python peers/compare.py [PEER …]

Prints a table of peer, stream, records and whether they are equal. Exits with 1 on any difference or error.
"""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import airbyte
import iterable_api
import singer
from running import PeerFailed
from truth import Truth

from iterable_pipelines.cli.console import complain, out, say, table
from iterable_pipelines.sandbox import World, running_sandbox
from iterable_pipelines.sandbox.world import utc

PEERS = {peer.NAME: peer for peer in (iterable_api, singer, airbyte)}


def main(names: list[str]) -> int:
    """Read with the peers named, or with every one; the exit code."""
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        complain(f"{unknown[0]} is no peer. Next: name one of {', '.join(PEERS)}, or none for all")
        return 2
    world = World(
        seed=1,
        users=30,
        activity=0.8,
        start=utc("2026-10-31"),
        end=utc("2026-11-02"),
        project_type="hybrid",
        plain=True,
    )
    shown = table("What the peers read", "peer", "stream", "records", "equal", numbers=("records",))
    troubles: list[str] = []
    passed = 0
    # limits last no time here: a peer that waits one out proves nothing more
    with running_sandbox(world=world, relaxed=True, pace=0, job_seconds=0) as sandbox:
        truth = Truth(sandbox)
        for name in names or PEERS:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    read = PEERS[name].read(sandbox, Path(folder))
                except PeerFailed as failed:
                    troubles.append(f"{name}: {failed}")
                    continue
            expected = PEERS[name].expected(truth)
            for stream in sorted(expected | read):
                differs = difference(expected.get(stream, []), read.get(stream, []))
                shown.add_row(name, stream, f"{len(read.get(stream, [])):,}", "no" if differs else "yes")
                passed += not differs
                troubles += [f"{name}, {stream}: {differs}"] if differs else []
    out().print(shown)
    for trouble in troubles:
        complain(trouble)
    say(f"{passed} passed, {len(troubles)} failed")
    return 1 if troubles else 0


def difference(expected: list[Any], read: list[Any]) -> str:
    """How the two multisets of keys differ, with examples; nothing if they do not. Two empty ones prove nothing."""
    if not expected and not read:
        return "the world has nothing of it"
    there, here = Counter(map(json.dumps, expected)), Counter(map(json.dumps, read))
    missing, more = list((there - here).elements()), list((here - there).elements())
    parts = [(missing, "missing"), (more, "too many")]
    found = [f"{len(keys)} {what}, such as {' '.join(keys[:3])}" for keys, what in parts if keys]
    return f"{len(expected)} expected: {'; '.join(found)}" if found else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
