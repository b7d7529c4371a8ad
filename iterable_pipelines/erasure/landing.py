"""The landed files of exports, current ones and those that a later pass took the place of."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

from iterable_pipelines.crashpoints import crashpoint
from iterable_pipelines.erasure.gate import CORE_NAMES
from iterable_pipelines.erasure.landed_files import landed_identifiers, landed_names
from iterable_pipelines.erasure.parquet import Hit, Shape, hits, scratch_duckdb, sha256_of, write_without
from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.rewritten import Rewritten, RewrittenFiles
from iterable_pipelines.erasure.store import Erased, Log
from iterable_pipelines.file_store import FileStore
from iterable_pipelines.landing.cut import EMPTY_DIGEST
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.landing.nearby import Nearby, landed_batches
from iterable_pipelines.landing.scratch import scratch_folder, sweep
from iterable_pipelines.memory import take_share
from iterable_pipelines.settings import Settings

_FOLDER = "events"
_SHAPE = Shape(
    {kind: kind for kind in CORE_NAMES},
    "is_person(email) or is_person(user_id) or is_person(itbl_user_id)",
    "record",
)
# so many files are noted in one transaction
_NOTED_AT_ONCE = 200


class LandingFiles:
    """`landing/events`: Parquet, one file per data type and hour, named in the manifest."""

    name = "landing"

    def identifiers(self, settings: Settings, scratch: Path) -> list[Path]:
        """Who stands in the columns of any file, and the addresses in records besides their own."""
        sweep(settings.landing_dir)
        return landed_identifiers(settings, _FOLDER, _SHAPE, scratch, "landing")

    def erase(self, settings: Settings, persons: Persons, log: Log) -> list[Erased]:
        """Write the files with a hit anew, and make the manifest name the new ones."""
        manifest = Manifest.of(settings)
        rewritten = RewrittenFiles(manifest, FileStore.of(settings))
        rewritten.settle()
        sweep(settings.landing_dir)
        erased: list[Erased] = []
        with (
            scratch_folder(settings.landing_dir, "erasure-") as folder,
            scratch_duckdb(folder, settings.memory_limit, "landing") as con,
        ):
            for near, files in landed_batches(settings, landed_names(settings, _FOLDER)):
                found = list(hits(con, files, _SHAPE, persons))
                for at in range(0, len(found), _NOTED_AT_ONCE):
                    some = _rewrite(con, settings, near, found[at : at + _NOTED_AT_ONCE], folder, persons)
                    rewritten.add([file for file, _ in some])
                    crashpoint("erasure_landing_noted")
                    near.store.remove({file.old_path for file, _ in some})
                    erased += [each for _, each in some]
        rewritten.settle()
        log(f"landing: {len(erased):,} files are written anew")
        return erased


def _rewrite(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    near: Nearby,
    some: list[Hit],
    folder: Path,
    persons: Persons,
) -> list[tuple[Rewritten, Erased]]:
    """Bring the new files to their places, durable; a file that comes to the same is left alone."""
    fresh = [folder / f"{number}.parquet" for number in range(len(some))]
    cores = os.cpu_count() or 1
    # a file is too small for more than one core
    with ThreadPoolExecutor(cores) as pool:
        pairs = list(zip(some, fresh, strict=True))
        for written in [pool.submit(_write, settings, pairs[nth::cores], folder, persons) for nth in range(cores)]:
            written.result()
    crashpoint("erasure_landing_written")
    digests = _digests(con, [*(hit.path for hit in some), *fresh])
    done, moving = [], list[tuple[Path, str]]()
    for hit, file in zip(some, fresh, strict=True):
        rows_before, _, before = digests[hit.path]
        rows, outside, digest = digests.get(file, (0, 0, EMPTY_DIGEST))
        if digest == before:
            continue
        sha256, size, target = sha256_of(file), file.stat().st_size, None
        if rows:
            target = near.name_of(hit.path.with_name(f"part-{sha256[:16]}.parquet"))
            moving.append((file, target))
        hour, data_type = (hit.path.parents[level].name.partition("=")[2] for level in (1, 0))
        old_path = near.name_of(hit.path)
        done.append(
            (
                Rewritten(
                    old_path=old_path,
                    path=target,
                    data_type=data_type,
                    hour=f"{hour}:00:00",
                    rows_before=rows_before,
                    rows=rows,
                    outside_rows=outside,
                    bytes=size if target else 0,
                    digest_before=before,
                    digest=digest,
                    sha256=sha256 if target else None,
                    mentions=hit.mentions,
                ),
                Erased(f"landing/{old_path}", hit.own, hit.path.stat().st_size, size if target else 0, hit.mentions),
            )
        )
    near.store.put_all(moving)
    return done


def _write(settings: Settings, some: list[tuple[Hit, Path]], folder: Path, persons: Persons) -> None:
    with scratch_duckdb(folder, settings.memory_limit, "landing") as con:
        con.execute("set threads = 1")
        take_share(con, 1 / 4)
        persons.into(con)
        for hit, file in some:
            write_without(con, hit, _SHAPE, file)


def _digests(con: duckdb.DuckDBPyConnection, files: Iterable[Path]) -> dict[Path, tuple[int, int, str]]:
    """Rows, rows outside their window, and the digest by which the manifest knows the rows of a file (cut.py)."""
    names = [str(file) for file in files]
    if not names:
        return {}
    found = con.execute(
        "select filename, count(*), count(*) - count_if(inside), coalesce(sum(hash(record)), 0)::varchar "
        "from read_parquet(?, filename = true, hive_partitioning = false) group by filename",
        [names],
    ).fetchall()
    return {Path(name): (rows, outside, f"{rows}:{total}") for name, rows, outside, total in found}
