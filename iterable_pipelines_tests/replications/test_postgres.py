"""PostgreSQL itself: values of every type arrive as they were, and no error shows a password or a value."""

from pathlib import Path

import duckdb
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iterable_pipelines import postgres as pg
from iterable_pipelines.settings import SettingsError
from iterable_pipelines_tests.postgres_server import PASSWORD, Server

# what DuckDB calls it, its type there, what PostgreSQL shows of it
VALUES = [
    ("true", "boolean", "true"),
    ("(-128)::tinyint", "smallint", "-128"),
    ("255::utinyint", "smallint", "255"),
    ("65535::usmallint", "integer", "65535"),
    ("4294967295::uinteger", "bigint", "4294967295"),
    ("(-9223372036854775808)::bigint", "bigint", "-9223372036854775808"),
    ("18446744073709551615::ubigint", "numeric", "18446744073709551615"),
    ("170141183460469231731687303715884105727::hugeint", "numeric", "170141183460469231731687303715884105727"),
    ("1234567890123456789012345678901234567890123::bignum", "numeric", "1234567890123456789012345678901234567890123"),
    ("12.30::decimal(10, 2)", "numeric", "12.30"),
    ("0.1::double", "double precision", "0.1"),
    ("'nan'::double", "double precision", "NaN"),
    ("'-inf'::double", "double precision", "-Infinity"),
    ("1e300::double", "double precision", "1e+300"),
    ("0.1::float", "real", "0.1"),
    ("''", "text", ""),
    ("'\\N'", "text", "\\N"),
    ("'\\.'", "text", "\\."),
    ("'a' || chr(10) || '\\.' || chr(10) || chr(13) || chr(9) || '\"b\"'", "text", 'a\n\\.\n\r\t"b"'),
    ("'NULL'", "text", "NULL"),
    ("'naïve 😀 ' || chr(8232)", "text", "naïve 😀 \u2028"),
    ("'a'::enum('a', 'b')", "text", "a"),
    ("'101'::bit", "text", "101"),
    ("'\\x00\\xFFa'::blob", "bytea", "\\x00ff61"),
    ("'7d444840-9dc0-11d1-b245-5ffdce74fad2'::uuid", "uuid", "7d444840-9dc0-11d1-b245-5ffdce74fad2"),
    ("date '2026-02-28'", "date", "2026-02-28"),
    ("'0044-03-15 (BC)'::date", "date", "0044-03-15 BC"),
    ("'infinity'::date", "date", "infinity"),
    ("time '24:00:00'", "time without time zone", "24:00:00"),
    ("'12:00:00.5+02'::timetz", "time with time zone", "12:00:00.5+02"),
    ("timestamp '2026-03-29 02:30:00.123456'", "timestamp with time zone", "2026-03-29 02:30:00.123456+00"),
    ("'2026-03-29 02:30:00.123456789'::timestamp_ns", "timestamp with time zone", "2026-03-29 02:30:00.123457+00"),
    ("'2026-03-29 02:30:00+02'::timestamptz", "timestamp with time zone", "2026-03-29 00:30:00+00"),
    ("'0044-03-15 (BC) 04:05:06'::timestamp", "timestamp with time zone", "0044-03-15 04:05:06+00 BC"),
    ("'-infinity'::timestamp", "timestamp with time zone", "-infinity"),
    ("interval '-1 month 3 days -04:05:06.5'", "interval", "-1 mons +3 days -04:05:06.5"),
    ("[1, NULL, 3]", "jsonb", "[1, null, 3]"),
    ("[timestamp '2026-11-01 12:00:00']", "jsonb", '["2026-11-01 12:00:00"]'),
    ("[1.50::decimal(10, 2)]", "jsonb", "[1.5]"),
    ("[]::varchar[]", "jsonb", "[]"),
    ("[1, 2]::integer[2]", "jsonb", "[1, 2]"),
    ("{'a': {'b': ['x\"y', NULL]}}", "jsonb", '{"a": {"b": ["x\\"y", null]}}'),
    ("map {'k': 1, 'l': NULL}", "jsonb", '{"k": 1, "l": null}'),
    ('\'{"n": 12345678901234567890123, "e": 1e400}\'::json', "jsonb", None),
    ("'null'::json", "jsonb", "null"),
    ("NULL::json", "jsonb", None),
    ("NULL", "text", None),
    ("NULL::varchar", "text", None),
    ("NULL::integer[]", "jsonb", None),
]


