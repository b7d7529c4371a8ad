"""Two-way synchronization: items of a catalog, or templates, and a table of the warehouse kept alike (outbound 4.4)."""
