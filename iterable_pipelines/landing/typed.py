"""How a text from a record becomes a value of a column: what does not fit is NULL, and stays readable in the record."""

from iterable_pipelines.landing.timestamps import timestamp_sql


def typed_sql(kind: str, text: str) -> str:
    """A DuckDB expression that reads the text expression `text` as the SQL type `kind`."""
    if kind == "TIMESTAMP":
        return timestamp_sql(text)
    if kind == "BIGINT":
        # a cast alone would round 12.5 to 13 and take 0x1F for 31
        return f"case when try_cast({text} as double) = try_cast({text} as bigint) then try_cast({text} as bigint) end"
    if kind == "DOUBLE":
        # NaN and Infinity are texts that DuckDB reads as numbers, and every sum with them is lost
        return f"case when isfinite(try_cast({text} as double)) then try_cast({text} as double) end"
    return text if kind == "VARCHAR" else f"try_cast({text} as {kind})"
