"""Templates, snippets, metadata, whole lists, campaigns and in-app messages as syncs."""
