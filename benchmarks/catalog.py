"""How fast a catalog of 100,000 items follows its table, with how few requests and how much memory.

    python benchmarks/catalog.py [--items 100000] [--markdown benchmarks/RESULTS.md]

The sandbox runs in this process, with Iterable's limits, each run of the sync in one of its own. A catalog mirrors a
table: all items, then nothing has changed, then one per cent, then two thirds of the rows are gone, which a guard
stops until it is approved. In the end all items are read back. Ends with 1 if anything is wrong.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from activation import project_of, run, tell

from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.objects import load_syncs
from iterable_pipelines.activation.verify import verify_sync

_PRODUCTS = """
object: catalog
source: shop.products
primary_key: id
catalog: shop
create_if_missing: true
item_id: sku
fields: {name: name, price: price, stock: stock, tags: tags, sizes: sizes, changed_at: changedAt}
field_types: {name: string, price: double, stock: long, changedAt: date}
mode: mirror
on_leave: delete
verify_after_seconds: 0
"""
_AT_ONCE = 1000


def products(rows: int, changed: int) -> str:
    """The query of so many products, of which the first so many are not as they were."""
    return (
        f"select i as id, 'sku-' || i as sku, 'Thing ' || i || if(i < {changed}, ' anew', '') as name, "
        "(i % 9973 / 7.0)::decimal(12, 2) as price, i % 17 as stock, ['tag ' || i % 31, 'ü'] as tags, "
        "[{'size': 'S', 'left': i % 5}, {'size': 'M', 'left': i % 7}] as sizes, "
        f"timestamp '2026-11-01' + interval (i % 86400) seconds as changed_at from range({rows}) t(i)"
    )


def measure(items: int) -> tuple[list[str], list[str]]:
    """Lines to show, and what is wrong."""
    lines = ["| step | items | requests | s | items/s | 429 | peak MiB |", "|---|---|---|---|---|---|---|"]
    wrong: list[str] = []
    changed, left = max(1, items // 100), items // 3
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-catalog-") as folder,
        project_of(Path(folder), "hybrid") as project,
    ):
        project.sync("products", _PRODUCTS)

        def step(what: str, expected: int, *approve: str) -> None:
            report: dict[str, Any] = run(project, *approve)
            accepted = sum(kinds.get("accepted", 0) for kinds in report["counts"].values())
            lines.append(
                f"| {what} | {accepted:,} | {report['requests']:,} | {report['seconds']:.1f} | "
                f"{accepted / report['seconds']:,.0f} | {report['http_429']} | {report['peak']} |"
            )
            if (
                report["status"] != "succeeded"
                or accepted != expected
                or report["requests"] != -(-expected // _AT_ONCE)
            ):
                wrong.append(f"{what}: {report}")

        for what, number, expected in (("all", 0, items), ("none", 0, 0), ("one per cent", changed, changed)):
            project.table("shop.products", products(items, number))
            step(what, expected)
        project.table("shop.products", products(left, changed))
        try:
            project.run("products")
            wrong.append("two thirds left, and nothing stopped it")
        except ActivationRefused as refused:
            lines.append(f"| {str(refused).splitlines()[1].strip()} | 0 | 0 | | | | |")
        step("deleted once approved", items - left, "mass_exit")
        project.sandbox.world.settle()
        found = project.sandbox.world.catalogs.find("shop")
        if {each["itemId"] for each in found} != {f"sku-{nth}" for nth in range(left)}:
            wrong.append(f"the sandbox holds {len(found):,} items, and the table {left:,}")
        (sync,) = load_syncs(project.settings)
        began = time.perf_counter()
        read = verify_sync(project.settings, sync, full=True, log=lambda text: None)
        took = time.perf_counter() - began
        lines.append(f"| read back | {read.verified:,} | {read.lookups:,} | {took:.1f} | {items / took:,.0f} | | |")
        if read.verified != items:
            wrong.append(f"read back: {read.as_json()}")
    return lines, wrong


def main() -> None:
    """Run, print what came out, and say whether anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    tell(*measure(given.items), given.markdown)


if __name__ == "__main__":
    main()
