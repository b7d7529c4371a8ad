"""What an edit of a sync's mapping means for rows that were sent under the former one (G10, G11)."""

import json
from collections.abc import Callable

import pytest

from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines_tests.activation.plan.conftest import Planning, Ran
from iterable_pipelines_tests.activation.plan.test_diff import rows

HEAD = "object: user\nsource: m.t\nprimary_key: id\nmatch: {column: email, field: email}\n"
FORMER = HEAD + "fields: {v: v, w: w}\n"
COLUMNS = "id, email, v, w"


def fields(ran: Ran) -> dict[str, dict[str, object]]:
    return {each["pk"]: json.loads(each["payload"])["dataFields"] for each in ran.changes}


def test_g10_updates_only_sends_nothing_for_rows_that_are_as_they_were(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", rows((1, "a@ex.com", 1, 5), (2, "b@ex.com", 1, 5), columns=COLUMNS))
    here.run(here.sync("people", FORMER))
    here.table("m.t", rows((1, "a@ex.com", 1, 5), (2, "b@ex.com", 2, 5), (3, "c@ex.com", 3, 5), columns=COLUMNS))
    edited = here.sync("people", HEAD + "fields: {v: level, w: w}\n")
    ran = here.run(edited)
    assert ran.plan.mapping_version == 2
    # one row has changed, one is new: both go under the new mapping
    assert fields(ran) == {"2": {"level": 2, "w": 5}, "3": {"level": 3, "w": 5}}
    # what Iterable has of the other is what it had
    payload = here.state(edited, "select payload from state.acked where pk = '1'")[0][0]
    assert json.loads(payload)["dataFields"] == {"v": 1, "w": 5}
    assert here.run(edited).changes == []
    here.table("m.t", rows((1, "a@ex.com", 7, 5), (2, "b@ex.com", 2, 5), (3, "c@ex.com", 3, 5), columns=COLUMNS))
    assert fields(here.run(edited)) == {"1": {"level": 7, "w": 5}}


def test_g10_rows_may_be_of_several_mappings_at_once(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", rows((1, "a@ex.com", 1, 5), (2, "b@ex.com", 1, 5), columns=COLUMNS))
    here.run(here.sync("people", FORMER))
    # a run of one row leaves the other under the first mapping
    assert here.run(here.sync("people", HEAD + "fields: {v: level}\n"), only_pks=("1",)).changes == []
    here.table("m.t", rows((1, "a@ex.com", 1, 5), (2, "b@ex.com", 1, 6), columns=COLUMNS))
    assert fields(here.run(here.sync("people", HEAD + "fields: {v: grade}\n"))) == {"2": {"grade": 1}}


def test_g10_backfill_sends_every_row_once(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", rows((1, "a@ex.com", 1, 5), (2, "b@ex.com", 1, 5), columns=COLUMNS))
    here.run(here.sync("people", FORMER))
    edited = here.sync("people", HEAD + "fields: {v: level, w: w}\non_mapping_change: backfill\n")
    assert here.run(edited).ops == {"1": "change", "2": "change"}
    assert here.run(edited).changes == []


def test_g10_a_backfill_of_many_rows_needs_approval(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", rows((1, "a@ex.com", 1, 5), (2, "b@ex.com", 1, 5), columns=COLUMNS))
    here.run(here.sync("people", FORMER))
    text = HEAD + "fields: {v: level, w: w}\non_mapping_change: backfill\nmax_backfill_rows: 1\n"
    edited = here.sync("people", text)
    assert here.plan(edited).exit_code == 4
    with pytest.raises(ActivationRefused, match=r"2 rows would be sent again.*\n.*--approve backfill"):
        here.run(edited)
    assert len(here.run(edited, approve=("backfill",)).changes) == 2


@pytest.mark.parametrize(
    "edit",
    ["frequency: daily\n", "description: another\n", "guards: {max_new_fields: 1}\n", "enabled: false\n"],
)
def test_g11_what_is_no_mapping_is_no_change_of_it(planning: Callable[..., Planning], edit: str) -> None:
    here = planning()
    here.table("m.t", rows((1, "a@ex.com", 1, 5), columns=COLUMNS))
    here.run(here.sync("people", FORMER))
    assert here.run(here.sync("people", edit + HEAD + "fields: {w: w, v: v}\n")).plan.mapping_version == 1


def test_g10_fields_that_are_mapped_no_more_stay_unless_they_are_to_be_cleared(
    planning: Callable[..., Planning],
) -> None:
    here = planning()
    here.table("m.t", rows((1, "a@ex.com", 1, 5), columns=COLUMNS))
    here.run(here.sync("people", HEAD + "fields: {v: v, w: home.city}\n"))
    assert here.run(here.sync("people", HEAD + "fields: {v: v}\n")).changes == []
    here.run(here.sync("people", HEAD + "fields: {v: v, w: home.city}\n"))
    clearing = here.sync("people", HEAD + "fields: {v: v}\nclear_removed_fields: true\n")
    (change,) = here.run(clearing).changes
    assert json.loads(change["payload"]) == {
        "email": "a@ex.com",
        "mergeNestedObjects": True,
        "dataFields": {"v": 1, "home": {"city": None}},
    }
    assert here.run(clearing).changes == []


def test_a_column_that_is_gone_with_its_mapping_sends_rows_again_and_says_so(
    planning: Callable[..., Planning],
) -> None:
    here = planning()
    here.table("m.t", rows((1, "a@ex.com", 1, 5), columns=COLUMNS))
    here.run(here.sync("people", FORMER))
    here.table("m.t", rows((1, "a@ex.com", 1)))
    ran = here.run(here.sync("people", HEAD + "fields: {v: v}\n"))
    assert fields(ran) == {"1": {"v": 1}}
    assert "the former mapping read w" in ran.plan.warnings[0]


def test_a_renamed_sync_goes_on_with_its_state_and_ids(planning: Callable[..., Planning]) -> None:
    here = planning()
    here.table("m.t", "select 1 as id, 'a@ex.com' as email, timestamp '2026-11-01' as at")
    text = (
        "object: event\nsource: m.t\nprimary_key: id\nmatch: {column: email, field: email}\n"
        "event_name: {constant: Ping}\ncreated_at: at\nfirst_run: backfill\n"
    )
    here.run(here.sync("clicks", text))
    (here.settings.project_root / "syncs" / "clicks.yml").unlink()
    renamed = here.sync("pings", text + "renamed_from: clicks\n")
    assert here.plan(renamed).sends == 0
    assert here.run(renamed).changes == []
    here.table("m.t", "select 2 as id, 'a@ex.com' as email, timestamp '2026-11-01' as at")
    (change,) = here.run(renamed).changes
    assert json.loads(change["payload"])["id"] == "wh:clicks:2"
