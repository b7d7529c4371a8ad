"""Retention: rows of events that are older than the settings allow leave, and their landed files; counts stay."""
