"""Write endpoints, applied to the world in memory: what is written shows in the next read (api.md 6.1 to 6.3)."""

from iterable_pipelines.sandbox.writing.routes import write_routes

__all__ = ["write_routes"]
