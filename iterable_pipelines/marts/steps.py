"""The steps of a campaign, told by the names of data types, so that a new data type needs no line here."""

import re

STEPS = ("sent", "bounced", "opened", "clicked", "converted")

_LAST_WORD = {"Send": "sent", "Bounce": "bounced", "Open": "opened", "Seen": "opened", "Click": "clicked"}
# hostedUnsubscribeClick and inboxSession are about no message that was sent to somebody
_MESSAGE = re.compile(rf"(?:email|push|sms|inApp|webPush|embedded|whatsApp|rcs)({'|'.join(_LAST_WORD)})")
_OTHERS = {"embeddedImpression": "opened", "purchase": "converted"}


def step_of(data_type: str) -> str:
    """Which step of a campaign an event of this data type is; empty for none."""
    message = _MESSAGE.fullmatch(data_type)
    return _LAST_WORD[message[1]] if message else _OTHERS.get(data_type, "")
