"""One-off writes: what is asked for becomes a sync with a state of its own, which plans, sends and reads back (4.3).

The state goes by what is written, so that the same command again goes on where it was stopped, and sends nothing twice.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from iterable_pipelines.activation import objects as syncs
from iterable_pipelines.activation.compile.loose_names import plain_name
from iterable_pipelines.activation.declaration import Sync
from iterable_pipelines.activation.errors import ActivationFailed
from iterable_pipelines.activation.one_off.as_it_is import as_it_is
from iterable_pipelines.activation.one_off.columns import Mapped, map_columns, read_map
from iterable_pipelines.activation.one_off.field_types import with_types
from iterable_pipelines.activation.one_off.kept import forget_finished
from iterable_pipelines.activation.one_off.objects import OBJECTS, Writable
from iterable_pipelines.activation.one_off.outcomes import OneOff, Outcomes, outcomes_of
from iterable_pipelines.activation.one_off.rows import LINE, Given, RowsFile, expand, fingerprint, gather
from iterable_pipelines.activation.options import Options
from iterable_pipelines.activation.plan import Plan, plan_sync
from iterable_pipelines.activation.project import Project
from iterable_pipelines.activation.records import canonical
from iterable_pipelines.activation.run import RunReport, resolve, run_sync
from iterable_pipelines.activation.send import Pace
from iterable_pipelines.activation.verify import Verified, verify_sync
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.landing.scratch import scratch_folder
from iterable_pipelines.settings import Settings, SettingsError
from iterable_pipelines.settings_values import did_you_mean

Log = Callable[[str], None]
_HELP = "iterable-pipelines write --help, or docs/write.md"


@dataclass(frozen=True)
class Asked:
    """What somebody wants written: object and operation in our words or Skyvia's, the rows, and `--map`."""

    object: str
    operation: str
    given: Given
    mapping: tuple[str, ...] = ()


@dataclass(frozen=True)
class Written:
    """What a one-off write did: the report of its run, and what became of its rows."""

    report: RunReport
    outcomes: Outcomes
    left_out: tuple[str, ...] = ()


def writable_named(name: str) -> Writable:
    """The object of that name, however it is spelled. Raises SettingsError, with the nearest."""
    known = {plain_name(each): each for each in OBJECTS}
    found = known.get(plain_name(name)) or known.get(f"{plain_name(name)}s")
    if found is None:
        near = did_you_mean(name, OBJECTS) or f"; there are {', '.join(OBJECTS)}"
        raise SettingsError(f"{name!r} can not be written{near}. Nothing was sent.\nNext: {_HELP}")
    return OBJECTS[found]


def plan_once(settings: Settings, asked: Asked, options: Options, log: Log = print) -> tuple[OneOff, Plan]:
    """What a write would do; nothing is sent, and nothing is kept."""
    with _prepared(settings, asked, log) as once, _in_its_words(once.sync.name):
        return once, plan_sync(settings, once.sync, replace(options, dry_run=True), log)


def write_once(
    settings: Settings,
    asked: Asked,
    options: Options,
    log: Log = print,
    clients: Callable[[], Client] | None = None,
    pace: Pace | None = None,
) -> Written:
    """Write it. What was written before by the same command is not written again. Raises as `run_sync`."""
    forget_finished(settings, log)
    with _prepared(settings, asked, log) as once, _in_its_words(once.sync.name):
        report = run_sync(settings, once.sync, options, log, clients, pace, unless=as_it_is)
        beside = asked.given.file.with_name(f"{asked.given.file.name}.errors.csv") if asked.given.file else None
        outcomes = outcomes_of(settings, once, report.run_id, beside, log)
        then = _in_words(report.then, once.sync.name)
        return Written(replace(report, then=then), outcomes, once.left_out)


def verify_once(
    settings: Settings, asked: Asked, log: Log = print, connect: Callable[[], Client] | None = None
) -> Verified:
    """Read back what the same command wrote."""
    with _prepared(settings, asked, log) as once, _in_its_words(once.sync.name):
        return verify_sync(settings, once.sync, True, log, connect)


def resolve_once(settings: Settings, asked: Asked, how: Literal["resend", "drop"], log: Log = print) -> int:
    """Settle what may have happened when the same command ran, and must not happen twice (S7). Nothing is sent."""
    with _prepared(settings, asked, log) as once, _in_its_words(once.sync.name):
        return resolve(settings, once.sync, how, log)


