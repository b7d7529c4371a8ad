"""replications/*.yml: what is read from them, and what each wrong one is told."""

from pathlib import Path

import pytest

from iterable_pipelines.replications import load_replications
from iterable_pipelines.settings import Settings, SettingsError


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "replications").mkdir()
    return Settings(project_root=tmp_path, data_dir=tmp_path / "data")


def declare(settings: Settings, text: str, name: str = "people.yml") -> None:
    (settings.project_root / "replications" / name).write_text(text)


def test_a_table_into_postgresql(settings: Settings) -> None:
    declare(settings, "table: profiles.user_profiles\npostgres: REPORTING_URL\nkeys: user_key\nschedule: '@daily'\n")
    (found,) = load_replications(settings)
    assert (found.name, found.keys, found.target, found.schedule) == (
        "people",
        ("user_key",),
        ("iterable", "people"),
        "@daily",
    )
    assert found.source == 'from "profiles"."user_profiles"'
    assert found.reads == [("profiles", "user_profiles")]


def test_a_query_into_a_file_and_what_it_reads(settings: Settings) -> None:
    sql = (
        "with c as (select * from objects.lists) select * from c join streams.x using (id) where exists (from marts.y);"
    )
    declare(settings, f"query: |\n  {sql} -- done\nfile: out/people.CSV\n")
    (found,) = load_replications(settings)
    assert found.reads == [("marts", "y"), ("objects", "lists"), ("streams", "x")]
    assert found.source.endswith("marts.y)")


def test_without_a_folder_there_are_none(tmp_path: Path) -> None:
    assert load_replications(Settings(project_root=tmp_path, data_dir=tmp_path)) == []


TABLE, FILE, POSTGRES = "table: a.b\n", "file: a.csv\n", "postgres: REPORTING_URL\nkeys: [a]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("table: user_profiles\n" + FILE, "line 1, table: write the schema too"),
        ("tabel: a.b\n" + FILE, "line 1, tabel: no such field, did you mean table?"),
        (TABLE + FILE + "zzz: 1\n", "line 3, zzz: no such field; there are table, query"),
        (
            TABLE + "postgres: postgresql://u:secret@h/d\nkeys: [a]\n",
            "line 2, postgres: write the name of the variable",
        ),
        (TABLE + "postgres: ITERABLE_URL\nkeys: [a]\n", "this project's own"),
        (TABLE + "query: select 1\n" + FILE, "either `table` or `query`"),
        (FILE, "either `table` or `query`"),
        (TABLE, "either `postgres`, the variable that holds the URL, or `file`"),
        (TABLE + FILE + "postgres: REPORTING_URL\nkeys: [a]\n", "either `postgres`"),
        ("query: delete from x\n" + FILE, "line 1, query: DELETE is no query"),
        ("query: select 1; select 2\n" + FILE, "these are 2 statements"),
        ("query: selec\n" + FILE, 'syntax error at or near "selec"'),
        (TABLE + "file: a.xls\n", "line 2, file: the name must end with .csv, .parquet or .ndjson"),
        ("- a\n", "write one `field: value` a line"),
        ("", "write one `field: value` a line"),
        ("a: [\n", "line 2: expected the node content"),
        (TABLE + "postgres: REPORTING_URL\n", "name the columns that identify a row in `keys`"),
        (TABLE + FILE + "keys: [a]\n", "belong to `postgres`"),
        (TABLE + FILE + "schedule: daily\n", "line 3, schedule: write five fields of cron"),
        (TABLE + TABLE + FILE, "a field stands there twice"),
        ("name: x\n" + TABLE + FILE, "line 1, name: leave it out"),
        (TABLE + POSTGRES + "delete_guard: 20\n", "line 4, delete_guard: it must be less than or equal to 1"),
        (TABLE + POSTGRES + "into: c\n", "line 4, into: write the schema too"),
        ("table: 5\n" + FILE, "line 1, table: it must be a valid string"),
    ],
)
def test_a_wrong_one_is_told_where_and_what(settings: Settings, text: str, message: str) -> None:
    declare(settings, text)
    with pytest.raises(SettingsError) as caught:
        load_replications(settings)
    assert message in str(caught.value)
    assert "replications/people.yml" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_two_variables_with_one_database_are_one_place(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    into = "table: a.b\nkeys: [a]\ninto: c.d\npostgres: "
    declare(settings, into + "ONE_URL\n", "one.yml")
    declare(settings, into + "TWO_URL\n", "two.yml")
    # nobody knows yet
    assert len(load_replications(settings)) == 2
    monkeypatch.setenv("ONE_URL", "postgresql://me:secret@h/x")
    (settings.project_root / ".env").write_text("TWO_URL=postgresql://you:secret@h:5432/x\n")
    with pytest.raises(SettingsError, match=r"two\.yml: replications/one\.yml writes to the same place") as caught:
        load_replications(settings)
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("TWO_URL", "postgresql://you:secret@h/y")
    assert len(load_replications(settings)) == 2


def test_names_and_places(settings: Settings) -> None:
    declare(settings, TABLE + FILE, "one.yml")
    declare(settings, TABLE + FILE, "two.yml")
    declare(settings, TABLE + FILE, "Three.yml")
    declare(settings, TABLE + FILE, "four.yaml")
    with pytest.raises(SettingsError) as caught:
        load_replications(settings)
    text = str(caught.value)
    assert "two.yml: replications/one.yml writes to the same place already" in text
    assert "Three.yml: the file's name becomes the asset's" in text
    assert "four.yaml is not read: rename it to four.yml" in text
