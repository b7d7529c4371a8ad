"""From the warehouse to Iterable: syncs as files, planned, sent once, acknowledged row by row, and read back."""
