"""How much of the people is worked on at once: what fits into the memory that DuckDB may take."""

import json

import pytest

from iterable_pipelines.profiles.dbt import dbt_vars
from iterable_pipelines.settings import Settings


@pytest.mark.parametrize(("limit", "times"), [("500MB", 1), ("1GB", 1), ("1.5GB", 1.5), ("8 gib", 8 * 1.024**3)])
def test_slices_grow_with_the_memory(limit: str, times: float, project: Settings) -> None:
    def slices(limit: str) -> list[int]:
        told = json.loads(dbt_vars(project.model_copy(update={"memory_limit": limit})))
        return [told[f"{name}_per_slice"] for name in ("events", "users", "pieces")]

    assert slices(limit) == [int(most * times) for most in slices("1GB")]
