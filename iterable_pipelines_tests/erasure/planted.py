"""Persons to erase, and a look into every byte of a folder, compressed ones included."""

import gzip
import hashlib
from pathlib import Path

import duckdb
import pyarrow as pa

from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.tombstones import Tombstones, hash_of
from iterable_pipelines.settings import Settings

ADA, ADA_ID = "ada.lovelace@example.com", "u-ada-1815"
BOB, BOB_ID = "bob@example.com", "u-bob-1900"


def persons(folder: Path, **identifiers: str) -> Persons:
    """By default Ada, by both her names; else by what is given as email, user_id or itbl_user_id."""
    names = identifiers or {"email": ADA, "user_id": ADA_ID}
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "persons.parquet"
    values = ", ".join(
        f"('{kind}', '{name}', '{hashlib.sha256(name.strip().lower().encode()).hexdigest()}')"
        for kind, name in names.items()
    )
    duckdb.execute(f"copy (select * from (values {values}) t (kind, identifier, hash)) to '{file}' (format parquet)")
    return Persons(file, 1)


def bury(settings: Settings, *names: str) -> None:
    """Tombstones for these, by default for both names of Ada."""
    for name in names or (ADA, ADA_ID):
        Tombstones(settings).add("email" if "@" in name else "user_id", [hash_of(name)], "request")


def naming(folder: Path, *words: str) -> set[str]:
    """The files below `folder` in which one of the words stands, by default one of Ada's names."""
    found = set()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        content = b"\n".join(_readings(path)).lower()
        if any(word.lower().encode() in content for word in words or (ADA, ADA_ID)):
            found.add(str(path.relative_to(folder)))
    return found


def _readings(path: Path) -> list[bytes]:
    """The bytes of a file, and what they say where they are compressed."""
    raw = path.read_bytes()
    if raw.startswith(b"PAR1"):
        return [raw, *(str(row).encode() for row in duckdb.execute(f"from read_parquet('{path}')").fetchall())]
    if raw[8:12] == b"DUCK":
        return [raw, *_rows(path)]
    if raw.startswith(b"\x1f\x8b"):
        return [raw, gzip.decompress(raw)]
    if raw.startswith(b"\x28\xb5\x2f\xfd"):
        return [raw, pa.input_stream(str(path), compression="zstd").read()]
    return [raw]


def _rows(path: Path) -> list[bytes]:
    with duckdb.connect(path, read_only=True) as con:
        tables = con.execute("select schema_name, table_name from duckdb_tables()").fetchall()
        return [
            str(row).encode()
            for schema, table in tables
            for row in con.execute(f'from "{schema}"."{table}"').fetchall()
        ]
