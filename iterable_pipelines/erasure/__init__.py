"""Erasure: who is forgotten at Iterable, or asked us, is forgotten here: in every file, and for good."""
