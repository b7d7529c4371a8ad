"""Campaigns, templates, channels, message types, journeys and lists, as Iterable shows them now and has shown them.

The face is `objects.refresh.refresh_object`; it is not imported here because the warehouse needs the tables first.
"""

from iterable_pipelines.objects.declarations import OBJECT_TYPE, OBJECT_TYPES, ObjectType
from iterable_pipelines.objects.tables import create_statements

__all__ = ["OBJECT_TYPE", "OBJECT_TYPES", "ObjectType", "create_statements"]
