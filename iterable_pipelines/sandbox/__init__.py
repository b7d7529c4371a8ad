"""Iterable on one's own machine: a seeded world of users and events, the API that serves it, its limits and faults."""

from iterable_pipelines.sandbox.faults import Fault
from iterable_pipelines.sandbox.server import Sandbox, run_sandbox, running_sandbox
from iterable_pipelines.sandbox.webhook_sender import ORDERLY, Delivery, webhooks_of
from iterable_pipelines.sandbox.webhooks import Hook
from iterable_pipelines.sandbox.world import World

__all__ = [
    "ORDERLY",
    "Delivery",
    "Fault",
    "Hook",
    "Sandbox",
    "World",
    "run_sandbox",
    "running_sandbox",
    "webhooks_of",
]