@pytest.fixture(scope="module")
def rows(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str | None]]:
    """Type and text in PostgreSQL of each value, all of them sent as one row."""
    select = ", ".join(f"{sql} as c{at}" for at, (sql, _, _) in enumerate(VALUES))
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        copied = pg.write_copy_file(con, f"select {select}", tmp_path_factory.mktemp("copy") / "rows.csv")
    assert copied.replaced == 0
    with postgres.database("values") as url, pg.connect(url, "URL") as con:
        con.execute(f"create table t ({pg.column_list(copied.columns)})")
        assert pg.copy_file(con, "t", copied) == 1
        con.execute("set intervalstyle = 'postgres'")
        texts = con.execute("select " + ", ".join(f"c{at}::text" for at in range(len(VALUES))) + " from t").fetchone()
        kinds = con.execute("select " + ", ".join(f"pg_typeof(c{at})::text" for at in range(len(VALUES))) + " from t")
        return dict(
            zip((sql for sql, _, _ in VALUES), zip(kinds.fetchone() or (), texts or (), strict=True), strict=True)
        )


@pytest.mark.parametrize(("sql", "kind", "text"), VALUES)
def test_a_value_arrives_as_it_was(
    rows: dict[str, tuple[str, str | None]], sql: str, kind: str, text: str | None
) -> None:
    assert rows[sql][0] == kind
    if text is None and not sql.startswith("NULL"):
        assert (
            rows[sql][1] is not None and "12345678901234567890123" in rows[sql][1] and "1" + "0" * 400 in rows[sql][1]
        )
    else:
        assert rows[sql][1] == text


def test_odd_column_names(postgres: Server, tmp_path: Path) -> None:
    long = "a" * 60 + "äöü"
    names = [
        'we"ird',
        "per%cent %s",
        "semi;colon--",
        "UPPER",
        "select",
        "new\nline",
        "ünï",
        "a.b",
        "'",
        long + "1",
        long + "2",
    ]
    with duckdb.connect() as con:
        query = "select " + ", ".join(
            f'{at} as "{name.replace(chr(34), chr(34) * 2)}"' for at, name in enumerate(names)
        )
        copied = pg.write_copy_file(con, query, tmp_path / "rows.csv")
    with postgres.database("names") as url, pg.connect(url, "URL") as con:
        con.execute(f"create table t ({pg.column_list(copied.columns)})")
        pg.copy_file(con, "t", copied)
        cursor = con.execute("select * from t")
        there = [column.name for column in cursor.description or []]
        assert cursor.fetchone() == tuple(range(len(names)))
    assert there[:-2] == names[:-2]
    assert there[-2] != there[-1] and all(len(name.encode()) <= 63 for name in there)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8"))), min_size=1, max_size=8))
def test_any_text_arrives(
    duck: duckdb.DuckDBPyConnection, postgres: Server, tmp_path: Path, texts: list[str | None]
) -> None:
    duck.execute("create or replace table t (n integer, a varchar, j json)")
    numbered = "select unnest(?) as n, unnest(?::varchar[]) as a"
    duck.execute(f"insert into t select n, a, to_json(a) from ({numbered})", [list(range(len(texts))), texts])
    copied = pg.write_copy_file(duck, "from t", tmp_path / "rows.csv")
    with psycopg.connect(postgres.url) as con:
        con.execute(f"create temp table t ({pg.column_list(copied.columns)})")
        pg.copy_file(con, "t", copied)
        found = con.execute("select a, j #>> '{}' from t order by n").fetchall()
    mended = [text and text.replace("\0", "\ufffd") for text in texts]
    assert [a for a, _ in found] == mended
    assert [j for _, j in found] == mended
    assert copied.replaced == 2 * sum("\0" in (text or "") for text in texts)


@pytest.mark.parametrize(
    ("json", "there"),
    [
        (r'"\u0000\u0000"', "��"),
        (r'"\\u0000"', r"\u0000"),
        (r'"\\\u0000"', "\\�"),
        (r'"\ud83d\ude00"', "😀"),
        ("NaN", "null"),
        ('{"a": [NaN, -Infinity], "b": "NaN, -Infinity"}', '{"a": [null, null], "b": "NaN, -Infinity"}'),
        (
            '{"NaN": "\\\\", "x": Infinity, "y": ", NaN \\", [NaN"}',
            '{"x": null, "y": ", NaN \\", [NaN", "NaN": "\\\\"}',
        ),
        (r'"\\ud800"', r"\ud800"),
    ],
)
def test_json_that_jsonb_refuses_is_mended(postgres: Server, tmp_path: Path, json: str, there: str) -> None:
    with duckdb.connect() as con:
        con.execute("create table t as select ?::json as j", [json])
        copied = pg.write_copy_file(con, "from t", tmp_path / "rows.csv")
    with psycopg.connect(postgres.url) as con:
        con.execute("create temp table t (j jsonb)")
        pg.copy_file(con, "t", copied)
        assert con.execute("select coalesce(j #>> '{}', 'null') from t").fetchone() == (there,)
    assert copied.replaced == ("�" in there or "null" in there)


