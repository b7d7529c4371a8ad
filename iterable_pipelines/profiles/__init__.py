"""Profiles: dbt models that turn streams into one row per person."""

from iterable_pipelines.profiles.dbt import ModelsFailed, run_models

__all__ = ["ModelsFailed", "run_models"]
