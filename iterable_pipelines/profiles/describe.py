"""Writes the description of `user_profiles` that dbt reads: python -m iterable_pipelines.profiles.describe."""

import json
from pathlib import Path

from iterable_pipelines.profiles.columns import profile_columns

PATH = Path("dbt_models/models/profiles/user_profiles.yml")
_TESTS = {
    "user_key": "[unique, not_null]",
    "_events": "[not_null]",
    "_has_user": "[not_null]",
}


def description() -> str:
    """The YAML file as text: the model, its columns and its tests."""
    lines = [
        "# written by: python -m iterable_pipelines.profiles.describe",
        "version: 2",
        "models:",
        "  - name: user_profiles",
        "    description: One row per person, with and without activity, with and without a user record.",
        "    columns:",
    ]
    for column in profile_columns():
        lines += [f"      - name: {column.name}", f"        description: {json.dumps(column.description)}"]
        lines.append(f"        data_type: {json.dumps(column.type)}")
        tests = _TESTS.get(column.name)
        if tests:
            lines.append(f"        data_tests: {tests}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PATH.write_text(description())
    print(f"{PATH} is written")
