"""Snippets: made, changed by id or name, deleted; names stay as they are (api.md 6.5)."""

from typing import Any

from starlette.responses import JSONResponse, Response

from iterable_pipelines.sandbox.bodies import Shape
from iterable_pipelines.sandbox.errors import Refused, bad_params, not_found
from iterable_pipelines.sandbox.objects import CREATOR
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.writing.call import Call, Write

LONGEST_NAME = 100
FIELDS = {**dict.fromkeys(("content", "description", "createdByUserId"), "String"), "variables": ["String"]}
KEPT = ("content", "description", "variables")


def snippet_writes(world: World) -> list[Write]:
    """Every write of snippets/."""
    snippets = SnippetWrites(world)
    return [
        Write("POST", "snippets", Shape(FIELDS | {"name": "String"}, ("name", "content")), snippets.create),
        Write("PUT", "snippets/{identifier}", Shape(FIELDS, ("content",)), snippets.put),
        Write("DELETE", "snippets/{identifier}", None, snippets.delete),
    ]


class SnippetWrites:
    """Writes snippets of one world."""

    def __init__(self, world: World):
        self.world, self.snippets = world, world.snippets

    def create(self, call: Call) -> Response:
        """POST snippets: 201; a name that is taken is refused."""
        name = call.asked["name"]
        if not name or len(name) > LONGEST_NAME or name.isdigit():
            raise Refused(bad_params(f"Invalid snippet name: {name}"))
        if self.snippets.find(name):
            raise Refused(bad_params(f"Snippet already exists: {name}"))
        return self._write(call, name, 201)

    def put(self, call: Call) -> Response:
        """PUT snippets/{idOrName}: a name that is not there is made, an id that is not there is 404."""
        identifier = call.at["identifier"]
        known = self.snippets.find(identifier)
        if known is None and identifier.isdigit():
            raise Refused(not_found(f"Snippet not found: {identifier}"))
        return self._write(call, known["name"] if known else identifier, 200 if known else 201)

    def delete(self, call: Call) -> Response:
        """DELETE snippets/{idOrName}."""
        known = self.snippets.find(call.at["identifier"])
        if known is None:
            raise Refused(not_found(f"Snippet not found: {call.at['identifier']}"))
        if not call.is_lost(self.world, known["name"]):
            self.snippets.delete(known["id"])
        return JSONResponse({"snippetId": known["id"]})

    def _write(self, call: Call, name: str, status: int) -> Response:
        fields: dict[str, Any] = {key: call.asked[key] for key in KEPT if call.asked.get(key) is not None}
        if call.is_lost(self.world, name):
            known = self.snippets.find(name)
            return JSONResponse({"snippetId": known["id"] if known else 0}, status)
        by = call.asked.get("createdByUserId") or CREATOR
        return JSONResponse({"snippetId": self.snippets.write(name, fields, by)}, status)
