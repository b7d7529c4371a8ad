"""What suits the few rows of tests: planning anew after each stage, and compiling for speed, take longer than they."""

from pathlib import Path

from iterable_pipelines.profiles.spark import OWN_CONFIGURATION

QUICKLY = """\
spark.sql.adaptive.enabled false
spark.sql.codegen.wholeStage false
spark.sql.codegen.factoryMode NO_CODEGEN
spark.sql.shuffle.partitions 4
"""


def plan_quickly(project_root: Path) -> None:
    """Have the project's own Spark do so."""
    (project_root / OWN_CONFIGURATION).write_text(QUICKLY)
