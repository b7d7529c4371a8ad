"""The copy that the import publishes proves most of it, without a request; Iterable is asked for the rest."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from iterable_pipelines.hours import now
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams.tables import create_statements
from iterable_pipelines_tests.activation.verify.conftest import Prove

NOW = int(time.time())
ANA = {"email": "ana@example.com"}


def publish(settings: Settings, stream: str, records: Sequence[dict[str, Any]], minutes_ago: float = 0) -> None:
    """What the import would have of records as exports write them."""
    settings.published_path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(settings.published_path) as con:
        con.execute("set timezone = 'UTC'")
        for statement in create_statements():
            con.execute(statement)
        fetched = (now() - timedelta(minutes=minutes_ago)).replace(tzinfo=None)
        for record in records:
            values = [record.get("email"), record.get("userId"), json.dumps(record), fetched]
            if stream == "iterable_users":
                what = "? as email, ? as user_id, ? as record, ? as _fetched_at, true as _current"
            else:
                what = "? as email, ? as user_id, ? as record, ? as _loaded_at, left(?, 19)::timestamp as created_at, "
                what += "? as event_name, md5(random()::varchar) as event_id"
                values += [record["createdAt"], record["eventName"]]
            con.execute(f"insert into streams.{stream} by name select {what}", values)


def test_users_of_a_newer_export_are_verified_without_a_request(prove: Prove) -> None:
    proof = prove()
    users = [{"email": f"user{nth}@example.com", "dataFields": {"points": nth, "tier": None}} for nth in range(200)]
    proof.send("users", users, lost={7})
    exported = [{"email": f"User{nth}@example.com", "points": float(nth), "city": "Oslo"} for nth in range(200)]
    exported[7]["points"] = 0

    publish(proof.settings, "iterable_users", exported)
    verified = proof.verify()

    # whoever is not as sent in the copy is looked at in Iterable itself
    assert (verified.verified, verified.from_copy, verified.lookups, verified.missing) == (199, 199, 1, 1)
    assert proof.wrong() == {"0007": ("missing", None)}


def test_an_export_from_before_the_acknowledgement_proves_nothing(prove: Prove) -> None:
    proof = prove()
    proof.send("users", [ANA | {"dataFields": {"tier": "gold"}}], lost={0})
    publish(proof.settings, "iterable_users", [ANA | {"tier": "gold"}], minutes_ago=1)
    assert proof.verify().missing == 1


def test_events_of_the_import_are_matched_by_who_name_second_and_content_each_for_one(prove: Prove) -> None:
    proof = prove()
    proof.write("users", [ANA])
    twins = [ANA | {"eventName": "Ping", "id": f"e{nth}", "createdAt": NOW - 60} for nth in range(3)]
    proof.send("events", twins, lost={2})
    moment = f"{datetime.fromtimestamp(NOW - 60, UTC):%Y-%m-%d %H:%M:%S} +00:00"
    publish(proof.settings, "iterable_custom_activity", [ANA | {"eventName": "Ping", "createdAt": moment}] * 2)

    verified = proof.verify()

    assert (verified.from_copy, verified.verified, verified.missing) == (2, 2, 1)


def test_the_import_says_nothing_of_another_project(prove: Prove, monkeypatch: Any) -> None:
    proof = prove()
    monkeypatch.setenv("OTHER_KEY", proof.sandbox.key)
    proof.declare("connection: {key_env: OTHER_KEY, project_type: hybrid}\n")
    proof.send("users", [ANA | {"dataFields": {"tier": "gold"}}])
    publish(proof.settings, "iterable_users", [ANA | {"tier": "gold"}])

    verified = proof.verify()

    assert (verified.verified, verified.from_copy, verified.lookups) == (1, 0, 1)
