"""Everything that Iterable holds beside people and events, as it is now and has been.

The face is `objects.refresh.refresh_object`; it is not imported here because the warehouse needs the tables first.
"""

from iterable_pipelines.objects.declarations import OBJECT_TYPE, OBJECT_TYPES
from iterable_pipelines.objects.object_type import ObjectType
from iterable_pipelines.objects.tables import create_statements

__all__ = ["OBJECT_TYPE", "OBJECT_TYPES", "ObjectType", "create_statements"]
