"""Records as the cells of a table, and tables read back."""

import csv
import json
from pathlib import Path
from typing import Any

import duckdb


def text_of(value: Any) -> str | None:
    """A value as a cell holds it."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def rows_of(path: Path) -> list[dict[str, str | None]]:
    """The rows of a CSV or Parquet file, without the cells that hold nothing."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return [{name: cell for name, cell in row.items() if cell != ""} for row in csv.DictReader(file)]
    with duckdb.connect() as con:
        found = con.execute("from read_parquet(?)", [str(path)])
        names = [column[0] for column in found.description or []]
        return [
            {name: cell for name, cell in zip(names, row, strict=True) if cell is not None} for row in found.fetchall()
        ]


def by_cells(row: dict[str, str | None]) -> str:
    return str(sorted(row.items()))


def expected(records: list[dict[str, Any]], columns: dict[str, str], without: tuple[Any, ...]) -> list[Any]:
    return [
        {columns[key]: text_of(value) for key, value in record.items() if value is not None and value not in without}
        for record in records
    ]
