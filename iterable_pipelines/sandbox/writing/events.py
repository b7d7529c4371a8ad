"""events/track and events/trackBulk, and the tracking that purchases and lists share (api.md 6.2)."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from iterable_pipelines.sandbox.errors import Refused, bad_params
from iterable_pipelines.sandbox.identify import Failure, Row, Somebody, trimmed
from iterable_pipelines.sandbox.oddities import stamp
from iterable_pipelines.sandbox.profiles import Fields
from iterable_pipelines.sandbox.schema import MOST_EVENT_FIELDS, Examination, Schema
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.writing.call import Call, Outcome, success

LONGEST_ID = 512  # bytes


class Events:
    """Tracks events of one world."""

    def __init__(self, world: World):
        self.world = world

    def track(self, call: Call) -> Response:
        """POST events/track: the same id updates, no id adds; 200 also for a name that may not be tracked."""
        name = call.asked["eventName"]
        if name in self.world.rules.disallowed_events:
            return success(f"event {name} is disallowed from tracking.")
        event_id = call.asked.get("id") or self.world.written.new_id()
        self.write(call, "single", [call.asked | {"id": event_id}]).raise_single()
        return success(f"Event with id: {event_id} tracked.", {"id": event_id})

    def track_bulk(self, call: Call) -> Response:
        """POST events/trackBulk: as events/track, 200 with failures inside."""
        return self.write(call, "bulk", call.asked["events"]).as_events()

    def write(self, call: Call, pipeline: str, rows: Sequence[Row]) -> Outcome:
        """Check every event, answer for each, and let the good ones happen when the pipeline's delay is over."""
        world, outcome, looked = self.world, Outcome(), Examination()
        check_ids(rows)
        found = []
        for row in rows:
            create = row.get("createNewFields")
            create = world.rules.create_new_fields if create is None else create
            found.append(looked.look(self.schema("customEvent", row["eventName"]), row.get("dataFields") or {}, create))
        looked.finish()
        outcome.created, outcome.filtered = looked.created, looked.filtered
        accepted: list[tuple[Row, Fields]] = []
        for row, each in zip(rows, found, strict=True):
            if row["eventName"] in world.rules.disallowed_events:
                outcome.disallowed[row["eventName"]] = outcome.disallowed.get(row["eventName"], 0) + 1
                continue
            who = self.whose(row, pipeline)
            if isinstance(who, Failure):
                outcome.failed.append(who)
                continue
            outcome.done += 1
            if each.spoilt:  # no list names events of wrong data: they are lost in silence (api.md 6.2)
                continue
            if not call.is_dropped(world, row, row.get("id")):
                accepted.append((row, each.fields))

        def happen() -> None:
            for row, fields in accepted:
                if not isinstance(self.whose(row, pipeline, create=True), Failure):
                    self.record("customEvent", row, {"eventName": row["eventName"]} | fields)

        world.submit(pipeline, happen)
        return outcome

    def whose(self, row: Row, pipeline: str, create: bool = False) -> Somebody | Failure:
        """Whose event this is; with `create`, somebody unknown becomes known where the project lets them."""
        who = self.world.identify(row)
        if isinstance(who, Failure):
            return who if who.reason != "conflict" else Failure("notFound", who.kind, who.name)
        if who.profile is None:
            reading = self.world.rules.unknown_users or ("not_found" if pipeline == "bulk" else "created")
            if reading == "not_found":
                email = trimmed(row.get("email"))
                return Failure("notFound", "Emails", email) if email else Failure("notFound", "UserIds", row["userId"])
            if create:
                who.profile = self.world.everybody.create(who.names)
        return who

    def schema(self, data_type: str, name: str) -> Schema:
        """The fields of all events of this name: they are typed apart from those of other names (api.md 1.9)."""
        return self.world.event_schemas.setdefault((data_type, name), Schema(data_type, MOST_EVENT_FIELDS))

    def record(self, data_type: str, row: Row, record: Fields) -> str:
        """Add one event, or replace the one of its id; returns the id."""
        world = self.world
        moment = int(world.now().timestamp())
        created = int(row["createdAt"]) if row.get("createdAt") is not None else moment
        created = created // 1000 if created > 10**11 else created  # both seconds and milliseconds are in use
        email, user_id = trimmed(row.get("email")), row.get("userId")
        names = ({"email": email} if email else {}) | ({"userId": user_id} if user_id else {})
        own: dict[str, Any] = {"createdAt": stamp(created)} | names
        own |= {key: row[key] for key in ("campaignId", "templateId") if row.get(key) is not None}
        if row.get("id") and (data_type == "purchase" or world.rules.event_ids):
            own["_id"] = row["id"]
        return world.write_event(data_type, own | record, created, row.get("id"))


def check_ids(rows: Sequence[Row]) -> None:
    """Raise Refused for an id of more than 512 bytes."""
    if any(len((row.get("id") or "").encode()) > LONGEST_ID for row in rows):
        raise Refused(bad_params(f"id must not be longer than {LONGEST_ID} bytes"))
