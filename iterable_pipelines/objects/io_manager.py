"""DataFrames between assets: an asset returns one, another takes it, and the warehouse holds it in between."""

from typing import TYPE_CHECKING

import dagster as dg

from iterable_pipelines.objects.declarations import OBJECT_TYPE
from iterable_pipelines.objects.frames import FrameRefused, read_frame, write_frame
from iterable_pipelines.objects.store import Stored, store
from iterable_pipelines.settings import load_settings
from iterable_pipelines.streams.warehouse import Warehouse, WarehouseFailed

if TYPE_CHECKING:
    import pandas as pd


class WarehouseFrames(dg.ConfigurableIOManager):
    """Keeps the DataFrame of the asset `schema/table` in the table of that name, in place of the one before.

    Frames of declared objects are merged into their tables. Small tables only: a frame lies in memory as a whole.
    """

    def handle_output(self, context: dg.OutputContext, obj: "pd.DataFrame") -> None:
        """Store a frame. Fails with the table as it was for a wrong frame, and for the parts of a partitioned asset."""
        import pandas as pd

        schema, table = _table_of(context)
        if context.has_partition_key or not isinstance(obj, pd.DataFrame):
            what = "one partition" if context.has_partition_key else type(obj).__name__
            raise dg.Failure(f"{schema}.{table} takes one whole DataFrame, not {what}", allow_retries=False)
        warehouse = Warehouse.of(load_settings(), context.log.info)
        try:
            if schema == "objects" and table in OBJECT_TYPE:
                stored = store(warehouse, OBJECT_TYPE[table], obj, context.run_id)
                context.add_output_metadata(stored_metadata(stored))
            else:
                write_frame(warehouse, schema, table, obj)
                context.add_output_metadata({"dagster/row_count": len(obj)})
        except (FrameRefused, WarehouseFailed) as error:
            raise dg.Failure(str(error), allow_retries=isinstance(error, WarehouseFailed)) from None

    def load_input(self, context: dg.InputContext) -> "pd.DataFrame":
        """The whole table of the asset upstream. Fails if it was never made."""
        schema, table = _table_of(context)
        try:
            return read_frame(Warehouse.of(load_settings(), context.log.info), schema, table)
        except (FrameRefused, WarehouseFailed) as error:
            raise dg.Failure(str(error), allow_retries=isinstance(error, WarehouseFailed)) from None


def stored_metadata(stored: Stored) -> dict[str, int | str]:
    """What a materialization tells of rows that were stored."""
    return {
        "dagster/row_count": stored.rows,
        "rows": stored.rows,
        "changed": stored.changed,
        "gone": stored.gone,
        "unreadable": stored.unreadable,
        "untyped": stored.untyped,
        "fields_in_record_only": ", ".join(sorted(stored.other_fields)),
    }


def _table_of(context: dg.OutputContext | dg.InputContext) -> tuple[str, str]:
    path = list(context.asset_key.path)
    if len(path) != 2:
        raise dg.Failure(
            f"the asset {'/'.join(path)} has no table: give it a key of two parts, schema and table",
            allow_retries=False,
        )
    return path[0], path[1]
