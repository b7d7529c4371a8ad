"""A person of whom nothing but a hash is known, and whom only the rows of others name, is found there and erased."""

import json
from typing import Any

import pytest

from iterable_pipelines.erasure.run import erase, identifiers_left
from iterable_pipelines.erasure.scan import scan
from iterable_pipelines.landing import Manifest
from iterable_pipelines.settings import Settings
from iterable_pipelines.streams import Warehouse
from iterable_pipelines_tests.erasure.everywhere import quiet
from iterable_pipelines_tests.erasure.people import ADA, BOB, START, event, forget, load
from iterable_pipelines_tests.landing_by_hand import land


@pytest.mark.parametrize(
    ("who", "said", "kept"),
    [
        # his own address is the end of hers
        (ADA[2:], {"friend": ADA}, {"email": ADA[2:], "friend": "erased"}),
        (ADA[2:], {"note": f"of {ADA}"}, {"email": ADA[2:], "note": "of erased"}),
        # the only @ of the record is his own
        (BOB, {"link": f"?to={ADA.replace('@', '%40')}"}, {"email": BOB, "link": "?to=erased"}),
        ("", {"userId": "bob", "friend": ADA}, {"userId": "bob", "friend": "erased"}),
    ],
)
def test_x16_named_by_others_only(
    project: Settings, manifest: Manifest, warehouse: Warehouse, who: str, said: dict[str, Any], kept: dict[str, Any]
) -> None:
    record = event(who, eventName="invited", **said)
    land(project, manifest, "customEvent", START, [record if who else {**record, "email": None}])
    load(project, manifest, warehouse)
    forget(project, ADA)
    assert identifiers_left(project) == 1
    certificate = erase(project, quiet)
    assert (certificate.complete, certificate.persons, certificate.rows) == (True, 1, 0)
    assert scan(project, [ADA]).found == []
    (row,) = warehouse.read("select record::varchar from streams.iterable_custom_activity")
    assert kept.items() <= json.loads(row[0]).items()


def test_whoever_has_her_address_within_their_own_keeps_it(
    project: Settings, manifest: Manifest, warehouse: Warehouse
) -> None:
    own = f"of.{ADA}"
    land(project, manifest, "customEvent", START, [event(own, eventName="invited")])
    load(project, manifest, warehouse)
    forget(project, ADA)
    certificate = erase(project, quiet)
    assert (certificate.complete, certificate.persons) == (True, 0)
    assert warehouse.read("select email from streams.iterable_custom_activity") == [(own,)]
