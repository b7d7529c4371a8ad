"""What landing has learned of late rows, for readers of the warehouse: `streams.lateness`, ages in minutes."""

from collections.abc import Sequence

from iterable_pipelines.landing.lateness import intervals_of
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.streams.warehouse import Warehouse


def copy_lateness(warehouse: Warehouse, manifest: Manifest, data_types: Sequence[str]) -> None:
    """Replace the intervals of these data types by what the manifest knows now."""
    found = [(name, each) for name in data_types for each in intervals_of(manifest, name)]
    with warehouse.transaction() as con:
        con.execute("delete from streams.lateness where list_contains(?, data_type)", [list(data_types)])
        con.execute(
            "insert into streams.lateness select " + ", ".join(f"unnest(${n})" for n in range(1, 7)),
            [
                [name for name, _ in found],
                [each.from_age for _, each in found],
                [each.to_age for _, each in found],
                [each.rows for _, each in found],
                [each.rows_before for _, each in found],
                [each.hours for _, each in found],
            ],
        )
