"""Which fields Iterable sends that have no column yet: safe in `record`, and named so that they get noticed."""

from datetime import datetime

from iterable_pipelines.data_types import Stream
from iterable_pipelines.streams.tables import columns_of
from iterable_pipelines.streams.warehouse import Warehouse

# names, never values: values are personal data
_MOST = 200


def unmapped_fields(warehouse: Warehouse, stream: Stream, first: datetime, last: datetime) -> list[str]:
    """Top-level field names in the records of the hours `first` to `last` that no column reads, at most 200, sorted."""
    mapped = {path for column in columns_of(stream) for path in column.paths}
    found = warehouse.read(
        f"select distinct unnest(json_keys(record)) as field from streams.{stream.name} "
        f"where _hour between ? and ? order by field limit {_MOST + len(mapped)}",
        [first.replace(tzinfo=None), last.replace(tzinfo=None)],
    )
    return [field for (field,) in found if f"$.{field}" not in mapped and f'$."{field}"' not in mapped][:_MOST]