def said_by(url: str) -> pg.PostgresFailed:
    with pytest.raises(pg.PostgresFailed) as caught, pg.connect(url, "REPORTING_URL"):
        pass
    text = "".join(
        str(each)
        for each in (
            caught.value,
            caught.value.__cause__,
            caught.value.__notes__ if hasattr(caught.value, "__notes__") else "",
        )
    )
    assert "REPORTING_URL" in text and "Next: " in text and "secret" not in text and PASSWORD not in text
    return caught.value


def test_a_wrong_login_is_refused(postgres: Server) -> None:
    for url, words in (
        (postgres.url_of("postgres", password="secret"), 'password authentication failed for user "postgres"'),
        (postgres.url_of("postgres", user="bob", password="secret"), 'user "bob"'),
        (postgres.url_of("nowhere"), 'database "nowhere" does not exist'),
    ):
        error = said_by(url)
        assert isinstance(error, pg.PostgresRefused) and words in str(error)


def test_a_server_that_is_not_there_is_worth_another_try() -> None:
    for url in ("postgresql://u:secret@127.0.0.1:1/x", "postgresql://u:secret@nowhere.invalid/x"):
        error = said_by(url)
        assert not isinstance(error, pg.PostgresRefused) and "cannot be reached" in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:secret@h/d",
        "host=h password=secret",
        "postgresql://u:x@secret@127.0.0.1/x",
        "postgresql://u:x/secret@127.0.0.1/x",
        "postgresql://u:x%zzsecret@h/x",
        "postgresql://u:1@h:secret/x",
        "postgresql+psycopg2://u:secret@h/x",
    ],
)
def test_a_url_that_is_none_is_not_shown(url: str) -> None:
    assert "%40 for @" in str(said_by(url))


def test_parameters_of_the_url_reach_libpq(postgres: Server) -> None:
    assert "SSL" in str(said_by(postgres.url + "?sslmode=require"))
    with pg.connect(postgres.url + "?application_name=mine&options=-c%20search_path%3Dnowhere", "URL") as con:
        assert con.execute("select current_setting('application_name'), current_setting('search_path')").fetchone() == (
            "mine",
            "nowhere",
        )
        assert con.execute("select current_setting('timezone')").fetchone() == ("UTC",)


def test_an_error_rolls_back_and_shows_no_value(postgres: Server) -> None:
    with postgres.database("errors") as url:
        with psycopg.connect(url) as con:
            con.execute("create table t (a int primary key)")
        for statement in (
            "insert into t select 'secret@example.com'::text::int",
            "insert into t values (1), (1)",
            "select * from nowhere",
        ):
            with pytest.raises(pg.PostgresRefused) as caught, pg.connect(url, "URL") as con:
                con.execute("insert into t values (7)")
                con.execute(statement)
            assert "secret" not in str(caught.value) and "Nothing of this step is stored" in str(caught.value)
        with pg.connect(url, "URL") as con:
            assert con.execute("select * from t").fetchall() == []


def test_a_server_that_goes_away_in_a_commit_may_have_stored_it(postgres: Server) -> None:
    with postgres.database("commits") as url:
        with psycopg.connect(url) as con:
            con.execute("create table t (a int)")
            con.execute(
                "create function go() returns trigger language plpgsql as "
                "$$ begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(9); return null; end $$"
            )
            con.execute(
                "create constraint trigger go after insert on t deferrable initially deferred "
                "for each row execute function go()"
            )
        said = "Either all of this step is stored there, or nothing"
        with pytest.raises(pg.PostgresFailed, match=said) as failed, pg.connect(url, "URL") as con:
            con.execute("insert into t values (1)")
        assert "as it was" not in str(failed.value) and "Next: look there" in str(failed.value)
        # before that, nothing is stored for certain
        said = "Nothing of this step is stored there"
        with pytest.raises(pg.PostgresFailed, match=said), pg.connect(url, "URL") as con:
            con.execute("select pg_terminate_backend(pg_backend_pid())")


def test_the_variable_is_read_from_the_environment_or_the_dotenv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match=r"REPORTING_URL is not set.*\n.*write REPORTING_URL="):
        pg.url_of("REPORTING_URL", tmp_path)
    (tmp_path / ".env").write_text("REPORTING_URL=postgresql://u:p@h/a\n")
    assert pg.url_of("REPORTING_URL", tmp_path).endswith("/a")
    monkeypatch.setenv("REPORTING_URL", "postgresql://u:p@h/b")
    assert pg.url_of("REPORTING_URL", tmp_path).endswith("/b")
