"""Writes what Spark reads from views as Parquet: python views_as_files.py <folder> <view>…, in a process of its own."""

import sys
from pathlib import Path

import yaml
from pyspark.sql import SparkSession

folder, names = sys.argv[1], sys.argv[2:]
profiles = yaml.safe_load((Path(__file__).parents[2] / "dbt_models" / "profiles.yml").read_text())
builder = SparkSession.builder.enableHiveSupport()
for setting, value in profiles["iterable"]["outputs"]["spark_session"]["server_side_parameters"].items():
    builder = builder.config(setting, value)
# as dbt's own sessions have it
session = builder.config("spark.sql.ansi.enabled", "false").getOrCreate()
for name in names:
    session.table(name).coalesce(1).write.parquet(f"{folder}/{name.replace('.', '/')}")
session.stop()
