"""Profiles: dbt models that turn streams into one row per person."""

from iterable_pipelines.profiles.build import run_models
from iterable_pipelines.profiles.dbt import ModelsFailed

__all__ = ["ModelsFailed", "run_models"]
