"""syncs/*.yml: what each object may say, and what each wrong file is told, by line."""

from pathlib import Path
from typing import Any

import pytest

from iterable_pipelines.activation.compile import rows
from iterable_pipelines.activation.objects import OBJECTS, UserSync, load_syncs
from iterable_pipelines.settings import Settings, SettingsError

WHO = "source: marts.people\nprimary_key: id\nmatch: {column: email, field: email}\n"
USER = "object: user\n" + WHO
EVENT = "object: event\nfirst_run: backfill\nevent_name: name\ncreated_at: at\n" + WHO
TRAIT = "object: trait\ntrait_name: VIP\n" + WHO
AUDIENCE = "object: audience\naudience_name: VIP\nas: [track]\n" + WHO


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "syncs").mkdir()
    return Settings(project_root=tmp_path, data_dir=tmp_path / "data", project_type="hybrid")


def declare(settings: Settings, text: str, name: str = "s") -> None:
    (settings.project_root / "syncs" / f"{name}.yml").write_text(text)


def test_a_sync_as_the_documentation_shows_it(settings: Settings) -> None:
    declare(
        settings,
        "object: user\nsource: ref('dim_customers')\nprimary_key: customer_id\nmatch: {column: email, field: email}\n"
        "mode: upsert\non_leave: keep\nfields:\n  first_name: firstName\n  city: address.city\n"
        "  lifetime_value: {to: lifetimeValue, null: omit}\nconstants: {source_system: warehouse}\n"
        "on_mapping_change: updates_only\nfrequency: hourly\n"
        "enabled: true\nguards: {max_remove_ratio: 0.2, max_new_fields: 5, allow_empty: false}\ndelivery: bulk\n",
    )
    (found,) = load_syncs(settings)
    assert isinstance(found, UserSync) and found.primary_key == ("customer_id",) and found.model == "dim_customers"
    assert [(to.to, to.null) for to in found.fields.values()] == [
        ("firstName", None),
        ("address.city", None),
        ("lifetimeValue", "omit"),
    ]
    assert found.profile_fields == {"firstName", "lifetimeValue", "address.city", "source_system"}
    assert found.schedule == "30 * * * *" and not found.warnings


def test_0_13_an_event_name_on_a_user_sync_has_no_effect(settings: Settings) -> None:
    declare(settings, USER + "event_name: {constant: Subscribe}\n")
    (found,) = load_syncs(settings)
    assert found.warnings == ("`event_name` has no effect: a profile has none",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        # K3, X14
        (
            USER + "fields:\n  lists: emailListIds\n",
            "line 5, fields: emailListIds is managed by Iterable; use object: list",
        ),
        (USER + "fields: {x: subscribedMessageTypeIds}\n", "use object: subscription"),
        (USER + "fields: {x: devices.token}\n", "devices is managed by Iterable; use object: device"),
        (USER + "fields: {x: shoppingCartItems}\n", "use object: cart"),
        (USER + "fields: {x: itblInternal.documentUpdatedAt}\n", "managed by Iterable; leave it out"),
        (USER + "constants: {signupDate: 2026-01-01}\n", "line 5, constants: signupDate is managed"),
        (TRAIT + "key: profileUpdatedAt\n", "key: profileUpdatedAt is managed"),
        # destinations
        (USER + "fields: {a: x, b: x}\n", "fields: the columns a and b both go to x"),
        (USER + "fields: {a: x}\nconstants: {x: 1}\n", "constants: the field x stands there twice"),
        (USER + "fields: {a: x, b: x.y}\n", "x is a field already, so x.y cannot be within it"),
        (USER + "fields: {other: email}\n", "the columns email and other both go to email"),
        (USER + "fields: {a: ''}\n", "fields.a.to: write the name of a field"),
        (USER + "fields: {a: x..y}\n", "write the name of a field"),
        (USER + "fields: {a: '*'}\n", '"\\*" stands for all other columns'),
        (USER + "fields: {'*': x}\n", '"\\*" stands for all other columns'),
        (USER + "fields: {key: id}\n", "id is an identifier"),
        (USER + "constants: {email: a@ex.com}\n", "email names the user: it cannot be the same for all rows"),
        (USER + "fields: {a: {to: x, tpye: long}}\n", "fields.a.tpye: no such field, did you mean type"),
        (USER + "volatile: seen\nfields: {a: x}\n", "`volatile` names seen, which is no field"),
        # who, what, when
        ("object: user\nsource: a.b\nprimary_key: id\nfields: {a: x}\n", "nobody is named: write `match:"),
        ("object: user\nsource: a.b\nmatch: {column: e, field: email}\n", "line 1, primary_key: it is missing"),
        (USER.replace("primary_key: id", "primary_key: []"), "line 3, primary_key: "),
        (USER.replace("field: email", "field: Email"), "line 4, match.field: it must be 'email' or 'userId'"),
        (USER + "mode: remove\n", "`mode` of a user must be insert, update, upsert or mirror, not remove"),
        (USER + "on_leave: delete\n", "`on_leave: delete` needs `mode: mirror`"),
        (TRAIT + "on_leave: delete\n", "`on_leave` of a trait must be keep or null_fields, not delete"),
        (EVENT.replace("first_run: backfill\n", ""), "`first_run` must be chosen"),
        (EVENT.replace("created_at: at\n", ""), "`created_at` names the column with the moment"),
        (EVENT.replace("event_name: name\n", ""), "event_name: it is missing"),
        (EVENT + "mode: update\n", "`mode: update` needs `id`"),
        # P1
        (TRAIT + "key: a.b\n", "line 6, key: a key has no blanks and no dots"),
        (AUDIENCE + "key: a b\n", "a key has no blanks and no dots"),
        # objects without fields of their own
        (TRAIT + "fields: {a: x}\n", "only email and userId can be named, not x"),
        (AUDIENCE + "constants: {x: 1}\n", "this object has no fields of your own"),
        ("object: cart\nitems: i\n" + WHO + "fields: '*'\n", "only email and userId can be named"),
        # values
        (USER + "naive_timezone: Berlin\n", "write the name of a time zone"),
        (
            "object: calls\nfirst_run: backfill\nsource: a.b\nprimary_key: id\ncolumns: {usr_id: u}\n",
            "did you mean user_id",
        ),
        (
            "object: calls\nfirst_run: backfill\nsource: a.b\nprimary_key: id\ngroup: {field: a.b}\n",
            "group.field: a key has no",
        ),
        ("object: usr\n", "line 1, object: write one of user, event, .*did you mean user"),
        (USER + "feilds: {a: x}\n", "line 5, feilds: no such field, did you mean fields"),
    ],
)
def test_what_a_wrong_file_is_told(settings: Settings, text: str, told: str) -> None:
    declare(settings, text)
    with pytest.raises(SettingsError, match=rf"syncs/s.yml.*{told}") as error:
        load_syncs(settings)
    assert "nothing was started or changed" in str(error.value) and "Next: " in str(error.value)


