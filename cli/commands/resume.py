"""`tvnsearch resume`: go on with an interrupted run."""

from __future__ import annotations

from cli.arguments import (
    JsonOption,
    ResumeAddressOption,
    ResumeExecutorOption,
    ResumeGpusPerWorkerOption,
    ResumeTrainOnOption,
    ResumeWorkersOption,
    RunArgument,
)


def resume(
    run: RunArgument,
    workers: ResumeWorkersOption = None,
    executor: ResumeExecutorOption = None,
    address: ResumeAddressOption = None,
    train_on: ResumeTrainOnOption = None,
    gpus_per_worker: ResumeGpusPerWorkerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a run where it stopped.

    Keeps to the plan that it began with.
    """
    from cli.output import print_json, watching
    from cli.reports import print_summary
    from cli.search_view import SearchView
    from tvnsearch.api.evolve import resume as go_on
    from tvnsearch.api.status import status

    with watching() as watch, SearchView(status(run).max_ms) as view:
        report = go_on(
            run,
            watch=watch,
            on_progress=view.show,
            workers=workers,
            executor=executor,
            address=address,
            train_on=train_on,
            gpus_per_worker=gpus_per_worker,
        )
    if as_json:
        print_json(report)
    else:
        print_summary(report)
