"""What goes to Iterable: the records that are decided on, as requests have them, into `scratch.outgoing`."""

from typing import Any

import duckdb
import pyarrow as pa

from iterable_pipelines.activation.compile.catalogs import check_item
from iterable_pipelines.activation.compile.values import read_json
from iterable_pipelines.activation.desired import create_table, insert
from iterable_pipelines.activation.endpoints import ENDPOINTS
from iterable_pipelines.activation.records import Issue, wire
from iterable_pipelines.two_way.decide import ABSENT
from iterable_pipelines.two_way.declaration import CatalogTwoWay, TemplateTwoWay, TwoWay
from iterable_pipelines.two_way.normal import normal
from iterable_pipelines.two_way.template_members import EMPTY, MEMBERS

_AT_ONCE = 1_000
_OUTGOING = [
    ("number", pa.int64()),
    ("stage", pa.int64()),
    *((name, pa.string()) for name in ("key", "op", "endpoint", "flags", "payload")),
]
_PROBLEMS = [(name, pa.string()) for name in ("key", "code", "message", "local", "remote")]


class Unsendable(Exception):
    """A record that Iterable would not take: a code and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def compile_outgoing(con: duckdb.DuckDBPyConnection, two_way: TwoWay) -> None:
    """Fill `scratch.outgoing`, deletions last. What cannot be sent is a problem instead."""
    create_table(con, "outgoing", _OUTGOING)
    number = 0
    for op in ("to_remote", "delete_remote"):
        # put together first: the problems that are written below are not what it reads
        con.execute(
            "create or replace temp table sending as select d.key, coalesce(l.alias, p.alias, r.alias) as alias, "
            "l.content, d.remote_hash from scratch.decided d left join scratch.local l using (key) "
            "left join scratch.pairs p using (key) left join scratch.remote r using (key) where d.action = ?",
            [op],
        )
        rows = con.execute("from sending order by key")
        with con.cursor() as other:
            while found := rows.fetchmany(_AT_ONCE):
                records, problems = [], []
                for key, alias, content, shown in found:
                    try:
                        endpoint, flags, payload = _record(two_way, key, alias, content, shown)
                    except Unsendable as wrong:
                        problems.append((key, wrong.code, wrong.message, None, None))
                        continue
                    number += 1
                    stage = ENDPOINTS[endpoint].stage
                    records.append((number, stage, key, op, endpoint, wire(flags), wire(payload)))
                insert(other, "outgoing", _OUTGOING, records)
                insert(other, "problems", _PROBLEMS, problems)
    con.execute(
        "delete from scratch.decided where action in ('to_remote', 'delete_remote') "
        "and key not in (select key from scratch.outgoing)"
    )


def _record(
    two_way: TwoWay, key: str, alias: str | None, content: str | None, shown: str
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Endpoint, flags and payload. Raises Unsendable."""
    if isinstance(two_way, TemplateTwoWay):
        return _template(two_way, key, alias, read_json(content or "{}"), shown)
    assert isinstance(two_way, CatalogTwoWay)
    if content is None:
        return "catalog_items_gone", {"catalog": two_way.catalog}, {"id": key}
    value = read_json(content)
    if two_way.is_everything or shown == ABSENT:
        value = normal(two_way, value)
    issues: list[Issue] = []
    check_item(value, issues)
    if issues:
        raise Unsendable(issues[0].code, issues[0].message)
    flags = {"catalog": two_way.catalog, "replaceUploadedFieldsOnly": not two_way.is_everything}
    return "catalog_items", flags, {"id": key, "value": value}


def _template(
    two_way: TemplateTwoWay, key: str, alias: str | None, content: dict[str, Any], shown: str
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    flags = {"medium": two_way.medium}
    if shown == ABSENT:
        if not alias:
            raise Unsendable("missing_key", "without a clientTemplateId no template can be made")
        return "template", flags, normal(two_way, content) | {"clientTemplateId": alias}
    kinds = MEMBERS[two_way.medium]
    # what is empty here has to be emptied there: a member that is left out stays as it is (api.md 6.5)
    emptied = {name: EMPTY[kinds[name]] if value is None else value for name, value in content.items()}
    if not emptied.get("clientTemplateId"):
        del emptied["clientTemplateId"]
    return (
        "template_update",
        flags,
        {name: each for name, each in emptied.items() if each is not None} | {"templateId": int(key)},
    )
