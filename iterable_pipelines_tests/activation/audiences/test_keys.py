"""Keys of audiences and traits: made once, kept, and never shared (outbound.md P1, P9)."""

import pytest

from iterable_pipelines.activation.errors import ActivationRefused
from iterable_pipelines.activation.keys import bury_key, claim_key, move_keys, orphans, with_kept_key
from iterable_pipelines.activation.memberships import AudienceSync
from iterable_pipelines.activation.objects import TraitSync
from iterable_pipelines.activation.project import Project
from iterable_pipelines.settings import Settings
from iterable_pipelines_tests.activation.audiences.syncs import VIPS, WIN_BACK, sync_of

TRAIT = """
object: trait
trait_name: Best Hour
source: audiences.best_hour_to_send
primary_key: user_key
match: {column: email, field: email}
"""


@pytest.fixture
def iterable_project(project: Settings) -> Project:
    return Project("http://127.0.0.1:9", "hybrid", "a key", project)


def key(sync: object) -> str:
    assert isinstance(sync, AudienceSync | TraitSync)
    return sync.field


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Orders Last 30 Days", "orders_last_30_days"),
        ("  order_completed_last_30days ", "order_completed_last_30days"),
        ("VIP\tv1.2", "vip_v1_2"),
    ],
)
def test_p1_the_key_is_the_name_in_lower_case_without_blanks_and_dots(name: str, expected: str) -> None:
    assert key(sync_of(WIN_BACK, audience_name=name)) == expected
    assert key(sync_of(TRAIT, trait_name=name)) == expected


def test_p1_a_key_of_ones_own_wins() -> None:
    assert key(sync_of(WIN_BACK, key="lapsed")) == "lapsed"


def test_p1_another_name_keeps_the_key(iterable_project: Project) -> None:
    before = sync_of(WIN_BACK)
    assert key(with_kept_key(iterable_project, before)) == "win_back_90_days"
    renamed = sync_of(WIN_BACK, audience_name="Come Back")
    # nothing was sent under the first name yet
    assert key(with_kept_key(iterable_project, renamed)) == "come_back"
    claim_key(iterable_project, before)
    assert key(with_kept_key(iterable_project, renamed)) == "win_back_90_days"
    claim_key(iterable_project, renamed)
    assert key(with_kept_key(iterable_project, renamed)) == "win_back_90_days"
    with pytest.raises(ActivationRefused, match=r"key: other is another key than win_back_90_days"):
        with_kept_key(iterable_project, sync_of(WIN_BACK, key="other"))


def test_p1_a_key_that_another_has_or_had_is_refused(iterable_project: Project) -> None:
    claim_key(iterable_project, sync_of(WIN_BACK, "first"))
    for again in (sync_of(WIN_BACK, "second"), sync_of(TRAIT, "third", trait_name="Win back 90 days")):
        with pytest.raises(ActivationRefused, match="audience_key_reused"):
            with_kept_key(iterable_project, again)
        with pytest.raises(ActivationRefused, match="audience_key_reused"):
            claim_key(iterable_project, again)
    bury_key(iterable_project, "first")
    with pytest.raises(ActivationRefused, match="audience_key_reused"):
        claim_key(iterable_project, sync_of(WIN_BACK, "second"))
    claim_key(iterable_project, sync_of(WIN_BACK, "second", allow_reuse=True))


def test_p1_a_renamed_file_keeps_the_key(iterable_project: Project) -> None:
    claim_key(iterable_project, sync_of(WIN_BACK, "first"))
    moved = sync_of(WIN_BACK, "second", renamed_from="first", audience_name="New Name")
    claim_key(iterable_project, moved)
    assert key(with_kept_key(iterable_project, sync_of(WIN_BACK, "second"))) == "win_back_90_days"
    with pytest.raises(ActivationRefused, match="audience_key_reused"):
        with_kept_key(iterable_project, sync_of(WIN_BACK, "first"))


def test_keys_of_another_project_are_others(iterable_project: Project, project: Settings) -> None:
    claim_key(iterable_project, sync_of(WIN_BACK, "first"))
    claim_key(Project("http://127.0.0.1:9", "hybrid", "another key", project), sync_of(WIN_BACK, "second"))


def test_s10_keys_outlast_a_new_api_key_of_the_same_project(iterable_project: Project, project: Settings) -> None:
    claim_key(iterable_project, sync_of(WIN_BACK, "first"))
    bury_key(iterable_project, "first")
    renewed = Project("http://127.0.0.1:9", "hybrid", "a new key", project)
    move_keys(renewed, iterable_project.fingerprint)
    with pytest.raises(ActivationRefused, match="audience_key_reused"):
        claim_key(renewed, sync_of(WIN_BACK, "second"))


def test_p9_a_deleted_sync_leaves_an_orphan_as_it_was(iterable_project: Project, project: Settings) -> None:
    deleted = sync_of(WIN_BACK, "gone", on_delete="exit_members", list={"name": "x", "create": True})
    for sync in (deleted, sync_of(TRAIT, "best_hour"), sync_of(VIPS, "vips")):
        claim_key(iterable_project, sync)
    (orphan,) = orphans(project, {"best_hour", "vips"})
    assert orphan.key == "win_back_90_days"
    assert orphan.sync == with_kept_key(iterable_project, deleted)
    bury_key(iterable_project, "gone")
    assert orphans(project, {"best_hour", "vips"}) == []
