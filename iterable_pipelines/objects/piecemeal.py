"""What is asked for piece by piece, each when it is due: a piece that fails holds up no other."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from iterable_pipelines.api import Broken, IterableError, Refused
from iterable_pipelines.api import Iterable as Client
from iterable_pipelines.api.metrics import AT_ONCE, BEGINNING, cell, plain, read_metrics
from iterable_pipelines.api.paging import unwrapped
from iterable_pipelines.hours import now
from iterable_pipelines.objects.lines import Fetched, Lines
from iterable_pipelines.objects.object_type import Metrics, OneByOne
from iterable_pipelines.objects.questions import Question

_FAILURES_IN_A_ROW = 3
_IDENTITY = {"id": "campaignId", "campaignid": "campaignId", "experimentid": "experimentId", "templateid": "templateId"}
_Answer = tuple[list[Question], str, list[dict[str, Any]]]


def fetch_piecemeal(client: Client, read: OneByOne | Metrics, questions: Sequence[Question], to: Path) -> Fetched:
    """Write what came to `to`, and a line for each question: what it was answered with, or why it was not.

    What Iterable refuses is noted and not asked for again until it changes. After a failure the others go on, unless
    several fail in a row; `error` is the first. A request for several campaigns of which each is refused is a failure,
    too. Raises Refused if none of it may be asked for at all.
    """
    fetched, lines = Fetched(complete=False), Lines()
    refusals: list[str] = []
    failures = 0
    size = AT_ONCE if isinstance(read, Metrics) else 1
    with to.open("w", encoding="utf-8", errors="replace") as file:
        for at in range(0, len(questions), size):
            batch = list(questions[at : at + size])
            try:
                for answered, refusal, records in _answers(client, read, batch):
                    fetched.requests += 1
                    for record in records:
                        lines.add_record(file, answered[0], record)
                    for question in answered:
                        lines.add_question(file, question, refusal, question.version)
                    refusals += [refusal] if refusal else []
                failures = 0
            except IterableError as error:
                if isinstance(error, Refused) and not fetched.requests:
                    raise
                fetched.error, failures = fetched.error or error, failures + 1
                if not isinstance(error, Broken):
                    break
                for question in batch:
                    lines.add_question(file, question, type(error).__name__, None)
                if failures == _FAILURES_IN_A_ROW:
                    break
    if refusals:
        # which they are may name a person, so it is told in the warehouse only
        fetched.notes.append(f"{len(refusals):,} refused, the first with {refusals[0]}: objects.asked says which")
    return fetched


def _answers(client: Client, read: OneByOne | Metrics, batch: list[Question]) -> Iterator[_Answer]:
    if isinstance(read, OneByOne):
        path, query = batch[0].at(read.endpoint)
        try:
            yield batch, "", [unwrapped(client.get(path, query), "")]
        except Refused as refused:
            if refused.status in (401, 403):
                raise
            said = f"HTTP {refused.status} {refused.code or ''}".rstrip()
            yield batch, said if refused.status else "a name that no address can hold", []
        return
    asked = {int(each.asked["campaignId"]): each for each in batch}
    answers = list(read_metrics(client, list(asked), BEGINNING, now(), read.endpoint, read.inclusive_end))
    if len(batch) > 1 and all(each.refusal for each in answers):
        # that all of them are gone is not likely: they are due again, behind the others
        raise Broken(f"GET {read.endpoint}: each of {len(batch)} campaigns was refused, {answers[0].refusal}")
    for found in answers:
        yield [asked[each] for each in found.campaigns], found.refusal, list(_figures(found.rows))


def _figures(rows: Sequence[dict[str, str]]) -> Iterator[dict[str, str]]:
    """A record for each cell: metric, value, and the ids that the row names; of experiments also the variant."""
    variants: Counter[tuple[str, str]] = Counter()
    for row in rows:
        ids = {_IDENTITY[plain(name)]: value for name, value in row.items() if plain(name) in _IDENTITY}
        # in rows of experiments `id` is not the campaign's
        if campaign := cell(row, "campaignid"):
            ids["campaignId"] = campaign
        if "experimentId" in ids:
            variant = " ".join(filter(None, (ids.get("templateId"), cell(row, "name"))))
            variants[ids["experimentId"], variant] += 1
            nth = variants[ids["experimentId"], variant]
            ids["variant"] = variant if nth == 1 else f"{variant} #{nth}"
        for name, value in row.items():
            if plain(name) not in _IDENTITY:
                yield ids | {"metric": name, "value": value}
