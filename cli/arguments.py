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
SpaceOption = Annotated[
    str, typer.Option("--space", help="paper, mobile, released, digits, or a TOML file of your own.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Decides every random choice.")]
ClassesOption = Annotated[int, typer.Option("--classes", min=1, help="Outputs of the network's head.")]
GenomeArguments = Annotated[
    list[str], typer.Argument(metavar="GENOME...", help="Zoo names (tvn-1), genome files, or run folders.")
]
GenomeArgument = Annotated[
    str, typer.Argument(metavar="GENOME", help="A zoo name (tvn-1), a genome file, or a run folder.")
]
LevelOption = Annotated[
    float,
    typer.Option(
        "--level",
        min=0.5,
        max=0.999,
        help="Share of networks within their bounds, and of the feasible ones that a search keeps.",
    ),
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
WorkersOption = Annotated[int, typer.Option("--workers", help="Networks to train at once.")]
ExecutorOption = Annotated[
    str,
    typer.Option("--executor", help="Where they train: local (processes), or ray (a cluster)."),
]
AddressOption = Annotated[str, typer.Option("--address", help="Of the Ray cluster; auto is this machine's.")]
ResumeWorkersOption = Annotated[
    int | None, typer.Option("--workers", help="Networks to train at once; else as it began.")
]
ResumeExecutorOption = Annotated[
    str | None, typer.Option("--executor", help="local or ray; else as it began.")
]
ResumeAddressOption = Annotated[
    str | None, typer.Option("--address", help="Of the Ray cluster; else as it began.")
]
ModelArgument = Annotated[
    Path, typer.Argument(metavar="MODEL", help="The folder of a training, or of a run (its winner).")
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9}


MaxMsOption = Annotated[
    str,
    typer.Option(
        "--max-ms",
        metavar="MS",
        help="The latency budget in milliseconds; of several devices: cpu=50,nvidia-h200=10.",
    ),
]


def parse_max_ms(text: str, device: str) -> tuple[float, dict[str, float]]:
    """Read ``50`` or ``cpu=50,nvidia-h200=10``: ms on ``device``, which is measured, and on others.

    Raises:
        UserError: it is neither, or says nothing of the device that is measured.
    """
    limits: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = part.rpartition("=")
        try:
            limits[name.strip() if equals else device] = float(number)
        except ValueError:
            raise UserError(
                f"expected --max-ms to be milliseconds like 50, or those of devices like "
                f"cpu=50,nvidia-h200=10, got '{text}'"
            ) from None
    if device not in limits or len(limits) != len(text.split(",")):
        raise UserError(
            f"expected --max-ms to say once what holds on {device}, where networks are measured, got "
            f"'{text}'; write {device}=50 in it"
        )
    return limits.pop(device), limits


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


FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="The digest of another device in the same database (`tvnsearch db list`): what is known of it "
        "is adapted, so that little profiling is enough.",
    ),
]
