"""Writes that are asked for once: rows of a file or a query, through the same plan, outbox and reading back as syncs."""
