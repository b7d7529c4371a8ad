"""`move-landing`: every landed file and the manifest to another folder, bucket or database; and back the same way."""

from typing import Annotated

import typer
from pydantic import SecretStr

from iterable_pipelines.cli.console import CannotGoOn, say
from iterable_pipelines.landing.move import copy_landing
from iterable_pipelines.landing.move_tables import MoveFailed
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.settings_places import absolute, landing, postgres
from iterable_pipelines.variables import variable

_FILES = "files"


def move_landing(
    to: Annotated[
        str, typer.Option(help="A folder, or a URL such as s3://bucket/folder. Default: where they lie now.")
    ] = "",
    tables: Annotated[
        str,
        typer.Option(
            help="Where manifest, ledger and tombstones go: the name of a variable that holds a postgresql:// URL, or "
            "`files` for SQLite files. Default: they stay with what ITERABLE_POSTGRES says."
        ),
    ] = "",
) -> None:
    """Copy landing elsewhere and compare every byte. Stop imports and the receiver of webhooks first.

    What lies at the old place stays there, unchanged.
    """
    source = load_settings()
    target, lines = _target(source, to, tables)
    if not lines:
        raise CannotGoOn("Neither --to nor --tables says anything new. Nothing was changed.")
    try:
        copied = copy_landing(source, target, say)
    except MoveFailed as failed:
        raise CannotGoOn(str(failed)) from None
    say(
        f"Copied and compared: {copied.files:,} files of {copied.bytes:,} bytes, and {copied.rows:,} rows of tables.\n"
        f"Nothing at {source.landing_root} was changed; it may go once the new place has proved itself.\n"
        f"Next: write into .env, on every machine:\n{lines}\nthen iterable-pipelines check"
    )


def _target(source: Settings, to: str, tables: str) -> tuple[Settings, str]:
    """The settings as they will be, and the lines of .env that make them so."""
    changed: dict[str, object] = {}
    lines = []
    try:
        if to:
            changed["landing"] = absolute(landing(to), source.project_root)
            lines.append(f"  ITERABLE_LANDING={changed['landing']}")
        if tables == _FILES:
            changed["postgres"] = None
            lines.append("  ITERABLE_POSTGRES=")
        elif tables:
            changed["postgres"] = SecretStr(postgres(_url(tables, source)))
            lines.append(f"  ITERABLE_POSTGRES=(what {tables} holds)")
    except ValueError as wrong:
        raise CannotGoOn(f"{wrong}. Nothing was changed.") from None
    target = source.model_copy(update=changed)
    same = (target.landing_root, target.postgres) == (source.landing_root, source.postgres)
    return target, "" if same else "\n".join(lines)


def _url(name: str, source: Settings) -> str:
    url = variable(name, source.project_root)
    if url is None:
        raise CannotGoOn(
            f"{name} is not set. Nothing was changed.\n"
            f"Next: write {name}=postgresql://user:password@host:5432/database into the environment or .env"
        )
    return url
