"""`tvnsearch resume`: go on with an interrupted run."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import (
    SEARCH,
    JsonOption,
    ResumeAddressOption,
    ResumeDataOption,
    ResumeDbOption,
    ResumeExecutorOption,
    ResumeGpusPerWorkerOption,
    ResumeSharedOption,
    ResumeTrainOnOption,
    ResumeTrainThreadsOption,
    ResumeWorkersOption,
    RunArgument,
)


def resume(
    run: RunArgument,
    minutes: Annotated[
        str | None,
        typer.Option(
            "--minutes",
            "-t",
            metavar="[+]MINUTES",
            help="Minutes in all, or as +60 so many more: trainings as long as those before, as many as fit.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    trainings: Annotated[
        str | None,
        typer.Option(
            "--trainings",
            metavar="[+]N",
            help="Networks to train in all, or as +500 so many more.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    data: ResumeDataOption = None,
    db: ResumeDbOption = None,
    workers: ResumeWorkersOption = None,
    executor: ResumeExecutorOption = None,
    address: ResumeAddressOption = None,
    train_on: ResumeTrainOnOption = None,
    gpus_per_worker: ResumeGpusPerWorkerOption = None,
    train_threads: ResumeTrainThreadsOption = None,
    shared: ResumeSharedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a run where it stopped.

    Keeps to the plan that it began with, and may be given more of it, also when it has ended.
    """
    from cli.interrupting import interruptible
    from cli.output import print_json, watching
    from cli.reports import print_report_hint, print_summary
    from cli.search_view import SearchView
    from tvnsearch.api.evolve import resume as go_on
    from tvnsearch.api.status import status

    with interruptible(), watching() as watch, SearchView(status(run).max_ms) as view:
        report = go_on(
            run,
            minutes=minutes,
            trainings=trainings,
            data=data,
            db=db,
            watch=watch,
            on_progress=view.show,
            workers=workers,
            executor=executor,
            address=address,
            train_on=train_on,
            gpus_per_worker=gpus_per_worker,
            train_threads=train_threads,
            shared=shared,
        )
    if as_json:
        print_json(report)
    else:
        print_summary(report)
        print_report_hint(report.run)
