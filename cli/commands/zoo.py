"""`tvnsearch zoo`: the released networks of the paper."""

from __future__ import annotations

import typer

from cli.arguments import ClassesOption, JsonOption
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES

app = typer.Typer(help="The released networks of the paper.", no_args_is_help=True)


@app.callback()
def _zoo() -> None:
    """The released networks of the paper."""


@app.command("list")
def list_zoo(classes: ClassesOption = MOMENTS_IN_TIME_CLASSES, as_json: JsonOption = False) -> None:
    """List the networks: what the released genomes count, and what the paper prints."""
    from cli.output import count, print_json, print_table
    from tvnsearch.genome.trace import trace
    from tvnsearch.genome.zoo import load_zoo, zoo

    traces = {name: trace(load_zoo(name), classes) for name in zoo()}
    if as_json:
        print_json(
            [
                {"name": name, "params": traces[name].params, "macs": traces[name].macs, "paper": paper}
                for name, paper in zoo().items()
            ]
        )
        return
    print_table(
        f"The zoo at {classes} classes (released genomes counted; the paper's figures beside them)",
        ["name", "parameters", "GMACs", "GFLOPs", "paper: parameters", "GFLOPs", "CPU ms", "GPU ms"],
        [
            [
                name,
                count(traces[name].params),
                f"{traces[name].macs / 1e9:.2f}",
                f"{2 * traces[name].macs / 1e9:.2f}",
                *("-" if figure is None else figure for figure in (paper.params, paper.gflops)),
                *("-" if figure is None else f"{figure:g}" for figure in (paper.cpu_ms, paper.gpu_ms)),
            ]
            for name, paper in zoo().items()
        ],
    )
