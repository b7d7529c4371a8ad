"""One-off exports: records of Iterable's on disk as NDJSON, by one request or by an export job that is waited for."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Literal

from tenacity import RetryCallState, Retrying, retry_if_result, wait_exponential

from iterable_pipelines.api import Broken, Iterable, IterableError, JobPage, Truncated
from iterable_pipelines.api.selection import Selection

Door = Literal["auto", "export", "job"]

# longer spans break off often when they are asked for by one request (api.md 3.7)
_LONGEST_EXPORT = timedelta(hours=48)
_ENDED = ("failed", "cancelling", "cancelled")
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0

Said = Callable[[str], None]


def door_for(asked: Selection, door: Door) -> Door:
    """The door that is meant: for `auto`, one request up to 48 hours, else a job."""
    if door != "auto":
        return door
    return "export" if asked.window.end - asked.window.start <= _LONGEST_EXPORT else "job"


def fetch_records(client: Iterable, asked: Selection, door: Door, folder: Path, said: Said) -> list[Path]:
    """Fetch what is asked for into `folder`, which is empty, as one file of NDJSON or several.

    Raises what the client does, and what `wait_for_job` does.
    """
    rest = asked.only_fields, asked.omit_fields, asked.campaign_id
    if door_for(asked, door) == "export":
        said(f"export of {asked}")
        return [client.export_events(asked.data_type, asked.window, folder / "export.ndjson", *rest).path]
    job_id = client.start_export(asked.data_type, asked.window, *rest)
    wait_for_job(client, job_id, said)
    said(f"export job {job_id}: fetching its files")
    return client.fetch_job(job_id, folder / "job").paths


def wait_for_job(client: Iterable, job_id: int, said: Said) -> None:
    """Ask for the job's state, at first after 1 s and in the end every 30 s, until it is completed.

    A job that is not waited for any more, after an error or Ctrl-C, is cancelled, because it would keep one of the four
    places; a note on the exception says so. Raises Truncated or Broken if the job did not bring everything.
    """

    def say(state: RetryCallState) -> None:
        if state.outcome:
            said(f"export job {job_id}: {state.outcome.result().state}")

    polling = Retrying(
        retry=retry_if_result(_is_going),
        wait=wait_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE),
        before_sleep=say,
    )
    said(f"export job {job_id}: started")
    try:
        page: JobPage = polling(client.export_page, job_id)
    except (IterableError, KeyboardInterrupt) as reason:
        reason.add_note(_called_off(client, job_id))
        raise
    if page.truncated:
        raise Truncated(f"export job {job_id} was truncated by Iterable at 100 GB: ask for a shorter span")
    if page.state in _ENDED:
        raise Broken(f"export job {job_id} is {page.state}: Iterable gave it up, or somebody cancelled it")


def _is_going(page: JobPage) -> bool:
    return not page.truncated and page.state not in ("completed", *_ENDED)


def _called_off(client: Iterable, job_id: int) -> str:
    try:
        client.cancel_export(job_id)
    except IterableError as error:
        return f"Export job {job_id} could not be cancelled, and goes on at Iterable: {error}"
    return f"Export job {job_id} was cancelled at Iterable."
