"""The plain identifiers of the forgotten, for as long as an erasure runs; they never leave its scratch folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from iterable_pipelines.erasure.mentions import detector_of, pattern_of, without_sql
from iterable_pipelines.erasure.tombstones import KINDS, Kind, normal_sql
from iterable_pipelines.quoting import literal

# twice as many take three times as long to be looked for in a text, and ten times as many are refused by the engine
_AT_ONCE = 2_000


@dataclass(frozen=True)
class Persons:
    """Who is to be erased. `file` is Parquet: `kind`, `identifier` as it is spelled somewhere, `hash` of it.

    `count` is how many people that is: hashes that were named, not those that were found through links.
    """

    file: Path
    count: int

    def into(self, con: duckdb.DuckDBPyConnection) -> None:
        """Give a DuckDB connection the temporary table `persons` (kind, identifier, hash) and three temporary macros.

        `is_person(identifier)` takes an identifier as some store spells it, or trimmed and in lower case.
        `names_person(text)` says whether a person may stand in a text or JSON. Both are true or false, never NULL.
        `without_persons(text)` has `erased` in their place.
        """
        con.execute(f"create or replace temp table persons as from read_parquet({literal(str(self.file))})")
        # every spelling that any store has: to make each value of millions of rows the same takes seven times as long
        con.execute(
            "create or replace temp table person_keys as select identifier as key from persons "
            f"union select {normal_sql('identifier')} from persons"
        )
        con.execute(
            "create or replace temp macro is_person(identifier) as "
            "coalesce(identifier in (select key from person_keys), false)"
        )
        # as variables, so that no statement and no error quotes them
        identifiers = self.plain()
        con.execute("set variable person_detector = ?", [detector_of(identifiers)])
        con.execute("set variable person_pattern = ?", [pattern_of(identifiers)])
        con.execute(
            "create or replace temp macro names_person(text) as "
            "coalesce(regexp_matches(text::varchar, getvariable('person_detector')), false)"
        )
        without = without_sql("text::varchar", "getvariable('person_pattern')")
        con.execute(f"create or replace temp macro without_persons(text) as {without}")

    def portions(self, folder: Path) -> Iterator["Persons"]:
        """These persons, so many identifiers at a time as a regular expression takes; their files lie in `folder`."""
        with duckdb.connect() as con:
            con.execute(
                "create table numbered as select *, row_number() over (order by hash, identifier) as place "
                f"from read_parquet({literal(str(self.file))})"
            )
            (count,) = con.execute("select count(*) from numbered").fetchone() or (0,)
            for at in range(0, count, _AT_ONCE):
                file = folder / f"persons-{at}.parquet"
                con.execute(
                    "copy (select kind, identifier, hash from numbered "
                    f"where place between {at + 1} and {at + _AT_ONCE}) to {literal(str(file))} (format parquet)"
                )
                yield Persons(file, self.count)

    def plain(self, kind: Kind | None = None) -> list[str]:
        """The identifiers as they are spelled, of one kind or of all: for stores that DuckDB does not read."""
        kinds = [kind] if kind else list(KINDS)
        with duckdb.connect() as con:
            found = con.execute(
                "select distinct identifier from read_parquet($1) where list_contains($2, kind) order by 1",
                [str(self.file), kinds],
            ).fetchall()
        return [identifier for (identifier,) in found]

    def hashes(self) -> list[str]:
        """The hashes of the identifiers: what a certificate may name."""
        with duckdb.connect() as con:
            found = con.execute("select distinct hash from read_parquet(?) order by 1", [str(self.file)]).fetchall()
        return [hash for (hash,) in found]
