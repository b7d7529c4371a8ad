"""Metadata tables: keys are put and deleted, tables deleted; all of it shows later (api.md 5.9, 6.5)."""

import json
import re

from starlette.responses import Response

from iterable_pipelines.sandbox.bodies import Shape
from iterable_pipelines.sandbox.errors import Refused, bad_params
from iterable_pipelines.sandbox.pipelines import Effect
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.writing.call import Call, Write, success

TABLE = re.compile(r"[A-Za-z0-9]+")
LARGEST_VALUE = 30_000  # bytes


def metadata_writes(world: World) -> list[Write]:
    """Every write of metadata/."""
    metadata = MetadataWrites(world)
    return [
        Write("PUT", "metadata/{table}/{key}", Shape({"value": "Object"}, ("value",)), metadata.put),
        Write("DELETE", "metadata/{table}/{key}", None, metadata.delete),
        Write("DELETE", "metadata/{table}", None, metadata.delete_table),
    ]


class MetadataWrites:
    """Writes metadata of one world."""

    def __init__(self, world: World):
        self.world, self.tables = world, world.tables

    def put(self, call: Call) -> Response:
        """PUT metadata/{table}/{key}: makes or replaces the value, and makes the table."""
        table, key, value = call.at["table"], call.at["key"], call.asked["value"]
        if not TABLE.fullmatch(table):
            raise Refused(bad_params(f"Invalid table name: {table}"))
        if len(json.dumps(value, ensure_ascii=False).encode()) > LARGEST_VALUE:
            raise Refused(bad_params("value is larger than 30 kB"))
        return self._later(call, key, lambda: self.tables.write(table, key, value))

    def delete(self, call: Call) -> Response:
        """DELETE metadata/{table}/{key}: a valid request, whether it is there or not."""
        table, key = call.at["table"], call.at["key"]
        return self._later(call, key, lambda: self.tables.delete(table, key))

    def delete_table(self, call: Call) -> Response:
        """DELETE metadata/{table}."""
        table = call.at["table"]
        return self._later(call, table, lambda: self.tables.delete_table(table))

    def _later(self, call: Call, name: str, happen: Effect) -> Response:
        if not call.is_lost(self.world, name):
            self.world.submit("bulk", happen)
        return success()
