"""`tvnsearch resume`: go on with an interrupted run."""

from __future__ import annotations

from cli.arguments import (
    JsonOption,
    ResumeAddressOption,
    ResumeExecutorOption,
    ResumeWorkersOption,
    RunArgument,
)


def resume(
    run: RunArgument,
    workers: ResumeWorkersOption = None,
    executor: ResumeExecutorOption = None,
    address: ResumeAddressOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a run where it stopped.

    Keeps to the plan that it began with.
    """
    from cli.output import print_json
    from cli.reports import print_summary
    from tvnsearch.api.request import workforce_to_resume

    workforce = workforce_to_resume(run, workers, executor, address)

    from tvnsearch.api.evolve import carry_out

    report = carry_out(run, workforce)
    if as_json:
        print_json(report)
        return
    print_summary(report)
