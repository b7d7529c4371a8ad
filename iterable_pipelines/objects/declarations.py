"""Every object that is imported, one declaration each. Add an object here, and nowhere else."""

from itertools import product

from iterable_pipelines.api.metrics import WITHOUT_FIGURES
from iterable_pipelines.objects.object_type import Column, Listing, Metrics, ObjectType, OneByOne


def _column(field_name: str, kind: str = "VARCHAR", description: str = "", name: str = "") -> Column:
    snake = "".join("_" + letter.lower() if letter.isupper() else letter for letter in field_name)
    return Column(name or snake, kind, field_name, description)


def _asked(name: str, parameter: str, kind: str = "VARCHAR") -> Column:
    return Column(name, kind, parameter, f"as asked for: the answer does not say its {name}", asked=True)


def _id(field_name: str = "id") -> Column:
    return Column("id", "BIGINT", field_name, f"Iterable's {field_name}")


_TIMES = (_column("createdAt", "TIMESTAMP", "UTC"), _column("updatedAt", "TIMESTAMP", "UTC"))

# running and triggered campaigns always; ended ones for 15 days, and once after that; those not sent yet never
_MEASURED = f"""
    with sent as (
        select id, campaign_state = 'Running' or (type = 'Triggered' and campaign_state <> 'Archived') as goes_on,
            coalesce(greatest(start_at, ended_at), updated_at, created_at) + interval 15 days as settled,
            now() at time zone 'UTC' as moment, message_medium
        from objects.campaigns
        where _gone_at is null and coalesce(campaign_state, '') not in {WITHOUT_FIGURES}
    )
    select id as "campaignId", case when goes_on or settled > moment then moment else settled end as version from sent
"""
# their names ignore case; the ids of items and the keys of values do not (api.md 5.8, 5.9)
_CATALOGS = "select distinct lower(name) as catalog from objects.catalogs where _gone_at is null"
_TABLES = 'select distinct lower(name) as "table" from objects.metadata_tables where _gone_at is null'
_METRIC = (
    _column("metric", description="as Iterable heads it"),
    _column("value", "DOUBLE"),
    _column("value", description="the value as it came, for those that are no numbers", name="text"),
)

