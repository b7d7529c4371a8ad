"""Every object that is imported, one declaration each. Add an object here, and nowhere else."""

from dataclasses import dataclass, field
from itertools import product


@dataclass(frozen=True)
class Column:
    """A column read from the field `field_name` of the object. TIMESTAMP takes epoch milliseconds and texts."""

    name: str
    type: str
    field_name: str
    description: str = ""


@dataclass(frozen=True)
class ObjectType:
    """One table of the schema `objects`, and where its rows come from.

    `key` is the name of the array in the answer. `page_size` is None for answers in one piece. `passes` are the query
    parameters of each time the whole listing is asked for; those named in `asked` become columns, because the rows
    themselves do not say them.
    """

    name: str
    title: str
    endpoint: str
    key: str
    columns: tuple[Column, ...]
    page_size: int | None = None
    id_field: str = "id"
    passes: tuple[dict[str, str], ...] = ({},)
    asked: dict[str, str] = field(default_factory=dict)


def _column(field_name: str, kind: str = "VARCHAR", description: str = "") -> Column:
    snake = "".join("_" + letter.lower() if letter.isupper() else letter for letter in field_name)
    return Column(snake, kind, field_name, description)


_TIMES = (_column("createdAt", "TIMESTAMP", "UTC"), _column("updatedAt", "TIMESTAMP", "UTC"))

OBJECT_TYPES = (
    ObjectType(
        "campaigns",
        "Campaigns",
        "/api/campaigns",
        "campaigns",
        (
            _column("name"),
            _column("campaignState", description="free text: more states exist than are documented (api.md 5.1)"),
            _column("type", description="Blast or Triggered"),
            _column("messageMedium"),
            _column("templateId", "BIGINT"),
            _column("workflowId", "BIGINT", "the journey that sends it"),
            _column("recurringCampaignId", "BIGINT", "the recurring campaign it is a child of"),
            _column("sendSize", "BIGINT"),
            *_TIMES,
            _column("startAt", "TIMESTAMP", "UTC; triggered campaigns have none"),
            _column("endedAt", "TIMESTAMP", "UTC; does not move updated_at"),
            _column("createdByUserId"),
            _column("updatedByUserId"),
            _column("listIds", "JSON"),
            _column("suppressionListIds", "JSON"),
            _column("labels", "JSON"),
        ),
        page_size=1000,
    ),
    ObjectType(
        "templates",
        "Templates",
        "/api/templates",
        "templates",
        (
            _column("name"),
            _column("messageTypeId", "BIGINT"),
            _column("campaignId", "BIGINT"),
            _column("clientTemplateId"),
            _column("creatorUserId"),
            *_TIMES,
        ),
        page_size=1000,
        id_field="templateId",
        # unfiltered calls may answer a subset, and a row says neither its type nor its medium (api.md 5.5)
        passes=tuple(
            {"templateType": kind, "messageMedium": medium}
            for kind, medium in product(("Base", "Blast", "Triggered", "Workflow"), ("Email", "Push", "InApp", "SMS"))
        ),
        asked={"template_type": "templateType", "message_medium": "messageMedium"},
    ),
    ObjectType(
        "channels",
        "Channels",
        "/api/channels",
        "channels",
        (_column("name"), _column("channelType", description="Marketing or Transactional"), _column("messageMedium")),
    ),
    ObjectType(
        "message_types",
        "Message types",
        "/api/messageTypes",
        "messageTypes",
        (
            _column("name"),
            _column("channelId", "BIGINT"),
            _column("subscriptionPolicy", description="OptIn or OptOut"),
            _column("rateLimitPerMinute", "BIGINT"),
            _column("frequencyCap", "JSON"),
            *_TIMES,
        ),
    ),
    ObjectType(
        "journeys",
        "Journeys",
        "/api/journeys",
        "journeys",
        (
            _column("name"),
            _column("description"),
            _column("journeyType", description="free text: its values are not documented"),
            _column("enabled", "BOOLEAN"),
            _column("isArchived", "BOOLEAN"),
            _column("lifetimeLimit", "BIGINT"),
            _column("simultaneousLimit", "BIGINT"),
            _column("startTileId", "BIGINT"),
            _column("triggerEventNames", "JSON"),
            _column("creatorUserId"),
            *_TIMES,
        ),
        page_size=50,
        # the listing leaves the archived ones out, and asking for them leaves out the others (api.md 5.6)
        passes=({}, {"state": "Archived"}),
    ),
    ObjectType(
        "lists",
        "Lists",
        "/api/lists",
        "lists",
        (
            _column("name"),
            _column("listType", description="Standard, Dynamic, Suppression or Internal; free text"),
            _column("description"),
            _column("isGlobalSuppressionEnabled", "BOOLEAN"),
            _column("createdAt", "TIMESTAMP", "UTC"),
        ),
    ),
)

OBJECT_TYPE = {each.name: each for each in OBJECT_TYPES}
