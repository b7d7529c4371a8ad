"""Writes the descriptions of generated columns that dbt reads: python -m iterable_pipelines.profiles.describe."""

import json
from collections.abc import Iterable
from pathlib import Path

from iterable_pipelines.marts.columns import MARTS, Mart
from iterable_pipelines.profiles.columns import ProfileColumn, profile_columns

_MODELS = Path("dbt_models/models")
_TESTS = {
    "user_key": "[unique, not_null]",
    "_events": "[not_null]",
    "_has_user": "[not_null]",
}


def descriptions() -> dict[Path, str]:
    """Each YAML file with its text: models, their columns and their tests."""
    head = "# written by: python -m iterable_pipelines.profiles.describe\nversion: 2\nmodels:\n"
    profiles = [
        "  - name: user_profiles",
        "    description: One row per person, with and without activity, with and without a user record.",
        *_columns(profile_columns(), _TESTS),
    ]
    marts = [line for mart in MARTS for line in _mart(mart)]
    return {
        _MODELS / "profiles" / "user_profiles.yml": head + "\n".join(profiles) + "\n",
        _MODELS / "marts" / "marts.yml": head + "\n".join(marts) + "\n",
    }


def _mart(mart: Mart) -> Iterable[str]:
    yield f"  - name: {mart.name}"
    yield f"    description: {json.dumps(mart.description)}"
    if mart.keys:
        yield "    data_tests:"
        yield "      - one_row_per:"
        yield f"          name: one_row_per_{mart.name}"
        yield "          arguments:"
        yield f"            keys: [{', '.join(mart.keys)}]"
        for how in ("hour", "person"):
            if getattr(mart, how):
                yield f"            {how}: {getattr(mart, how)}"
    yield from _columns(mart.columns, {})


def _columns(columns: Iterable[ProfileColumn], tests: dict[str, str]) -> Iterable[str]:
    yield "    columns:"
    for column in columns:
        yield f"      - name: {column.name}"
        yield f"        description: {json.dumps(column.description)}"
        yield f"        data_type: {json.dumps(column.type)}"
        if column.name in tests:
            yield f"        data_tests: {tests[column.name]}"


if __name__ == "__main__":
    for path, text in descriptions().items():
        path.write_text(text)
        print(f"{path} is written")
