"""Writes that are asked for once: rows of a file or a query, planned, sent and read back as syncs are."""
