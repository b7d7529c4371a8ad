"""Variables that files of the user's name instead of a secret: the URL of a database, the key of another project."""

import os
from pathlib import Path

from dotenv import dotenv_values

from iterable_pipelines.settings import SettingsError
from iterable_pipelines.settings_sources import DOTENV


def variable(name: str, root: Path) -> str | None:
    """What the environment, or else `.env` in `root`, holds under that name; None for nothing.

    Raises SettingsError for a file that cannot be read.
    """
    try:
        # with or without the mark that some editors put first
        value = os.environ.get(name) or dotenv_values(root / DOTENV, encoding="utf-8-sig").get(name)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{root / DOTENV} cannot be read ({type(error).__name__}). Nothing was changed") from None
    return (value or "").strip() or None
