"""Versions of a sync's mapping, and what an edit of it means for rows that were sent under another one (G10, G11)."""

import json
from collections.abc import Callable, Collection, Iterable
from typing import Any

import pyarrow as pa

from iterable_pipelines.activation.compile.compiler import Compiler
from iterable_pipelines.activation.compile.values import read_json
from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.desired import create_table, insert
from iterable_pipelines.activation.records import canonical, payload_hash, wire
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

    def warnings(self, sync: Sync, columns: Collection[str]) -> list[str]:
        """What an edit of the mapping means, where that is not plain."""
        lost = sorted(self.columns - set(columns))
        if not lost or sync.on_mapping_change == "backfill":
            return []
        return [
            f"the former mapping read {', '.join(lost)}, which the source does not have any more: rows cannot be told "
            "from what they were, and all are sent again"
        ]

    def removed(self) -> dict[int, set[str]]:
        """By version in use, the fields that it wrote and the present mapping does not."""
        kept = _destinations(json.loads(self.text))
        found = {version: _destinations(json.loads(self._texts[version])) - kept for version in self._former}
        return {version: fields for version, fields in found.items() if fields}

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
                    (record.key or pk, record.output, version, payload_hash(record))
                    for (pk,), row in batch
                    for record in compiler.compile(pk, row).records
                ]
                insert(con, "former", _FORMER, found)


def clear_removed_fields(workspace: Workspace, mappings: Mappings) -> None:
    """Have fields that the mapping writes no more cleared, in every row that was sent with them (G10)."""
    con = workspace.con
    for version, removed in mappings.removed().items():
        rows = con.execute(
            "select c.key, c.output, c.payload from scratch.compared c join state.acked a on a.key = c.key "
            "and a.output = c.output where c.output = 'user' and c.member and a.member and a.mapping_version = ?",
            [version],
        )
        with con.cursor() as other:
            create_table(other, f"cleared_{version}", _CLEARED)
            while found := rows.fetchmany(5_000):
                cleared = [(key, output, _without(payload, removed)) for key, output, payload in found]
                insert(other, f"cleared_{version}", _CLEARED, cleared)
        con.execute(
            f"update scratch.compared c set payload = n.payload, op = 'change' from scratch.cleared_{version} n "
            "where n.key = c.key and n.output = c.output and c.op in ('same', 'rebased', 'change')"
        )


_CLEARED = [("key", pa.string()), ("output", pa.string()), ("payload", pa.string())]


def _without(text: str, removed: Iterable[str]) -> str:
    payload = read_json(text)
    fields = payload.setdefault("dataFields", {})
    for name in sorted(removed):
        *outer, last = name.split(".")
        place = fields
        for each in outer:
            place = place.setdefault(each, {})
            # only this member of the object is cleared (V6)
            payload["mergeNestedObjects"] = True
        place[last] = None
    return wire(payload)


def _destinations(mapping: dict[str, Any]) -> set[str]:
    said = mapping["sync"]
    fields = {to["to"] if isinstance(to, dict) else to for to in said.get("fields", {}).values()}
    return {*fields, *said.get("constants", {})} - {"email", "userId"}
