"""`tvnsearch status`: how a run stands."""

from __future__ import annotations

from cli.arguments import JsonOption, RunArgument


def status(run: RunArgument, as_json: JsonOption = False) -> None:
    """Show how a run stands, also while it runs."""
    from cli.output import print_json
    from cli.reports import print_summary
    from cli.run_report import run_report

    report = run_report(run)
    if as_json:
        print_json(report)
        return
    print_summary(report)
