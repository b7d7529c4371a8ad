"""What Iterable has now: every record into `scratch.shown` of one connection, through files, whatever their number."""

from collections.abc import Callable

from iterable_pipelines.activation.state import Workspace
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api import IterableError, Refused
from iterable_pipelines.api.paging import unwrapped
from iterable_pipelines.objects.declarations import OBJECT_TYPE
from iterable_pipelines.objects.fetch import fetch
from iterable_pipelines.objects.lines import Fetched
from iterable_pipelines.objects.questions import Question
from iterable_pipelines.objects.tables import fresh_sql
from iterable_pipelines.two_way.declaration import CatalogTwoWay, TemplateTwoWay, TwoWay
from iterable_pipelines.two_way.errors import TwoWayFailed, TwoWayRefused
from iterable_pipelines.two_way.template_members import LISTED_AS

Log = Callable[[str], None]


def read_remote(workspace: Workspace, two_way: TwoWay, client: Client, log: Log) -> dict[str, str]:
    """Fill `scratch.shown` (key, alias, modified, record); the answer is the SQL type of members that is known.

    record is NULL for what is there and could not be read. Raises IterableError; TwoWayFailed for a listing that is not
    whole, because what is not in it would count as deleted; TwoWayRefused for a catalog that is not there.
    """
    try:
        if isinstance(two_way, CatalogTwoWay):
            return _read_items(workspace, two_way, client, log)
        assert isinstance(two_way, TemplateTwoWay)
        return _read_templates(workspace, two_way, client, log)
    except Refused as refused:
        if refused.status == 404 and isinstance(two_way, CatalogTwoWay):
            raise TwoWayRefused(
                f"{two_way.name}: Iterable has no catalog {two_way.catalog}. Nothing was changed.\n"
                f"Next: make it in Iterable, or correct two_way/{two_way.name}.yml"
            ) from None
        raise


def _read_items(workspace: Workspace, two_way: CatalogTwoWay, client: Client, log: Log) -> dict[str, str]:
    kind, file = OBJECT_TYPE["catalog_items"], workspace.folder / "items.ndjson"
    _whole(two_way, fetch(client, kind, [Question({"catalog": two_way.catalog})], file))
    workspace.con.execute(
        "create or replace table scratch.shown as select item_id as key, null::text as alias, "
        f"last_modified as modified, coalesce(value, '{{}}') as record from ({fresh_sql(kind)})",
        [str(file)],
    )
    file.unlink()
    try:
        mapped = unwrapped(client.get(f"/api/catalogs/{two_way.catalog}/fieldMappings"), "definedMappings")
    except IterableError as error:
        log(f"{two_way.name}: types of fields are taken from the values: {error}")
        return {}
    found = mapped.get("definedMappings")
    return {str(name): str(kind) for name, kind in found.items()} if isinstance(found, dict) else {}


def _read_templates(workspace: Workspace, two_way: TemplateTwoWay, client: Client, log: Log) -> dict[str, str]:
    con, folder = workspace.con, workspace.folder
    listing, contents = OBJECT_TYPE["templates"], OBJECT_TYPE["template_contents"]
    listed = folder / "templates.ndjson"
    asked = [
        Question({"templateType": each, "messageMedium": LISTED_AS[two_way.medium], "sort": "id"})
        for each in two_way.types
    ]
    _whole(two_way, fetch(client, listing, asked, listed))
    con.execute(f"create or replace temp table listed as {fresh_sql(listing)}", [str(listed)])
    ids = [str(each) for (each,) in con.execute("select id from listed where id is not null order by id").fetchall()]
    read = folder / "contents.ndjson"
    # the content decides, whatever the times say (Y2): each is asked for
    fetched = fetch(client, contents, [Question({"medium": two_way.medium, "templateId": each}) for each in ids], read)
    if fetched.error:
        raise fetched.error
    for note in fetched.notes:
        log(f"{two_way.name}: {note}")
    con.execute(f"create or replace temp table contents as {fresh_sql(contents)}", [str(read)])
    con.execute(
        "create or replace table scratch.shown as select l.id::text as key, "
        "nullif(json_extract_string(c.record, '$.clientTemplateId'), '') as alias, l.updated_at as modified, "
        "c.record::json as record from listed l left join contents c on c.id = l.id where l.id is not null"
    )
    for name in ("listed", "contents"):
        con.execute(f"drop table {name}")
    listed.unlink()
    read.unlink()
    return {}


def _whole(two_way: TwoWay, fetched: Fetched) -> None:
    if not fetched.complete:
        raise TwoWayFailed(
            f"{two_way.name}: what Iterable listed is not whole: {'; '.join(fetched.notes)}. Nothing was changed: what "
            f"is not in it would count as deleted.\nNext: iterable-pipelines two-way run {two_way.name}"
        )


def members_shown(workspace: Workspace, two_way: TwoWay) -> dict[str, dict[str, bool]]:
    """Each member that Iterable shows: the types its values have in JSON, and whether all of them fit BIGINT."""
    if isinstance(two_way, TemplateTwoWay):
        return {}
    found = workspace.con.execute(
        "select name, kind, bool_and(kind not in ('BIGINT', 'UBIGINT') or try_cast(value as bigint) is not null) from ("
        "select m.key as name, m.type as kind, m.value::varchar as value from scratch.shown, json_each(record) m) "
        "group by name, kind order by name"
    ).fetchall()
    members: dict[str, dict[str, bool]] = {}
    for name, kind, fits in found:
        members.setdefault(name, {})[kind] = fits
    return members
