"""`tvnsearch status`: how a run stands."""

from __future__ import annotations

from cli.arguments import JsonOption, RunArgument


def status(run: RunArgument, as_json: JsonOption = False) -> None:
    """Show how a run stands, also while it runs."""
    from cli.output import out, print_json
    from tvnsearch.api.status import status as read_status

    report = read_status(run)
    if as_json:
        print_json(report)
        return

    from cli.reports import print_summary
    from cli.search_view import board_lines, front_table
    from tvnsearch.search.progress.status import read_figures

    figures = read_figures(run)
    for line in board_lines(figures):
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    if figures.front:
        out.print(front_table(figures.front, report.max_ms, out.width))
    print_summary(report)
