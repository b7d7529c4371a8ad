"""`move-landing`: every landed file and the manifest to another folder, bucket or database; and back the same way."""

from typing import Annotated

import typer
from pydantic import SecretStr

from iterable_pipelines.cli.console import CannotGoOn, say
from iterable_pipelines.landing.move import copy_landing
from iterable_pipelines.landing.move_tables import MoveFailed
from iterable_pipelines.settings import Settings, load_settings
from iterable_pipelines.settings_places import absolute, landing, landing_options, postgres
from iterable_pipelines.variables import variable

_FILES = "files"
# what a variable may hold
_URL = "postgresql://user:password@host:5432/database"
_OPTIONS = '{"endpoint_url": "https://minio.example.com"}'


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
    options: Annotated[
        str,
        typer.Option(
            help="The name of a variable that holds the ITERABLE_LANDING_OPTIONS of the new place, {} for none. "
            "Default: those of the old place."
        ),
    ] = "",
) -> None:
    """Copy landing elsewhere and compare every byte. Stop imports and the receiver of webhooks first.

    What lies at the old place stays there, unchanged.
    """
    source = load_settings()
    target, lines = _target(source, to, tables, options)
    if not lines:
        raise CannotGoOn("None of --to, --tables and --options says anything new. Nothing was changed.")
    try:
        copied = copy_landing(source, target, say)
    except MoveFailed as failed:
        raise CannotGoOn(str(failed)) from None
    say(
        f"Copied and compared: {copied.files:,} files of {copied.bytes:,} bytes, and {copied.rows:,} rows of tables.\n"
        f"Nothing at {source.landing_root} was changed; it may go once the new place has proved itself.\n"
        f"Next: write into .env, on every machine:\n{lines}\nthen iterable-pipelines check"
    )


def _target(source: Settings, to: str, tables: str, options: str) -> tuple[Settings, str]:
    """The settings as they will be, and the lines of .env that make them so."""
    changed: dict[str, object] = {}
    lines = []
    try:
        if to:
            changed["landing"] = absolute(landing(to), source.project_root)
            lines.append(f"  ITERABLE_LANDING={changed['landing']}")
        if options:
            changed["landing_options"] = SecretStr(landing_options(_held(options, source, _OPTIONS)))
            lines.append(f"  ITERABLE_LANDING_OPTIONS=(what {options} holds)")
        if tables == _FILES:
            changed["postgres"] = None
            lines.append("  ITERABLE_POSTGRES=")
        elif tables:
            changed["postgres"] = SecretStr(postgres(_held(tables, source, _URL)))
            lines.append(f"  ITERABLE_POSTGRES=(what {tables} holds)")
    except ValueError as wrong:
        raise CannotGoOn(f"{wrong}. Nothing was changed.") from None
    target = source.model_copy(update=changed)
    places = [(each.landing_root, each.landing_options, each.postgres) for each in (source, target)]
    return target, "" if places[0] == places[1] else "\n".join(lines)


def _held(name: str, source: Settings, example: str) -> str:
    held = variable(name, source.project_root)
    if held is None:
        raise CannotGoOn(
            f"{name} is not set. Nothing was changed.\nNext: write {name}={example} into the environment or .env"
        )
    return held
