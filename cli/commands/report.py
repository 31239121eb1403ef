"""`tvnsearch report`: one page that explains a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.arguments import JsonOption, RunArgument


def report(
    run: RunArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="The page; by default report.html in the run."),
    ] = None,
    control: Annotated[
        Path | None,
        typer.Option(
            "--control",
            metavar="RUN",
            help="Another run to draw the fitness of beside it, as of --strategy random.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write one HTML page that explains a run, also while it runs.

    It opens offline: the promise, the winner, the front, the course, predictions, lineage, settings.
    """
    from cli.output import out as console
    from cli.output import print_json
    from tvnsearch.api.report import report as write_report

    page = write_report(run, out=out, control=control)
    if as_json:
        print_json(page)
        return
    place = run / "report.html" if out is None else out
    console.print(f"report  {place}", highlight=False, markup=False, soft_wrap=True)
