"""The asset `objects/list_members`, which takes one turn, and the check that says which lists are behind."""

import dagster as dg

from iterable_pipelines.data_types import USERS
from iterable_pipelines.failures import explained
from iterable_pipelines.hours import now
from iterable_pipelines.objects.list_members.read import PATIENCE
from iterable_pipelines.objects.list_members.staleness import as_markdown, oldest_minutes, spelled_trouble, too_old
from iterable_pipelines.objects.list_members.tables import load_lists
from iterable_pipelines.objects.list_members.turn import take_turn
from iterable_pipelines.resources import IterableResource, open_project
from iterable_pipelines.settings import Settings

_KEY = ["objects", "list_members"]


def list_member_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """One unpartitioned asset, after the users if they are imported."""
    users = [] if settings.skip_users else [["streams", USERS]]

    @dg.asset(
        key=_KEY,
        deps=[["objects", "lists"], ["objects", "campaigns"], *users],
        group_name="objects",
        kinds={"iterable", "duckdb"},
        owners=["team:data"],
        metadata={"dagster/table_name": "iterable.objects.list_members"},
        description=(
            "Who is, and was, on which list: an interval each time somebody joins. Static lists follow the user "
            "records. The others are asked for, five a minute: those in live campaigns within the hour, then the "
            "stalest. A list that is not complete, or in trouble, keeps its members, and says so."
        ),
    )
    def read(context: dg.AssetExecutionContext, iterable: IterableResource) -> dg.MaterializeResult[None]:
        with explained(context):
            project, _, warehouse = open_project(context.log.info)
            warehouse.prepare()
            turn = take_turn(
                lambda: iterable.client(context.log.info, patience=PATIENCE), warehouse, project, context.log.info
            )
        lists, moment = list(turn.lists.values()), now()
        return dg.MaterializeResult(
            metadata={
                "lists": len(lists),
                "members": sum(each.state.members for each in lists),
                "joined": turn.joined,
                "left": turn.departed,
                "lists_read": turn.read,
                "lists_in_trouble": sum(bool(each.state.trouble) for each in lists),
                "oldest_minutes": oldest_minutes(lists, moment),
                "staleness": dg.MetadataValue.md(as_markdown(lists, moment)),
            }
        )

    return [read]


def list_member_checks() -> list[dg.AssetChecksDefinition]:
    """One check; it warns, because what is stored is right, and only old."""

    @dg.asset_check(
        asset=_KEY,
        name="lists_are_fresh",
        description="Lists in live campaigns were read within the hour, and no list is in trouble.",
    )
    def lists_are_fresh(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        project, _, warehouse = open_project(context.log.info)
        warehouse.prepare()
        moment = now()
        with warehouse.transaction() as con:
            lists = load_lists(con, project, moment)
        old, in_trouble = too_old(lists, moment), [each for each in lists if each.state.trouble]
        said = []
        if old:
            said.append(f"{len(old)} lists in live campaigns are more than an hour old, the first: {old[0].id}")
        if in_trouble:
            first = in_trouble[0]
            said.append(f"{len(in_trouble)} lists are in trouble, the first: {first.id}, {spelled_trouble(first)}")
        text = f"{'; '.join(said)}. Next: iterable-pipelines lists" if said else f"{len(lists)} lists are well"
        return dg.AssetCheckResult(
            passed=not said,
            severity=dg.AssetCheckSeverity.WARN,
            description=text,
            metadata={"too_old": len(old), "in_trouble": len(in_trouble)},
        )

    return [lists_are_fresh]
