"""The options that several commands share, and how their values are read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from tvnsearch.errors import UserError

DeviceOption = Annotated[str, typer.Option("--device", help="Where networks run: cpu or cuda.")]
ThreadsOption = Annotated[int, typer.Option("--threads", help="Threads that a network may use.")]
BackendOption = Annotated[str, typer.Option("--backend", help="The runtime that executes networks.")]
DtypeOption = Annotated[str, typer.Option("--dtype", help="float32 or bfloat16.")]
BatchOption = Annotated[int, typer.Option("--batch", help="Clips of one pass; latencies are of passes.")]
DbOption = Annotated[
    Path | None, typer.Option("--db", help="The latency database file; by default one for this user.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, and only JSON, on stdout.")]
SpaceOption = Annotated[str, typer.Option("--space", help="paper, digits, or a TOML file of your own.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Decides every random choice.")]
ClassesOption = Annotated[int, typer.Option("--classes", min=1, help="Outputs of the network's head.")]
GenomeArguments = Annotated[
    list[str], typer.Argument(metavar="GENOME...", help="Zoo names (tvn-1), genome files, or run folders.")
]
GenomeArgument = Annotated[
    str, typer.Argument(metavar="GENOME", help="A zoo name (tvn-1), a genome file, or a run folder.")
]
MaxParamsOption = Annotated[
    str | None, typer.Option("--max-params", help="The parameter budget, such as 12M.")
]
MaxGflopsOption = Annotated[
    float | None, typer.Option("--max-gflops", help="Most GFLOPs of a clip (two a multiply-add).")
]
MaxMbOption = Annotated[
    float | None, typer.Option("--max-mb", help="Most megabytes of weights as deployed, in the run's dtype.")
]
ModelArgument = Annotated[
    Path, typer.Argument(metavar="MODEL", help="The folder of a training, or of a run (its winner).")
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9}


def parse_count(text: str | None, option: str) -> int | None:
    """Read ``12M``, ``800k`` or ``1500000``.

    Raises:
        UserError: it is none of these.
    """
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kKmMgGbB]?)\s*", text)
    if match is None or float(match[1]) == 0:
        raise UserError(f"expected {option} to be a number like 12M, 800k or 1500000, got '{text}'")
    return round(float(match[1]) * _UNITS[match[2].lower()])
