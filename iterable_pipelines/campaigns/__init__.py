"""Campaigns and journeys as wholes: procedures that start and stop them, and the gate that a send must pass.

A procedure is never an asset: it happens once, on purpose, and is written down (outbound.md 4.2).
"""
