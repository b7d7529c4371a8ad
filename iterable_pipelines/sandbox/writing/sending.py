"""What sending a campaign does: who gets it, who is skipped why, and the events that show it (api.md 4.4, 6.5)."""

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from iterable_pipelines.sandbox.dates import read_moment
from iterable_pipelines.sandbox.errors import Refused, bad_params, invalid_list, refusal
from iterable_pipelines.sandbox.messages import content_of, sent_by
from iterable_pipelines.sandbox.objects import Campaign
from iterable_pipelines.sandbox.oddities import stamp
from iterable_pipelines.sandbox.world import World
from iterable_pipelines.sandbox.writing.call import Call
from iterable_pipelines.sandbox.written import Send

DATA_TYPE = {
    "Email": "emailSend",
    "Push": "pushSend",
    "SMS": "smsSend",
    "InApp": "inAppSend",
    "WebPush": "webPushSend",
    "Embedded": "embeddedSend",
    "WhatsApp": "whatsAppSend",
    "RCS": "rcsSend",
}
MONTHS = 90 * 86_400  # seconds an in-app message lives
FORGOTTEN = "forgotten"
Person = tuple[str | None, str | None]  # address and user id


class Sending:
    """Sends campaigns of one world."""

    def __init__(self, world: World):
        self.world, self.written = world, world.written

    def check_lists(self, list_ids: Iterable[int]) -> None:
        """Raise Refused for a list that is not there."""
        known = {each["id"] for each in self.world.objects.lists}
        for list_id in list_ids:
            if list_id not in known:
                raise Refused(invalid_list(list_id))

    def campaign(self, number: float) -> Campaign:
        """The campaign of this id. Raises Refused if there is none now."""
        campaign = self.world.objects.campaign(int(number))
        if campaign is None or campaign.created > self.world.now().timestamp():
            raise Refused(bad_params(f"Campaign not found. Id: {number}"))
        return campaign

    def triggered(self, number: float) -> Campaign:
        """As `campaign`. Raises Refused for one of another type."""
        campaign = self.campaign(number)
        if campaign.type != "Triggered":
            raise Refused(bad_params("Campaign is not a triggered campaign"))
        return campaign

    def active(self, number: float) -> Campaign:
        """As `triggered`. Raises Refused for one that was aborted, archived or not activated yet."""
        campaign = self.triggered(number)
        if campaign.state != "Running":
            raise Refused(bad_params(f"Campaign is not active. Id: {number}"))
        return campaign

    def to_lists(
        self, path: str, campaign: Campaign, lists: Iterable[int], suppressed: Iterable[int], due: float, repeat: bool
    ) -> Send:
        """Send to everybody who is on one of `lists` and on none of `suppressed` now."""
        left_out = set(self.members(suppressed))
        people = [each for each in self.members(lists) if each not in left_out]
        return self.send(path, campaign, people, due, repeat, tuple(lists))

    def send(
        self,
        path: str,
        campaign: Campaign,
        people: Iterable[Person],
        due: float,
        repeat: bool,
        lists: tuple[int, ...] = (),
    ) -> Send:
        """Send to these people at `due` (epoch seconds); reads show it when the pipeline has settled.

        repeat: whether who got this marketing campaign before gets it again.
        """
        delay = self.world.rules.delay("bulk" if lists else "single")
        before = {name for each in self.written.sends if each.id == campaign.id for name in each.recipients}
        sent, skipped = [], []
        for email, user_id in people:
            name = email or user_id or ""
            reason = self._reason(campaign, email, user_id, not repeat and name in before)
            if reason:
                skipped.append((name, reason))
            else:
                sent.append(name)
            if reason == FORGOTTEN:
                continue  # not even an event tells of them
            record = self._record(campaign, email, user_id, name, int(due), reason)
            kind = DATA_TYPE[campaign.medium] + ("Skip" if reason else "")
            self.written.track(kind, record, int(due), int(due + delay), record["messageId"])
        done = Send(path, campaign.id, tuple(sent), datetime.fromtimestamp(due, UTC), lists, tuple(skipped))
        self.written.sends.append(done)
        return done

    def members(self, list_ids: Iterable[int]) -> list[Person]:
        """Everybody who is on one of the lists now, once."""
        return list(dict.fromkeys(each for list_id in list_ids for each in self.world.everybody.members(list_id)))

    def _reason(self, campaign: Campaign, email: str | None, user_id: str | None, had_it: bool) -> str | None:
        """Why somebody is skipped; None for who is not. Only marketing messages can be refused."""
        if email in self.written.forgotten_emails or user_id in self.written.forgotten_user_ids:
            return FORGOTTEN
        kinds = {each["id"]: each["channelType"] for each in self.world.objects.channels}
        if kinds.get(campaign.channel_id) != "Marketing":
            return None
        if had_it:
            return "DuplicateMarketingMessage"
        profile = self.world.everybody.find(email, user_id)
        fields = self.world.everybody.read(profile) if profile else {}
        if campaign.channel_id in (fields.get("unsubscribedChannelIds") or ()):
            return "UnsubscribedChannel"
        if campaign.message_type_id in (fields.get("unsubscribedMessageTypeIds") or ()):
            return "UnsubscribedMessageType"
        return None

    def _record(
        self, campaign: Campaign, email: str | None, user_id: str | None, name: str, moment: int, reason: str | None
    ) -> dict[str, Any]:
        message_id = sha256(f"{campaign.id} {name} {self.written.new_id()}".encode()).hexdigest()[:32]
        record: dict[str, Any] = {"createdAt": stamp(moment)}
        record |= {key: value for key, value in (("email", email), ("userId", user_id)) if value}
        record |= {"campaignId": campaign.id, "templateId": campaign.template_id, "messageId": message_id}
        record |= sent_by(campaign)
        if reason:
            return record | {"reason": reason}
        record |= content_of(campaign)
        if campaign.medium == "InApp":
            shown = {"saveToInbox": True, "silentInbox": False, "location": "in-app"}
            record |= {"expiresAt": stamp(moment + MONTHS), "messageContext": shown, "priorityLevel": 300.5}
        return record


def moment_of(call: Call, name: str) -> datetime | None:
    """A moment in the body, None if it is absent. Raises Refused for what is none, in the words of api.md 1.4."""
    text = call.asked.get(name)
    if text is None:
        return None
    try:
        return read_moment(text)
    except ValueError as wrong:
        raise Refused(refusal(400, "BadJsonBody", f'[{call.path}] Invalid format: "{text}"')) from wrong
