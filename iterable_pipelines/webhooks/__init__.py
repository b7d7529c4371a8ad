"""Iterable's system webhooks: received, spooled, landed, and loaded beside what the exports bring (api.md 7)."""
