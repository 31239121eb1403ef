"""`tvnsearch finalists`: the best networks of a run, trained at full length and measured again."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import (
    RECIPE_HELP,
    TRAINING,
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
    recipe_names,
)


def finalists(
    run: RunArgument,
    count: Annotated[
        int, typer.Option("--count", "-n", metavar="N", min=1, help="How many of the best to train.")
    ] = 3,
    data: ResumeDataOption = None,
    db: ResumeDbOption = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            metavar="NAME|FILE",
            help=f"{RECIPE_HELP}; by default as the run did.",
            autocompletion=recipe_names,
            rich_help_panel=TRAINING,
        ),
    ] = None,
    iterations: Annotated[
        int | None,
        typer.Option(
            "--iterations",
            metavar="N",
            min=1,
            help="Steps of each training; by default those of the --recipe, or of the run.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    workers: ResumeWorkersOption = None,
    executor: ResumeExecutorOption = None,
    address: ResumeAddressOption = None,
    train_on: ResumeTrainOnOption = None,
    gpus_per_worker: ResumeGpusPerWorkerOption = None,
    train_threads: ResumeTrainThreadsOption = None,
    shared: ResumeSharedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the best networks of a run at full length.

    Then measure them again, and hand over the best.
    """
    from cli.interrupting import interruptible
    from cli.output import count as counted
    from cli.output import print_json, print_table, watching
    from cli.reports import print_summary
    from tvnsearch.api.finalists import finalists as hold_finals
    from tvnsearch.api.times import written_interval

    with interruptible(), watching() as watch:
        report = hold_finals(
            run,
            count,
            recipe=recipe,
            iterations=iterations,
            data=data,
            db=db,
            watch=watch,
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
        return
    print_table(
        f"finalists of {run}, at full length and measured again; budget {report.max_ms:g} ms",
        ["individual", "fitness", "in the search", "iterations", "ms", "95 % interval", "parameters"],
        [
            [
                one.number,
                f"{one.fitness:.3f}",
                f"{one.search_fitness:.3f}",
                f"{one.iterations:,}",
                f"{one.latency_ms:.2f}",
                written_interval(one.ci_low_ms, one.ci_high_ms),
                counted(one.params),
            ]
            for one in report.finalists
        ],
    )
    print_summary(report)
