"""`tvnsearch zoo`: networks to start from and to compare with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.arguments import CLASSES_HELP, JsonOption, zoo_names

if TYPE_CHECKING:
    from tvnsearch.genome.zoo import ZooEntry

ZooName = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A name that `tvnsearch zoo list` shows.", autocompletion=zoo_names),
]

TABLES = (
    ("released", "The paper's networks, as released", "paper"),
    ("variant", "The paper's variants of TVN-1, generated", "paper"),
    ("searched", "In place of the paper's one-frame network, which was not released", "paper"),
    ("peer", "Peers", "theirs"),
)
"""For each kind of network, the title of its table and whose the other counts are."""

PAPER_UNITS = {
    "params": "parameters",
    "max_params": "parameters at most",
    "gflops": "GFLOPs",
    "cpu_ms": "ms on its CPU",
    "gpu_ms": "ms on its GPU",
    "top1_percent": "% top-1 on Moments in Time",
    "hmdb_top1_percent": "% top-1 on HMDB",
    "charades_map_percent": "% mAP on Charades",
    "mlb_map_percent": "% mAP on MLB-YouTube",
}
"""What the figures of the paper of the tiny video networks are numbers of."""

PublishedClassesOption = Annotated[
    int | None,
    typer.Option("--classes", metavar="N", min=1, help=f"{CLASSES_HELP}; by default as published."),
]

app = typer.Typer(help="The paper's networks, and those that one would otherwise pick.", no_args_is_help=True)


@app.callback()
def _zoo() -> None:
    """The paper's networks, and those that one would otherwise pick."""


@app.command("list")
def list_zoo(classes: PublishedClassesOption = None, as_json: JsonOption = False) -> None:
    """List the networks, with their papers' figures.

    What their genomes count, and what their papers print.
    """
    from cli.output import out, print_json, print_table
    from tvnsearch.genome.zoo import zoo

    rows = [_figures(name, entry, classes) for name, entry in zoo().items()]
    if as_json:
        print_json(rows)
        return
    for kind, title, publisher in TABLES:
        print_table(
            title,
            [
                *("name", "input", "M\nparams", publisher, "%", "G\nFLOPs", publisher, "%"),
                *("CPU\nms", "GPU\nms", "top-1\n%"),
            ],
            [_row(row) for row in rows if row["kind"] == kind],
        )
    out.print(
        "Input: frames x pixels. Counts: 10^6 parameters, 10^9 FLOPs (two a multiply-add). Differences "
        "are at the published number of classes. The paper's release does not reproduce the paper's own "
        "counts; neither is fitted to the other. Milliseconds (a 2.9 GHz Xeon, a V100) and top-1 (on Moments "
        "in Time) are what Tiny Video Networks prints, of peers in its own version. More of each: "
        "tvnsearch zoo show NAME",
        highlight=False,
    )


@app.command("show")
def show_zoo(name: ZooName, classes: PublishedClassesOption = None, as_json: JsonOption = False) -> None:
    """Show one network, with its paper's figures.

    Where it comes from, its blocks, and its counts beside the published ones.
    """
    from cli.output import out, print_json
    from tvnsearch.drawing import block_lines
    from tvnsearch.genome.zoo import load_zoo, zoo

    genome = load_zoo(name)
    entry = zoo()[name]
    figures = _figures(name, entry, classes)
    if as_json:
        print_json({**figures, "genome": genome})
        return
    out.print(f"{name}: {entry.about}", highlight=False, markup=False)
    for line in (*block_lines(genome), *_count_lines(figures)):
        out.print(line, highlight=False, markup=False)
    inside = ", ".join(figures["spaces"]) or "none of the presets"
    out.print(f"lies in the search spaces: {inside}", highlight=False, markup=False)
    if entry.peer is not None:
        out.print(f"published by: {entry.peer.source}", highlight=False, markup=False)


def _figures(name: str, entry: ZooEntry, classes: int | None) -> dict[str, Any]:
    """What there is to say of a network in numbers; ``paper`` is the tiny video networks' paper."""
    import msgspec

    from tvnsearch.genome.membership import presets_around
    from tvnsearch.genome.trace import trace

    genome = entry.build()
    classes = entry.classes if classes is None else classes
    network = trace(genome, classes)
    return {
        "name": name,
        "kind": entry.kind,
        "about": entry.about,
        "frames": genome.input.frames,
        "height": genome.input.height,
        "width": genome.input.width,
        "input": f"{genome.input.frames}x{genome.input.size}",
        "classes": classes,
        "params": network.params,
        "macs": network.macs,
        "gmacs": network.macs / 1e9,
        "gflops": 2 * network.macs / 1e9,
        "spaces": presets_around(genome),
        "paper": msgspec.to_builtins(entry.paper),
        "published": msgspec.to_builtins(entry.published()),
    }


def _count_lines(figures: dict[str, Any]) -> list[str]:
    published = figures["published"] or {}
    lines = []
    for label, key, ours in (
        ("parameters", "params", f"{figures['params']:,}"),
        ("GFLOPs", "gflops", f"{figures['gflops']:.3f} ({figures['gmacs']:.3f} GMACs)"),
    ):
        theirs, difference = published.get(key), published.get(f"{key}_difference_percent")
        compared = "" if theirs is None else f"; published {theirs:,}, difference {difference:+.2f} %"
        lines.append(f"{label}: {ours}{compared}")
    return lines + _paper_lines(figures["paper"] or {})


def _paper_lines(paper: dict[str, Any]) -> list[str]:
    """All that the paper prints, in a line, and what that is of where it is not of this very network."""
    printed = [
        f"{paper[key]:,g} {unit}" if isinstance(paper[key], float) else f"{paper[key]:,} {unit}"
        for key, unit in PAPER_UNITS.items()
        if paper.get(key) is not None
    ]
    lines = [f"Tiny Video Networks prints: {', '.join(printed)}"] if printed else []
    return lines + ([f"its figures: {paper['note']}"] if paper.get("note") else [])


def _row(figures: dict[str, Any]) -> list[str]:
    published, paper = figures["published"] or {}, figures["paper"] or {}

    def theirs(key: str, form: Callable[[Any], str], printed: dict[str, Any] = published) -> str:
        return "-" if printed.get(key) is None else form(printed[key])

    def millions(params: int) -> str:
        return f"{params / 1e6:.3g}"

    return [
        figures["name"],
        figures["input"],
        millions(figures["params"]),
        theirs("params", millions),
        theirs("params_difference_percent", "{:+.1f}".format),
        f"{figures['gflops']:.3g}",
        theirs("gflops", "{:.3g}".format),
        theirs("gflops_difference_percent", "{:+.1f}".format),
        *(theirs(key, "{:g}".format, paper) for key in ("cpu_ms", "gpu_ms", "top1_percent")),
    ]
