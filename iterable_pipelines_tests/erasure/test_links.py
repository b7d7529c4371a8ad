"""Who belongs to a forgotten hash: links are followed as far as they are one person's, and no further."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iterable_pipelines.erasure.links import MOST_LINKS, FoundPersons, find_persons
from iterable_pipelines.erasure.tombstones import KINDS, Tombstones, hash_of
from iterable_pipelines.settings import Settings

Record = tuple[str | None, str | None, str | None]


def found_in(
    project: Settings, folder: Path, records: list[Record], tombstones: Tombstones | None = None
) -> FoundPersons:
    file = folder / "seen.parquet"
    columns = list(zip(*records, strict=True))
    pq.write_table(pa.table({kind: pa.array(columns[at], pa.string()) for at, kind in enumerate(KINDS)}), file)
    return find_persons(project, tombstones or Tombstones(project), [file], folder)


def erased_of(project: Settings, folder: Path, forgotten: str, records: list[Record]) -> set[str]:
    Tombstones(project).add("email" if "@" in forgotten else "user_id", [hash_of(forgotten)], "request")
    return set(found_in(project, folder, records).persons.plain())


def of_type(project: Settings, project_type: str) -> Settings:
    return project.model_copy(update={"project_type": project_type})


def test_every_spelling_and_every_name_of_one_person(project: Settings, tmp_path: Path) -> None:
    records: list[Record] = [(" Ada@X.example", "u1", None), ("ada@x.example", None, "i1"), (None, "u1", None)]
    assert erased_of(project, tmp_path, "ada@x.example", records) == {" Ada@X.example", "ada@x.example", "u1", "i1"}


def test_an_address_that_changed_is_found_by_itbl_user_id(project: Settings, tmp_path: Path) -> None:
    records: list[Record] = [
        ("new@x.example", "u1", "i1"),
        ("old@x.example", "u1", "i1"),
        ("bob@x.example", None, "i2"),
    ]
    assert erased_of(project, tmp_path, "new@x.example", records) == {"new@x.example", "old@x.example", "u1", "i1"}


@pytest.mark.parametrize("itbl", [True, False])
def test_what_somebody_who_stays_carries_too_is_not_followed(project: Settings, tmp_path: Path, itbl: bool) -> None:
    # of projects by email: two addresses may share a user id (api.md 1.8)
    ids = ("i1", "i2") if itbl else (None, None)
    records: list[Record] = [("ada@x.example", "1234", ids[0]), ("cat@x.example", "1234", ids[1])]
    assert erased_of(project, tmp_path, "ada@x.example", records) == {"ada@x.example", *(["i1"] if itbl else [])}
    assert found_in(project, tmp_path, records).shared == 1


def test_a_family_shares_an_address_in_projects_by_user_id(project: Settings, tmp_path: Path) -> None:
    records: list[Record] = [("home@x.example", "ada", None), ("home@x.example", "cat", None)]
    assert erased_of(of_type(project, "userid"), tmp_path, "ada", records) == {"ada"}


def test_an_address_of_hundreds_of_user_ids_is_erased_alone(project: Settings, tmp_path: Path) -> None:
    records: list[Record] = [("info@x.example", f"u{number}", None) for number in range(MOST_LINKS + 1)]
    assert erased_of(project, tmp_path, "info@x.example", records) == {"info@x.example"}
    assert found_in(project, tmp_path, records).too_many == 1


def test_links_are_remembered_when_the_record_that_linked_is_gone(project: Settings, tmp_path: Path) -> None:
    tombstones = Tombstones(project)
    assert erased_of(project, tmp_path, "ada@x.example", [("ada@x.example", "u1", "i1")]) >= {"u1"}
    again = found_in(project, tmp_path, [(None, "u1", None)])
    assert (again.persons.plain(), again.persons.count) == (["u1"], 1)
    tombstones.lift([hash_of("ada@x.example")])
    assert found_in(project, tmp_path, [(None, "u1", "i1")]).persons.plain() == []


_NAMES = [st.sampled_from([None, *(f"{prefix}{n}" for n in range(6))]) for prefix in ("e@", "u", "i")]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(st.tuples(*_NAMES), min_size=1, max_size=12), forgotten=st.sampled_from(["e@0", "e@1"]))
def test_nobody_is_erased_whom_nothing_links(
    project: Settings, tmp_path: Path, records: list[Record], forgotten: str
) -> None:
    tombstones = Tombstones(project)
    tombstones.path.unlink(missing_ok=True)
    tombstones.add("email", [hash_of(forgotten)], "request")
    erased = set(found_in(project, tmp_path, records).persons.plain())
    # by hand: everything that any chain of records leads to
    reached = {forgotten}
    for _ in records:
        reached |= {name for record in records if reached & set(record) for name in record if name}
    assert erased <= reached
    assert (forgotten in erased) == any(forgotten in record for record in records)
    # whoever stays keeps the names that say who they are
    assert found_in(project, tmp_path, records).persons.plain() == sorted(erased)
