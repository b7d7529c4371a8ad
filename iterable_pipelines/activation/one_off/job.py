"""The job `write_once`: what the command `write` does, with the same words in the launchpad. A dry run by default."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from iterable_pipelines.activation.one_off.objects import OBJECTS
from iterable_pipelines.activation.one_off.rows import Given
from iterable_pipelines.activation.one_off.write import Asked, plan_once, write_once
from iterable_pipelines.activation.options import APPROVALS, options_of
from iterable_pipelines.activation.report_metadata import plan_metadata, summary
from iterable_pipelines.failures import explained, failure_for_good
from iterable_pipelines.settings import load_settings

JOB, OP = "write_once", "write_rows"
_MOST_SECONDS = 4 * 3600


class WriteConfig(dg.Config):
    """What to write. Dagster keeps what stands here: rows of persons come from a file or a query, never from here."""

    write: str = Field(description=f"The object: {', '.join(OBJECTS)}.")
    operation: str = Field(description="insert, update, upsert or delete, as the object allows.")
    file: str | None = Field(None, description="The path of a .csv, .json, .ndjson or .parquet file with the rows.")
    sql: str | None = Field(None, description="Instead: a query over the copy for readers.")
    catalog: str | None = Field(None, description="Catalog items: the catalog, where no column says it.")
    columns: dict[str, str] = Field({}, description="What a column is: Col: Field, or Field:long; empty drops it.")
    delimiter: str = Field(",", description="Between the cells of a CSV file.")
    keep_empty: bool = Field(False, description="Empty cells are empty texts, not NULL.")
    approve: list[str] = Field([], description=f"Guards that may let this pass: {', '.join(APPROVALS)}.")
    dry_run: bool = Field(True, description="Say what would be sent, in the run's log; send nothing.")

    def asked(self) -> Asked:
        """The same, as it is asked for."""
        values = {"catalogName": self.catalog} if self.catalog is not None else {}
        given = Given(Path(self.file) if self.file else None, self.sql, values, self.delimiter, self.keep_empty)
        return Asked(self.write, self.operation, given, tuple(f"{name}={to}" for name, to in self.columns.items()))


@dg.op(name=OP)
def write_rows(context: dg.OpExecutionContext, config: WriteConfig) -> None:
    """Rows of a file or a query into Iterable, once."""
    with explained(context):
        project, asked = load_settings(), config.asked()
        options = options_of(config.dry_run, config.approve, [], None, None, context.run.run_id)
        if config.dry_run:
            once, plan = plan_once(project, asked, options, context.log.info)
            context.log_event(dg.AssetObservation(dg.AssetKey(["activation", JOB]), metadata=plan_metadata(plan)))
            would = f"{plan.sends:,} records would go in {plan.costs.requests:,} requests"
            context.log.info(
                f"a dry run: {would}; not written: {', '.join(once.left_out) or 'nothing'}; nothing was sent"
            )
            return
        written = write_once(project, asked, options, context.log.info)
    report, found = written.report, written.outcomes
    context.log.info(summary(report))
    if found.errors is not None:
        context.log.warning(f"{found.failed:,} rows failed: {found.errors} has them, with line, code and message")
    if report.status == "failed":
        raise failure_for_good(context, f"{report.note}\nNext: {report.then}")


@dg.job(
    name=JOB,
    # whoever asks for it again decides that anew
    tags={"dagster/max_runtime": str(_MOST_SECONDS), "dagster/max_retries": "0"},
    description="Rows of a file or a query into Iterable, once: see docs/write.md. A dry run unless `dry_run: false`.",
)
def write_once_job() -> None:
    """One op."""
    write_rows()
