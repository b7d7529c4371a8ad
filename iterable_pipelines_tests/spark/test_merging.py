"""Formats that change rows in place are told to in one statement that Spark understands; none of them installs here."""

import re
import subprocess
import sys

from jinja2 import Environment

from iterable_pipelines.settings import Settings

# in a process of its own: a session lives as long as its process
_PARSE = """
import sys
from pyspark.sql import SparkSession
session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
print(session._jsparkSession.sessionState().sqlParser().parsePlan(sys.stdin.read()).toString())
"""


def merge_statement(project: Settings) -> str:
    """What the macro says for a table with two columns, of which rows without events leave."""
    text = (project.checkout / "dbt_models" / "macros" / "engine.sql").read_text()
    (macro,) = re.findall(r"{% macro merge_rows\(.*?{%- endmacro %}", text, re.DOTALL)
    call = (
        "{{ merge_rows('profiles.people', 'profiles.people__fresh', ['user_key'], ['`user_key`', '`events`'], kept) }}"
    )
    return Environment().from_string(macro + call).render(kept="not (events = 0)")


def test_rows_are_merged_by_their_key(project: Settings) -> None:
    parsed = subprocess.run(
        [sys.executable, "-c", _PARSE], input=merge_statement(project), capture_output=True, text=True, timeout=300
    )
    assert parsed.returncode == 0, parsed.stderr[-2000:]
    plan = parsed.stdout.lower()
    assert "mergeintotable" in plan
    assert plan.index("deleteaction") < plan.index("updateaction") < plan.index("insertaction"), plan
