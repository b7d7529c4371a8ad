"""Tests of what people see of syncs: the assets, the commands, the documentation."""
