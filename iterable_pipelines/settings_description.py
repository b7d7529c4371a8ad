"""What docs/settings.md says of each setting, read off the model."""

from collections.abc import Collection
from typing import NamedTuple

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from iterable_pipelines.settings_sources import PREFIX


class Description(NamedTuple):
    """One row of the table in docs/settings.md. `yaml` is empty for what may not stand in `iterable.yml`."""

    env: str
    yaml: str
    default: str
    description: str


def described(model: type[BaseSettings], not_in_yaml: Collection[str]) -> list[Description]:
    """Every setting, in the order of the model."""
    return [
        Description(
            PREFIX + name.upper(), "" if name in not_in_yaml else name, _default_text(field), field.description or ""
        )
        for name, field in model.model_fields.items()
    ]


def _default_text(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "default" in extra:
        return str(extra["default"])
    if field.default is None:
        return "none"
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
