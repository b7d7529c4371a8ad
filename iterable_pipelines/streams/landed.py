"""Reading landing from the warehouse: the records of some files, each with the part it belongs to."""

from pathlib import Path


def landed_sql(files: list[Path]) -> str:
    """The landed records of `files`, with the data type and hour that their folders are named after, and the path."""
    listed = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    return (
        "(select data_type, strptime(hour, '%Y-%m-%dT%H') as hour, filename as path, record "
        f"from read_parquet([{listed}], filename = true, hive_partitioning = true, "
        "hive_types = {'hour': varchar, 'data_type': varchar}))"
    )
