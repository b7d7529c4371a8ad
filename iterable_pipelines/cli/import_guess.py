"""`import guess` and `import preview`: what a file would bring, from a sample of real answers; nothing is stored."""

from pathlib import Path
from typing import Annotated

import typer

from iterable_pipelines.cli.console import CannotGoOn, out, plain, progress, say, table
from iterable_pipelines.cli.import_arguments import NameOrFile, file_named, telling_warnings
from iterable_pipelines.imports.document import read_document
from iterable_pipelines.imports.reading import read_import, shown_path
from iterable_pipelines.imports.run import sample_columns, sample_rows
from iterable_pipelines.imports.writing import as_given, as_yaml, write_import
from iterable_pipelines.settings import load_settings


def guess(
    seed: NameOrFile,
    to: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The file to write.")] = Path("load.yml"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Guess the columns from a sample of Iterable's answers, and write them into a copy of the file."""
    settings = load_settings()
    path = file_named(seed, settings)
    with telling_warnings():
        made = read_import(path, settings)
        given = read_document(path, shown_path(path, settings)).given
        if to.exists() and not overwrite:
            raise CannotGoOn(f"{to} is there already, and was left as it is.\nNext: take another -o, or --overwrite")
        with progress() as shown:
            bar = shown.add_task("", total=None)
            columns = sample_columns(made, settings, lambda text: shown.update(bar, description=plain(text)))
        if not columns:
            wider = "name other people" if made.source.of_people else "take an earlier start_time"
            raise CannotGoOn(
                f"Iterable shows no {made.source.what}, so there is nothing to guess from; {to} was not "
                f"written.\nNext: {wider}, or write in.columns yourself"
            )
        given["in"] = {**given["in"], "columns": [as_given(each) for each in columns]}
        write_import(to, as_yaml({"out": {"mode": "append"}} | given), settings)
    say(f"{len(columns)} columns guessed, written to {to}")
    say(f"Next: look at them, then iterable-pipelines import preview {to}")


def preview(
    file: NameOrFile,
    rows: Annotated[int, typer.Option(min=1, max=10, help="How many rows to show.")] = 3,
) -> None:
    """Show the first rows of a sample, typed as the file says. Nothing is stored."""
    settings = load_settings()
    with telling_warnings():
        made = read_import(file_named(file, settings), settings)
    with progress() as shown:
        bar = shown.add_task("", total=None)
        staged, found = sample_rows(made, settings, lambda text: shown.update(bar, description=plain(text)), rows)
    shown_rows = table(
        f"{made.source.what}: {len(found)} of {staged.rows:,} records of a sample; nothing was stored",
        *("column", "type", "does not fit", *(str(number) for number in range(1, len(found) + 1))),
        numbers=("does not fit",),
    )
    for at, (name, kind) in enumerate(staged.columns.items()):
        misfits = f"{staged.untyped[name]:,}" if name in staged.untyped else ""
        shown_rows.add_row(name, kind, misfits, *(plain(row[at] or "", 60) for row in found))
    out().print(shown_rows)
    if staged.left_out:
        say(f"Fields that no column reads: {', '.join(staged.left_out)}")
