"""From hashes to persons: which identifiers of ours have a tombstone, and which others are the same person's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from iterable_pipelines.erasure.persons import Persons
from iterable_pipelines.erasure.tombstones import KINDS, Kind, Tombstones, normal_sql
from iterable_pipelines.quoting import literal
from iterable_pipelines.settings import Settings

# nobody has more names of one kind than this: an address of hundreds of user ids is a shared one
MOST_LINKS = 20
# an address that changed, changed again and was merged
_ROUNDS = 6


@dataclass(frozen=True)
class FoundPersons:
    """The persons, and how many links were not followed: those of an identifier that has too many, and those to an
    identifier that somebody who stays has, too."""

    persons: Persons
    too_many: int = 0
    shared: int = 0


def find_persons(
    settings: Settings, tombstones: Tombstones, files: Sequence[Path], scratch: Path, memory_limit: str = "512MB"
) -> FoundPersons:
    """Who in `files` (stores.py: email, user_id, itbl_user_id of one record) is forgotten, closed over links.

    Identifiers that were found through a link get tombstones of their own, so that a run that breaks off after the
    link itself is erased still knows them.
    """
    with duckdb.connect() as con:
        con.execute(f"set memory_limit = {literal(memory_limit)}")
        con.execute(f"set temp_directory = {literal(str(scratch))}")
        _spread(con, files)
        tombstones.into(con)
        con.execute(
            f"create table known as select distinct id.kind, id.key, stone.origin from {_IDS} as id "
            "join (select distinct hash, origin from forgotten_hashes) as stone on sha256(id.key) = stone.hash"
        )
        too_many = shared = 0
        for _ in range(_ROUNDS):
            many, common, taken = _follow(con, settings.project_type)
            too_many, shared = max(too_many, many), max(shared, common)
            if not taken:
                break
        _remember(con, tombstones)
        file = scratch / "persons.parquet"
        con.execute(
            "copy (select distinct names.kind, names.identifier, sha256(names.key) as hash from names "
            f"semi join known using (kind, key) order by all) to {literal(str(file))} (format parquet)"
        )
        count = con.execute("select count(distinct origin) from known").fetchone()
    return FoundPersons(Persons(file, int(count[0]) if count else 0), too_many, shared)


_IDS = "(select distinct kind, key from names)"


def _spread(con: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """`records`: the keys of each record under a number; `names`: each key with the spellings it has."""
    columns = ", ".join(f"nullif({normal_sql(kind)}, '') as {kind}" for kind in KINDS)
    source = f"read_parquet({[str(file) for file in files]})" if files else f"({_EMPTY})"
    con.execute(f"create table seen as select distinct {', '.join(KINDS)} from {source}")
    con.execute(
        f"create table records as select row_number() over () as record, * from (select distinct {columns} from seen)"
    )
    each = " union ".join(
        f"select '{kind}' as kind, {normal_sql(kind)} as key, {kind} as identifier from seen "
        f"where nullif({normal_sql(kind)}, '') is not null"
        for kind in KINDS
    )
    con.execute(f"create table names as {each}")
    con.execute(
        "create table carries as "
        + " union all ".join(
            f"select record, '{kind}' as kind, {kind} as key from records where {kind} is not null" for kind in KINDS
        )
    )


_EMPTY = "select " + ", ".join(f"null::varchar as {kind}" for kind in KINDS) + " where false"


def _follow(con: duckdb.DuckDBPyConnection, project_type: str) -> tuple[int, int, int]:
    """Take one more step: links not followed for being too many, for being shared, and identifiers that are new."""
    con.execute(
        "create or replace temp table steps as select distinct one.kind as from_kind, one.key as from_key, "
        "other.kind, other.key, known.origin from known join carries as one using (kind, key) "
        "join carries as other using (record) anti join known as those on those.kind = other.kind "
        "and those.key = other.key"
    )
    con.execute(
        "create or replace temp table crowded as select from_kind, from_key, kind from steps "
        f"group by all having count(distinct key) > {MOST_LINKS}"
    )
    many = con.execute("select count(*) from crowded").fetchone()
    con.execute("create or replace temp table links as from steps anti join crowded using (from_kind, from_key, kind)")
    # itblUserId is one person's, whatever else changes (api.md 1.8)
    con.execute("create or replace temp table same as select key from known where kind = 'itbl_user_id' "
                "union select key from links where kind = 'itbl_user_id'")  # fmt: skip
    primary = {"email": ["email"], "userid": ["user_id"], "hybrid": ["email", "user_id"]}[project_type]
    somebody = " or ".join(
        f"(records.{kind} is not null and not (links.kind = '{kind}' and links.key = records.{kind}) "
        f"and records.{kind} not in (select key from known where kind = '{kind}'))"
        for kind in primary
    )
    con.execute(
        "create or replace temp table shared as select distinct links.kind, links.key from links "
        "join carries using (kind, key) join records using (record) where links.kind <> 'itbl_user_id' and "
        "case when records.itbl_user_id is not null then records.itbl_user_id not in (select key from same) "
        f"else {somebody} end"
    )
    common = con.execute("select count(*) from shared").fetchone()
    before = con.execute("select count(*) from known").fetchone()
    con.execute("insert into known select distinct kind, key, origin from links anti join shared using (kind, key)")
    after = con.execute("select count(*) from known").fetchone()
    return (many or (0,))[0], (common or (0,))[0], (after or (0,))[0] - (before or (0,))[0]


def _remember(con: duckdb.DuckDBPyConnection, tombstones: Tombstones) -> None:
    kinds: dict[str, Kind] = {kind: kind for kind in KINDS}
    found = con.execute(
        "select kind, sha256(key), origin from known anti join forgotten_hashes as stone "
        "on sha256(known.key) = stone.hash and known.origin = stone.origin order by all"
    ).fetchall()
    tombstones.link([(kinds[kind], hash, origin) for kind, hash, origin in found])
