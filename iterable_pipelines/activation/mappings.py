"""Versions of a sync's mapping, and what an edit of it means for rows that were sent under another one (G10, G11)."""

import json
from collections.abc import Callable, Collection
from typing import Any

import pyarrow as pa

from iterable_pipelines.activation.compile.compiler import Compiler
from iterable_pipelines.activation.desired import create_table, fingerprint, insert
from iterable_pipelines.activation.records import canonical
from iterable_pipelines.activation.snapshot import Snapshot, rows_of
from iterable_pipelines.activation.state import Workspace

Again = Callable[[dict[str, Any]], Compiler]

_FORMER = [("key", pa.string()), ("output", pa.string()), ("version", pa.int64()), ("payload_hash", pa.string())]


class Mappings:
    """The versions that the state knows, and the present one, which gets the next number if it is new."""

    def __init__(self, workspace: Workspace, compiler: Compiler, again: Again) -> None:
        self._workspace = workspace
        known = workspace.con.execute(
            "select version, mapping::varchar from state.mappings order by version"
        ).fetchall()
        self._texts: dict[int, str] = dict(known)
        self.text = canonical(compiler.mapping)
        latest = known[-1] if known else (0, "")
        self.is_first = not known
        self.is_new = latest[1] != self.text
        self.version: int = latest[0] + self.is_new
        used = workspace.con.execute("select distinct mapping_version from state.acked").fetchall()
        former = {version: self._texts[version] for (version,) in used if version in self._texts}
        self._former = {version: again(json.loads(text)) for version, text in former.items() if text != self.text}

    @property
    def columns(self) -> set[str]:
        """The columns that former mappings read, of which some rows still are."""
        return {each for former in self._former.values() for each in former.columns or ()}

    def lost(self, columns: Collection[str]) -> list[str]:
        """Columns that former mappings read, and that the source has no more."""
        return sorted(self.columns - set(columns))

    def compile_former(self, snapshot: Snapshot) -> None:
        """Fill `scratch.former`: what rows that now give another payload give under the mapping they were sent with.

        Where that is what was sent, the row is as it was, and only the mapping has changed.
        """
        con = self._workspace.con
        create_table(con, "former", _FORMER)
        for version, compiler in self._former.items():
            sql = (
                "select pk, row from scratch.snapshot where pk in (select d.pk from scratch.desired d "
                "join state.acked a on a.key = d.key and a.output = d.output and a.payload_hash <> d.payload_hash "
                f"where a.mapping_version = {version} and a.member)"
            )
            for batch in rows_of(self._workspace, snapshot, sql):
                found = [
                    (record.key or pk, record.output, version, fingerprint(pk, record))
                    for (pk,), row in batch
                    for record in compiler.compile(pk, row).records
                ]
                insert(con, "former", _FORMER, found)


def destinations(mapping: dict[str, Any]) -> set[str]:
    """The fields of the profile that a mapping writes, with dots where they nest."""
    said = mapping.get("sync", {})
    fields = {to["to"] if isinstance(to, dict) else to for to in said.get("fields", {}).values()}
    return fields | set(said.get("constants", {}))