@pytest.mark.parametrize(
    ("one", "other", "field"),
    [
        (USER + "fields: {a: plan}\n", USER + "constants: {plan: pro}\n", "plan"),
        (USER + "fields: {a: address.city}\n", USER + "fields: {a: address}\n", "address"),
        (TRAIT, USER + "fields: {a: vip}\n", "vip"),
        (AUDIENCE, TRAIT, "vip"),
        (AUDIENCE, AUDIENCE.replace("VIP", " vip "), "vip"),
    ],
)
def test_r14_p1_two_syncs_do_not_write_one_field(settings: Settings, one: str, other: str, field: str) -> None:
    declare(settings, one, "one")
    declare(settings, other, "two")
    with pytest.raises(SettingsError, match=rf"syncs/two.yml: it writes the field {field}, and syncs/one.yml writes"):
        load_syncs(settings)
    # one of them is switched off, or goes to another project
    elsewhere = "connection: {key_env: OTHER_KEY, project_type: hybrid}\n"
    for more in ("enabled: false\n", elsewhere):
        declare(settings, other + more, "two")
        assert len(load_syncs(settings)) == 2


def test_r14_neighbours_are_no_conflict(settings: Settings) -> None:
    declare(settings, USER + "fields: {a: address.city, b: plan}\n", "one")
    declare(settings, USER + "fields: {a: address.zip, b: plans, email: email}\n", "two")
    declare(settings, EVENT + "fields: {b: plan}\n", "three")
    assert len(load_syncs(settings)) == 3


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("hybrid", USER + "placeholder_email: true\n", "is for email-based projects; this one's type is hybrid"),
        ("email", USER + "identify_by: email\n", "is for hybrid projects; this one's type is email"),
        ("userid", USER, "users of this project go by userId"),
    ],
)
def test_i3_i4_i8_what_does_not_suit_the_project(settings: Settings, kind: str, text: str, told: str) -> None:
    declare(settings, text)
    with pytest.raises(SettingsError, match=rf"syncs/s.yml: .*{told}"):
        load_syncs(settings.model_copy(update={"project_type": kind}))


def test_g11_of_every_setting_it_is_known_whether_it_changes_records() -> None:
    changes_records = {
        *("name", "object", "primary_key", "match", "mode", "fields", "constants", "null_policy", "delivery"),
        *("volatile", "naive_timezone", "convert_iso_strings", "on_long_value", "create_new_fields"),
        *("merge_nested_objects", "allow_managed_fields", "identify_by", "placeholder_email", "longest_user_id"),
        *(
            "keep_identifiers_in_data_fields",
            "new_email",
            "update_only_flag",
            "event_name",
            "trait_name",
            "key",
            "value",
        ),
        *("id", "created_at", "campaign_id", "template_id", "allow_missing_created_at", "total", "items"),
        *("total_fallback", "item_id_from_sku", "split_categories_on", "purchase_updates_profile", "audience_name"),
        *("outputs", "list", "entered_event", "exited_event", "include_name", "changed_at", "emails", "emails_column"),
        *("on_identity_removed", "reject_placeholder", "token", "platform", "application_name", "sandbox", "browser"),
        *("email_list_ids", "unsubscribed_channel_ids", "unsubscribed_message_type_ids", "subscribed_message_type_ids"),
        *(
            f"{verb}_{what}_ids"
            for verb in ("subscribe", "unsubscribe")
            for what in ("list", "channel", "message_type")
        ),
        *(
            "opted_in_at",
            "action",
            "columns",
            "anonymous_id_as_user_id",
            "single_event_name",
            "pages",
            "group",
            "devices",
        ),
        *("cart_without_products", "context_fields", "segment_classic_compat"),
        *("catalog", "catalog_column", "item_id", "replace", "field_types"),
        *("allow_duplicate_name", "allow_repeat_marketing_sends", "campaign_data_fields", "campaign_name"),
        *("client_template_id", "data_fields", "default_time_zone", "list_description", "list_id"),
        *("list_ids", "list_name", "medium", "medium_column", "schedule_send", "send_at", "send_mode"),
        *("snippet", "start_time_zone", "suppression_list_ids", "table", "table_column"),
    }
    said: set[Any] = {name for each in OBJECTS.values() for name in each.model_fields}
    assert said == changes_records | rows.NO_MAPPING and not changes_records & rows.NO_MAPPING