OBJECT_TYPES = (
    ObjectType(
        "campaigns",
        "Campaigns",
        # sorted by anything else, rows would move while the pages are read
        Listing("/api/campaigns", "campaigns", "pages", 1000, ({"sort": "id"},)),
        (
            _id(),
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
        history="campaign_history",
    ),
    ObjectType(
        "templates",
        "Templates",
        Listing(
            "/api/templates",
            "templates",
            "pages",
            1000,
            # unfiltered calls may answer a subset, and a row says neither its type nor its medium (api.md 5.5)
            tuple(
                {"templateType": kind, "messageMedium": medium, "sort": "id"}
                for kind, medium in product(
                    ("Base", "Blast", "Triggered", "Workflow"), ("Email", "Push", "InApp", "SMS")
                )
            ),
        ),
        (
            _id("templateId"),
            _column("name"),
            _column("messageTypeId", "BIGINT"),
            _column("campaignId", "BIGINT"),
            _column("clientTemplateId"),
            _column("creatorUserId"),
            *_TIMES,
            _asked("template_type", "templateType"),
            _asked("message_medium", "messageMedium"),
        ),
        history="template_history",
    ),
    ObjectType(
        "channels",
        "Channels",
        Listing("/api/channels", "channels"),
        (
            _id(),
            _column("name"),
            _column("channelType", description="Marketing or Transactional"),
            _column("messageMedium"),
        ),
    ),
    ObjectType(
        "message_types",
        "Message types",
        Listing("/api/messageTypes", "messageTypes"),
        (
            _id(),
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
        Listing(
            "/api/journeys",
            "journeys",
            "pages",
            50,
            # the listing leaves the archived ones out, and asking for them leaves out the others (api.md 5.6); the
            # third time is for one that comes out of the archive between the first two
            ({"sort": "id"}, {"sort": "id", "state": "Archived"}, {"sort": "id"}),
        ),
        (
            _id(),
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
        history="journey_history",
    ),
    ObjectType(
        "lists",
        "Lists",
        Listing("/api/lists", "lists"),
        (
            _id(),
            _column("name"),
            _column("listType", description="Standard, Dynamic, Suppression or Internal; free text"),
            _column("description"),
            _column("isGlobalSuppressionEnabled", "BOOLEAN"),
            _column("createdAt", "TIMESTAMP", "UTC"),
        ),
    ),
    ObjectType(
        "snippets",
        "Snippets",
        Listing("/api/snippets", "snippets"),
        (
            _id(),
            _column("name"),
            _column("description"),
            _column("content"),
            _column("variables", "JSON"),
            *_TIMES,
            _column("createdBy"),
            _column("updatedBy"),
        ),
    ),
    ObjectType(
        "webhooks",
        "Webhooks",
        Listing("/api/webhooks", "webhooks"),
        (
            _id(),
            _column("endpoint"),
            _column("enabled", "BOOLEAN"),
            _column("authType"),
            _column("blastSendEnabled", "BOOLEAN"),
            _column("triggeredSendEnabled", "BOOLEAN"),
            _column("channelIds", "JSON"),
            _column("messageTypeIds", "JSON"),
        ),
    ),
    ObjectType(
        "user_fields",
        "User fields",
        Listing("/api/users/getFields", "fields"),
        (
            _column("name", description="nested fields with dots"),
            _column("type", description="string, long, double, boolean, date, object …; free text"),
        ),
        key=("name",),
    ),
    # of these two, one answers with an error: which one depends on what identifies a user in the project
    *(
        ObjectType(
            f"forgotten_{whose}",
            f"Forgotten {whose.replace('_', ' ')}",
            Listing(f"/api/users/{path}", array),
            (_column("name", description="SHA-256 in hexadecimal of the trimmed lower-case value", name="hash"),),
            key=("hash",),
            every="day",
            absent=frozenset({400, 401, 403, 404}),
        )
        for whose, path, array in (
            ("emails", "forgotten", "hashedEmails"),
            ("user_ids", "forgottenUserIds", "hashedUserIds"),
        )
    ),
    ObjectType(
        "catalogs",
        "Catalogs",
        Listing("/api/catalogs", "catalogNames", "pages", 100),
        (_column("name"),),
        key=("name",),
        every="day",
    ),
    ObjectType(
        "catalog_fields",
        "Types of the fields of each catalog",
        Listing("/api/catalogs/{catalog}/fieldMappings", parents=_CATALOGS),
        (_asked("catalog", "catalog"), _column("definedMappings", "JSON"), _column("undefinedFields", "JSON")),
        key=("catalog",),
        every="day",
    ),
    ObjectType(
        "catalog_items",
        "Items of each catalog",
        Listing("/api/catalogs/{catalog}/items", "catalogItemsWithProperties", "pages", 1000, parents=_CATALOGS),
        (
            _asked("catalog", "catalog"),
            _column("itemId"),
            _column("lastModified", "TIMESTAMP", "UTC"),
            _column("size", "BIGINT"),
            _column("value", "JSON", "the item itself"),
        ),
        key=("catalog", "item_id"),
        every="day",
    ),
    ObjectType(
        "metadata_tables",
        "Metadata tables",
        Listing("/api/metadata", "results"),
        (_column("name"),),
        key=("name",),
        every="day",
    ),
    ObjectType(
        "metadata_keys",
        "Keys of each metadata table",
        Listing("/api/metadata/{table}", "results", "marker", parents=_TABLES),
        (
            _asked("table_name", "table"),
            _column("key"),
            _column("size", "BIGINT"),
            _column("lastModified", "TIMESTAMP", "UTC"),
        ),
        key=("table_name", "key"),
        every="day",
    ),
    ObjectType(
        "metadata_values",
        "Values of each metadata table",
        OneByOne(
            "/api/metadata/{table}/{key}",
            parents="""
                select table_name as "table", key, coalesce(record ->> 'lastModified', '') || ' ' || coalesce(size, 0)
                as version from objects.metadata_keys where _gone_at is null
            """,
            gone="(table_name, key) in (select (table_name, key) from objects.metadata_keys "
            "where _gone_at is not null)",
        ),
        (_asked("table_name", "table"), _asked("key", "key"), _column("value", "JSON")),
        key=("table_name", "key"),
        every="day",
    ),
    ObjectType(
        "template_contents",
        "Contents of every template",
        OneByOne(
            "/api/templates/{medium}/get",
            # templates of other media than the listing's four are named by campaigns only (api.md 5.5)
            parents="""
                with named as (
                    select id, message_medium, updated_at from objects.templates where _gone_at is null
                    union all
                    select template_id, any_value(message_medium), max(updated_at) from objects.campaigns
                    where _gone_at is null and template_id is not null
                    and template_id not in (select id from objects.templates)
                    group by template_id
                )
                select lower(message_medium) as medium, id as "templateId", coalesce(updated_at, epoch_ms(0)) as version
                from named where medium in ('email', 'push', 'sms', 'inapp', 'embedded')
            """,
            gone="id in (select id from objects.templates where _gone_at is not null)",
        ),
        (
            _id("templateId"),
            _asked("medium", "medium"),
            _column("name"),
            _column("messageTypeId", "BIGINT"),
            _column("clientTemplateId"),
            _column("locale"),
            _column("isDefaultLocale", "BOOLEAN"),
            _column("subject", description="email"),
            _column("preheaderText", description="email"),
            _column("fromName", description="email"),
            _column("fromEmail", description="email"),
            _column("html", description="email and in-app"),
            _column("plainText", description="email"),
            _column("title", description="push and embedded"),
            _column("message", description="push and SMS"),
            _column("body", description="embedded"),
            _column("payload", "JSON"),
        ),
        history="template_content_history",
        every="day",
    ),
    ObjectType(
        "campaign_metrics",
        "Metrics of each campaign",
        Metrics("/api/campaigns/metrics", _MEASURED),
        (_column("campaignId", "BIGINT"), *_METRIC),
        key=("campaign_id", "metric"),
        history="campaign_metric_history",
        every="day",
    ),
    ObjectType(
        "experiments",
        "Experiments",
        Listing("/api/experiments", "experiments", "offset", 100),
        (
            _id(),
            _column("name"),
            _column("status", description="draft, ready, running, finished, winner_found; free text"),
            _column("channelType"),
            _column("author"),
            _column("startDate", "TIMESTAMP", "UTC"),
            _column("finishDate", "TIMESTAMP", "UTC"),
        ),
        history="experiment_history",
        every="day",
    ),
    ObjectType(
        "experiment_metrics",
        "Metrics of each experiment",
        # by campaign, because the listing of experiments is not offered everywhere; of email only (api.md 5.7)
        Metrics("/api/experiments/metrics", f"{_MEASURED} where message_medium = 'Email'", inclusive_end=True),
        (
            _column("experimentId", "BIGINT"),
            _column("variant", description="template and name of the variant"),
            _column("campaignId", "BIGINT"),
            _column("templateId", "BIGINT"),
            *_METRIC,
        ),
        key=("experiment_id", "variant", "metric"),
        every="day",
    ),
)

OBJECT_TYPE = {each.name: each for each in OBJECT_TYPES}
