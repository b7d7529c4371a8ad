"""The landed files of exports and of webhooks alike: which there are, and whom they name."""

from pathlib import Path

from iterable_pipelines.erasure.parquet import Shape, addresses_sql, scratch_duckdb
from iterable_pipelines.file_store import FileStore
from iterable_pipelines.landing.nearby import landed_batches
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings


def landed_names(settings: Settings, folder: str) -> list[str]:
    """Every landed file in a folder of landing that is there, whether it counts or not."""
    return [name for name in FileStore.of(settings).names(folder) if name.endswith(".parquet")]


def landed_identifiers(settings: Settings, folder: str, shape: Shape, scratch: Path, place: str) -> list[Path]:
    """Who is named in the files of a folder of landing, and the addresses in their text besides, as stores offer them.

    Raises ErasureFailed, which names `place`, and FileNotFoundError.
    """
    offered = list[Path]()
    named = ", ".join(f"{identifier} as {kind}" for kind, identifier in shape.identifiers.items())
    for _, files in landed_batches(settings, landed_names(settings, folder)):
        to = scratch / f"{folder}-{len(offered)}.parquet"
        source = f"read_parquet({[str(file) for file in files]}, union_by_name = true, hive_partitioning = false)"
        with scratch_duckdb(scratch, settings.memory_limit, place) as con:
            con.execute(
                f"copy (select distinct {named} from {source} union "
                f"{addresses_sql(shape.text, source, shape.identifiers['email'])}) "
                f"to {literal(str(to))} (format parquet)"
            )
        offered.append(to)
    return offered
