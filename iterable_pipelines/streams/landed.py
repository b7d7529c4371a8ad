"""Reading landing from the warehouse: the records of some files, each with the part it belongs to."""

from pathlib import Path


def landed_sql(files: list[Path]) -> str:
    """The landed records of `files` with data type, hour and fetch time from the temporary table `batch`."""
    listed = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    return (
        "(select batch.data_type, batch.hour, batch.fetched_at, landed.record "
        f"from read_parquet([{listed}], filename = true, hive_partitioning = false) as landed "
        "join batch on batch.path = landed.filename)"
    )
