"""The one place that says how Iterable's timestamps are read: a closed list of shapes, in SQL."""

_SHAPE = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}:\d{2}(\.\d{1,9})?(\.\d{3})?( ?(Z|[+-]\d{2}:?\d{2}))?)?$"


def timestamp_sql(text: str) -> str:
    """A DuckDB expression that reads the text expression `text` as a UTC TIMESTAMP, NULL where no shape fits.

    Shapes (api.md 1.6): `2026-01-14 06:20:22 +00:00` and without the colon, ISO 8601 with or without a fraction or an
    offset, a doubled fraction (`…34.134105.000Z`), the same without a zone (UTC), a date, epoch seconds and
    milliseconds. Days that do not exist (2026-02-30) are NULL, not the next month. The session's zone must be UTC.
    """
    # nearly every record has the first shape, so the regular expressions run for the odd ones only
    without_second_fraction = rf"regexp_replace({text}, '(\.\d+)\.\d{{3}}', '\1')"
    joined_offset = rf"regexp_replace({without_second_fraction}, ' ?([+-]\d{{2}}):?(\d{{2}})$', '\1:\2')"
    return (
        f"case when {text} is null then null "
        f"when length({text}) = 26 and ends_with({text}, ' +00:00') then try_cast(left({text}, 19) as timestamp) "
        rf"when regexp_full_match({text}, '\d{{10}}') then epoch_ms(1000 * cast({text} as bigint)) "
        rf"when regexp_full_match({text}, '\d{{13}}') then epoch_ms(cast({text} as bigint)) "
        f"when regexp_full_match({text}, '{_SHAPE}') "
        f"then try_cast(case when length({text}) > 10 then {joined_offset} else {text} end as timestamptz) "
        "at time zone 'UTC' end"
    )
