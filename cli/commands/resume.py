"""`tvnsearch resume`: go on with an interrupted run."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import JsonOption, RunArgument


def resume(
    run: RunArgument,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Networks to train at once; else as it began.")
    ] = None,
    executor: Annotated[
        str | None, typer.Option("--executor", help="local or ray; else as it began.")
    ] = None,
    address: Annotated[
        str | None, typer.Option("--address", help="Of the Ray cluster; else as it began.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a run where it stopped, by the plan that it began with."""
    from cli.output import print_json
    from cli.reports import print_summary
    from cli.request import workforce_to_resume

    workforce = workforce_to_resume(run, workers, executor, address)

    from cli.search import carry_out

    report = carry_out(run, workforce)
    if as_json:
        print_json(report)
        return
    print_summary(report)
