"""The sample bodies: 31 different ones, readable, and their expected rows are what the columns read."""

import json

import duckdb

from iterable_pipelines.data_types import STREAM
from iterable_pipelines.streams.tables import columns_of, extraction_sql
from iterable_pipelines.webhooks.body import read_body
from iterable_pipelines_tests.webhooks.bodies import FILLED, expected, sample_bodies


def test_there_are_31_readable_bodies_none_like_another():
    bodies = [read_body(json.dumps(body).encode()) for body in sample_bodies()]
    assert len({body.digest for body in bodies}) == 31
    assert [body.unreadable for body in bodies] == [None] * 31


def test_the_expected_values_are_those_of_the_stream_s_own_columns_and_nothing_else_is_filled():
    seen = set()
    for body in sample_bodies():
        row = expected(body)
        seen.add(data_type := row.pop("data_type"))
        stream = row.pop("stream")
        if stream is None:
            assert "dataFields" not in body
            continue
        columns = columns_of(STREAM[stream])
        record = json.dumps({"userId": body.get("userId")} | body["dataFields"])
        selected = extraction_sql(columns, "(select $record as record)", "true")
        values = duckdb.execute(selected, {"record": record}).fetchone()
        assert values is not None
        read = {column.name: value for column, value in zip(columns, values[:-1], strict=True) if value is not None}
        assert read == row, data_type
    assert seen == set(FILLED)
