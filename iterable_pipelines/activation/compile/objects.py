"""Which compiler serves which object: one line each. Add one here."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from iterable_pipelines.activation.compile.actions import ActionCompiler
from iterable_pipelines.activation.compile.audience import AudienceCompiler
from iterable_pipelines.activation.compile.calls import CallsCompiler
from iterable_pipelines.activation.compile.campaigns import CampaignCompiler
from iterable_pipelines.activation.compile.catalogs import CatalogCompiler, WholeCatalogCompiler
from iterable_pipelines.activation.compile.compiler import Compiler
from iterable_pipelines.activation.compile.devices import DeviceCompiler
from iterable_pipelines.activation.compile.events import EventCompiler
from iterable_pipelines.activation.compile.in_app import InAppCompiler
from iterable_pipelines.activation.compile.list import ListCompiler
from iterable_pipelines.activation.compile.metadata import MetadataCompiler
from iterable_pipelines.activation.compile.purchases import CartCompiler, PurchaseCompiler
from iterable_pipelines.activation.compile.rows import RowCompiler, Settled, settle
from iterable_pipelines.activation.compile.snippets import SnippetCompiler
from iterable_pipelines.activation.compile.subscriptions import SubscriptionCompiler
from iterable_pipelines.activation.compile.templates import TemplateCompiler
from iterable_pipelines.activation.compile.users import UserCompiler
from iterable_pipelines.activation.compile.whole_lists import WholeListCompiler
from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.objects import OBJECTS
from iterable_pipelines.activation.project import ProjectType

_COMPILERS: dict[str, type[RowCompiler[Any]]] = {
    "user": UserCompiler,
    "trait": UserCompiler,
    "event": EventCompiler,
    "audience": AudienceCompiler,
    "list": ListCompiler,
    "purchase": PurchaseCompiler,
    "cart": CartCompiler,
    "device": DeviceCompiler,
    "subscription": SubscriptionCompiler,
    "user_action": ActionCompiler,
    "calls": CallsCompiler,
    "template": TemplateCompiler,
    "snippet": SnippetCompiler,
    "metadata": MetadataCompiler,
    "whole_list": WholeListCompiler,
    "campaign": CampaignCompiler,
    "in_app": InAppCompiler,
    "catalog": CatalogCompiler,
    "whole_catalog": WholeCatalogCompiler,
}


def compiler_of(
    sync: Sync,
    project_type: ProjectType,
    as_of: datetime,
    columns: Mapping[str, str],
    column_meta: Mapping[str, Mapping[str, Any]] | None = None,
) -> Compiler:
    """The compiler of one run.

    columns: name and DuckDB type of those of the source, in order. column_meta: what the dbt model says of a
    column under `meta.iterable`: field, ignore, type, unordered; it holds for "*". Raises ActivationRefused where the
    sync names a column that is not there.
    """
    return _COMPILERS[sync.object](settle(sync, project_type, as_of, columns, column_meta or {}))


def compiler_again(mapping: Mapping[str, Any], as_of: datetime) -> Compiler:
    """The compiler that a `mapping` was of: for rows that were sent under it (G10)."""
    said = mapping["sync"]
    sync = OBJECTS[said["object"]].model_validate(
        {"source": "", **({"first_run": "backfill"} if OBJECTS[said["object"]].is_history else {}), **said}
    )
    return _COMPILERS[sync.object](Settled(sync, mapping["project_type"], as_of))