@contextmanager
def _prepared(settings: Settings, asked: Asked, log: Log) -> Iterator[OneOff]:
    """The rows in a scratch folder, and the sync that reads them there."""
    writable = writable_named(asked.object)
    operation = asked.operation.strip().lower()
    if operation not in writable.operations:
        allowed = ", ".join(writable.operations)
        raise SettingsError(
            f"{asked.object} can be written by {allowed}, not by {asked.operation!r}: Iterable has nothing else "
            f"for it. Nothing was sent.\nNext: {_HELP}"
        )
    mode = writable.operations[operation]  # type: ignore[index]
    given = read_map(asked.mapping)
    settings.landing_dir.mkdir(parents=True, exist_ok=True)
    with scratch_folder(settings.landing_dir, "once-") as folder:
        rows = folder / "rows.parquet"
        columns = gather(settings, asked.given, rows)
        mapped = map_columns(writable, columns, given, mode)
        if mapped.whole:
            rows = _expanded(rows, mapped)
        sync = _declared(settings, writable, mode, mapped, rows)
        if asked.given.file is not None and asked.given.file.suffix.lower() == ".csv":
            sync = with_types(settings, sync, columns, log)
        own = tuple(each for each in columns if each not in (asked.given.values or {}))
        yield OneOff(sync, own, tuple(mapped.left_out), rows)


def _expanded(rows: Path, mapped: Mapped) -> Path:
    to = rows.with_name("expanded.parquet")
    members = expand(rows, mapped.whole, to)
    mapped.fields |= {f"{mapped.whole}.{each}": {"to": each} for each in members}
    return to


def _declared(settings: Settings, writable: Writable, mode: str, mapped: Mapped, rows: Path) -> Sync:
    """The sync of a write, named by what it writes. Raises SettingsError for columns that do not make one."""
    model = syncs.OBJECTS[writable.object]
    said: dict[str, Any] = {"object": writable.object, "mode": mode, "primary_key": LINE, **mapped.settings}
    if mapped.fields:
        said["fields"] = mapped.fields
    if model.is_history:
        said |= {"first_run": "backfill", "allow_missing_created_at": "created_at" not in said}
    # good rows go through even if some fail (4.3)
    said |= {"frequency": "manual", "max_failure_ratio": 1.0}
    if writable.object == "template" and mode != "update":
        said.pop("template_id", None)
    try:
        sync = model.model_validate({"name": "once", "source": RowsFile.at(rows), **said})
    except ValidationError as error:
        told = "; ".join(_told(each, writable) for each in error.errors(include_input=False, include_url=False))
        raise SettingsError(
            f"{writable.object}: {told}. Nothing was sent.\nNext: name the columns so, or say with --map Col=Field "
            "which is which"
        ) from None
    project = Project.of(settings, sync)
    print_of = canonical([said, fingerprint(rows), project.fingerprint])
    return sync.model_copy(update={"name": f"once-{sha256(print_of.encode()).hexdigest()[:12]}"})


def _told(error: Any, writable: Writable) -> str:
    place = str(error["loc"][0]) if error["loc"] else ""
    names = writable.settings.get(place)
    if error["type"] == "missing" and names:
        return f"there is no column {names[0]}"
    text = str(error["msg"]).removeprefix("Value error, ")
    for setting, (name, *_) in writable.settings.items():
        # a file of a sync names its columns so; here they go by their own names
        text = text.replace(f"`{setting}`", f"`{name}`")
    return f"{place}: {text}" if place else text


@contextmanager
def _in_its_words(name: str) -> Iterator[None]:
    """Errors of syncs name commands for a file in syncs/: here it is the same command that comes next."""
    try:
        yield
    except ActivationFailed as error:
        raise type(error)(_in_words(str(error), name)) from None


def _in_words(text: str, name: str) -> str:
    text = re.sub(rf"iterable-pipelines sync resolve {name} (\w+)", r"the same command with --resolve \1", text)
    text = text.replace("or … drop", "or --resolve drop").replace("… resend", "--resolve resend")
    text = re.sub(
        rf"iterable-pipelines sync plan {name} shows it; if it is meant, iterable-pipelines sync run {name} ",
        "if it is meant, the same command with ",
        text,
    )
    text = re.sub(rf"iterable-pipelines sync \w+ {name}", "the same command", text)
    return text.replace(f"syncs/{name}.yml", "the columns").replace(f"{name}: ", "")
