"""Everything clients wrote as one plain dict, which two runs can be compared by (==); no moment of writing is in it."""

from typing import Any

from iterable_pipelines.sandbox.bodies import SUBSCRIPTION_ARRAYS
from iterable_pipelines.sandbox.everybody import Everybody, identity
from iterable_pipelines.sandbox.people import FIRST_WRITTEN_LIST
from iterable_pipelines.sandbox.written import FORGOTTEN_EMAILS, FORGOTTEN_USER_IDS, Written

STAMPS = ("profileUpdatedAt", "signupDate")
PARTS = {
    "carts": ("shoppingCartItems",),
    "devices": ("devices", "browserTokens"),
    "subscriptions": tuple(name for name in SUBSCRIPTION_ARRAYS if name != "emailListIds"),
}


def snapshot_of_writes(everybody: Everybody, written: Written, lists: list[dict[str, Any]]) -> dict[str, Any]:
    """Profiles, carts, devices and subscriptions by name; events and purchases by id; lists by id; who was forgotten.

    World adds what clients made of catalogs, templates, campaigns, snippets and metadata, and what was sent.

    A person's name is the address, without one the user id. Of seeded people only what was written is shown.
    """
    made = {each["id"]: {"name": each["name"], "members": []} for each in lists if each["id"] >= FIRST_WRITTEN_LIST}
    found: dict[str, Any] = {"profiles": {}, "lists": made} | {part: {} for part in PARTS}
    for profile in everybody.written.everyone():
        fields, names = profile.fields, identity(everybody.read(profile))
        name = names.get("email") or names["userId"]
        for list_id in fields.pop(everybody.list_key, None) or ():
            made.setdefault(list_id, {"name": None, "members": []})["members"].append(name)
        for part, keys in PARTS.items():
            if taken := {key: fields.pop(key) for key in keys if key in fields}:
                found[part][name] = taken
        found["profiles"][name] = {key: value for key, value in (fields | names).items() if key not in STAMPS}
    for each in made.values():
        each["members"].sort()
    return found | {
        "events": written.records("customEvent"),
        "purchases": written.records("purchase"),
        "forgotten": sorted(
            {*written.forgotten_emails, *written.forgotten_user_ids} - {*FORGOTTEN_EMAILS, *FORGOTTEN_USER_IDS}
        ),
    }
