"""Running the dbt models on Spark: the same models, over the Parquet files of the lake."""

import os
import re
import shutil

from iterable_pipelines.lake.layout import OF_SPARK, Lake
from iterable_pipelines.settings import Settings
from iterable_pipelines.settings_values import memory_bytes

# in the project's root: what somebody's Spark is told otherwise
OWN_CONFIGURATION = "spark.conf"
# less than this, and Spark does not start
_LEAST_MEGABYTES = 1024
# what Spark writes before it is a table's, and tables that a model needs for a moment (engine.sql)
_UNFINISHED = ("_temporary", ".spark-staging")
_PASSING = ("__fresh", "__next")
# what this machine's own Spark is told beside what profiles.yml says of every Spark
_DEFAULTS = """\
spark.master local[*]
spark.driver.memory {megabytes}m
spark.driver.host 127.0.0.1
spark.driver.bindAddress 127.0.0.1
spark.ui.enabled false
spark.ui.showConsoleProgress false
spark.sql.shuffle.partitions {partitions}
spark.sql.maxPlanStringLength 1000
# most parts of the lake are small, many of them are read at once
spark.sql.files.openCostInBytes 65536
spark.local.dir {folder}/scratch
spark.sql.warehouse.dir {folder}/warehouse
spark.hadoop.javax.jdo.option.ConnectionURL jdbc:derby:;databaseName={folder}/metastore;create=true
spark.driver.extraJavaOptions {java}
"""
_JAVA = '"-Dderby.system.home={folder}" "-Djava.io.tmpdir={folder}/scratch" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC'
# Hive's metastore warns of types that only Spark knows; what matters is in the error that dbt shows
_LOGGING = """\
rootLogger.level = error
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {folder}/spark.log
appender.file.filePattern = {folder}/spark.log.1
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c: %m%n%ex
appender.file.policies.type = SizeBasedTriggeringPolicy
appender.file.policies.size = 10MB
"""


def spark_environment(settings: Settings, lake: str) -> dict[str, str]:
    """What profiles.yml and Spark read, beside dbt's own; writes Spark's configuration below the data folder.

    `lake` is the lake's absolute path or URL. The lines of `spark.conf` in the project's root come last, and win.
    """
    folder = settings.data_dir / "spark"
    conf = folder / "conf"
    conf.mkdir(parents=True, exist_ok=True)
    megabytes = max(_LEAST_MEGABYTES, memory_bytes(settings.memory_limit) // 2**20)
    java = _JAVA.format(folder=folder)
    partitions = 2 * (os.cpu_count() or 1)
    defaults = _DEFAULTS.format(folder=folder, megabytes=megabytes, partitions=partitions, java=java)
    own = settings.project_root / OWN_CONFIGURATION
    (conf / "spark-defaults.conf").write_text(defaults + (own.read_text() if own.exists() else ""))
    (conf / "log4j2.properties").write_text(_LOGGING.format(folder=folder))
    (folder / "scratch").mkdir(exist_ok=True)
    return {
        # Hadoop has its own name for S3
        "ITERABLE_LAKE_URL": re.sub("^s3://", "s3a://", lake),
        "ITERABLE_SPARK_FORMAT": settings.spark_format,
        "SPARK_CONF_DIR": str(conf),
        # what dbt has parsed for one engine does not serve another
        "DBT_TARGET_PATH": str(folder / "dbt"),
        "DBT_LOG_PATH": str(folder / "dbt" / "logs"),
    }


def sweep(settings: Settings) -> None:
    """Take away what a killed build was writing: Spark makes no table where files lie already. No other may run."""
    shutil.rmtree(settings.data_dir / "spark" / "scratch", ignore_errors=True)
    files = Lake(settings).files
    for table in (table for schema in OF_SPARK for table in files.folders(schema)):
        unfinished = [each for each in files.folders(table) if each.removeprefix(f"{table}/").startswith(_UNFINISHED)]
        # a table that was finished once keeps what it has
        finished = not table.endswith(_PASSING) and (not unfinished or files.exists(f"{table}/_SUCCESS"))
        for folder in unfinished if finished else [table]:
            files.remove_folder(folder)
