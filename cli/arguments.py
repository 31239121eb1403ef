"""The options that several commands share, and how their values are read.

A short form is a letter that means the same option wherever it is taken; a test holds this.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from cli.choices import BACKENDS, RECIPES, SPACES, DeviceName, ExecutorName, Precision
from tvnsearch.seeds import LARGEST_SEED

BUDGET, DEVICE, SEARCH, TRAINING = "Budget", "Device", "Search", "Training"
ACCELERATIONS, WORKERS, OUTPUT = "Accelerations", "Workers", "Output"
"""The panels of a command's help."""


def in_panel(panel: str, option: Any) -> Any:
    """The same option, shown in a panel of its own where a command has many."""
    moved = copy(option)
    moved.rich_help_panel = panel
    return moved


def _space_names() -> list[str]:
    return list(SPACES)


def _backend_names() -> list[str]:
    return list(BACKENDS)


def zoo_names() -> list[str]:
    """The networks that a shell completes where a genome is wanted."""
    from tvnsearch.genome.zoo import zoo

    return list(zoo())


ProcessorOption = Annotated[
    DeviceName,
    typer.Option("--device", help="The processor on which networks run.", rich_help_panel=DEVICE),
]


def _device_names() -> list[str]:
    return list(get_args(DeviceName))


DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="cpu|cuda|ssh:HOST|cmd:COMMAND",
        help="The processor on which networks run: this machine's, that of a HOST as ssh takes it "
        "(cuda@ssh:HOST for its GPU), or one that Python is started beside by a COMMAND of yours.",
        autocompletion=_device_names,
        rich_help_panel=DEVICE,
    ),
]
ThreadsOption = Annotated[
    int,
    typer.Option(
        "--threads", metavar="N", help="Threads that a network may use on a CPU.", rich_help_panel=DEVICE
    ),
]
BackendOption = Annotated[
    str,
    typer.Option(
        "--backend",
        metavar="NAME",
        help=f"The runtime that executes networks: {', '.join(BACKENDS)}.",
        autocompletion=_backend_names,
        rich_help_panel=DEVICE,
    ),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option("--precision", help="The number format of weights and features.", rich_help_panel=DEVICE),
]
BatchOption = Annotated[
    int,
    typer.Option(
        "--batch",
        metavar="CLIPS",
        help="Clips that go through a network in one pass; milliseconds are those of a whole pass.",
        rich_help_panel=DEVICE,
    ),
]
DB = typer.Option("--db", metavar="FILE", help="The latency database; by default one for this user.")
DbOption = Annotated[Path | None, in_panel(DEVICE, DB)]
DatabaseOption = Annotated[Path | None, DB]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="DIGEST",
        help="Another device in the same database (`tvnsearch db list` shows digests): what is known of it "
        "is adapted, so that little profiling is enough.",
        rich_help_panel=DEVICE,
    ),
]

JSON = typer.Option("--json", "-j", help="Print JSON, and only JSON, on stdout.")
JsonOption = Annotated[bool, JSON]

SPACE = typer.Option(
    "--space",
    metavar="NAME|FILE",
    help=f"The search space: {', '.join(SPACES)}, or a TOML file of your own.",
    autocompletion=_space_names,
)
SpaceOption = Annotated[str, SPACE]
RECIPE_HELP = f"How to train: {', '.join(RECIPES)}, or a TOML file of your own"


def recipe_names() -> list[str]:
    """The recipes that a shell completes."""
    return list(RECIPES)


SEED = typer.Option("--seed", "-s", metavar="N", min=0, max=LARGEST_SEED, help="Decides every random choice.")
SeedOption = Annotated[int, SEED]
SPLIT_SEED_HELP = "Decides which clips are split off, where the data come without a split"
SPLIT_SEED = typer.Option("--split-seed", metavar="N", min=0, max=LARGEST_SEED, help=f"{SPLIT_SEED_HELP}.")
SplitSeedOption = Annotated[int, SPLIT_SEED]
CLASSES_HELP = "Classes that a network tells apart: the outputs of its head"
ClassesOption = Annotated[int, typer.Option("--classes", metavar="N", min=1, help=f"{CLASSES_HELP}.")]
TrainedClassesOption = Annotated[
    int | None,
    typer.Option(
        "--classes",
        metavar="N",
        min=1,
        help=f"{CLASSES_HELP}; by default those that a run's network was trained for, and 339 of any other.",
    ),
]
OutFolderOption = Annotated[
    Path, typer.Option("--out", "-o", metavar="FOLDER", help="The folder to write to.")
]
TrainThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--train-threads",
        metavar="N",
        min=1,
        help="Threads that training and scoring may use; by default as many as there are cores, or "
        "OMP_NUM_THREADS if that is less.",
        rich_help_panel=DEVICE,
    ),
]

GenomeArguments = Annotated[
    list[str],
    typer.Argument(
        metavar="GENOME", help="Zoo names (tvn-1), genome files, or run folders.", autocompletion=zoo_names
    ),
]
GenomeArgument = Annotated[
    str,
    typer.Argument(
        metavar="GENOME", help="A zoo name (tvn-1), a genome file, or a run folder.", autocompletion=zoo_names
    ),
]
DataArgument = Annotated[
    str, typer.Argument(metavar="DATA", help="The clips: a PATH, or FORMAT:PATH such as charades:/data.")
]
ModelArgument = Annotated[
    Path, typer.Argument(metavar="MODEL", help="The folder of a training, or of a run (its winner).")
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]

LEVEL = typer.Option(
    "--level",
    metavar="SHARE",
    min=0.5,
    max=0.999,
    help="The share of networks whose latency shall lie within its predicted bounds; a search measures no "
    "network whose bounds lie over the budget.",
)
LevelOption = Annotated[float, LEVEL]
MAX_MS_HELP = "The latency budget in milliseconds"
MAX_MS = typer.Option(
    "--max-ms", "-m", metavar="MS", help=f"{MAX_MS_HELP}; for several devices: cpu=50,nvidia-h200=10."
)
MaxMsOption = Annotated[str, MAX_MS]
MAX_PARAMS = typer.Option(
    "--max-params", "-p", metavar="COUNT", help="Most parameters of a network, such as 12M or 800k."
)
MaxParamsOption = Annotated[str | None, MAX_PARAMS]
MAX_GFLOPS = typer.Option(
    "--max-gflops", metavar="GFLOPS", help="Most GFLOPs of a clip (two a multiply-add)."
)
MaxGflopsOption = Annotated[float | None, MAX_GFLOPS]
MAX_MB = typer.Option(
    "--max-mb", metavar="MB", help="Most megabytes of weights as deployed, in the precision of the search."
)
MaxMbOption = Annotated[float | None, MAX_MB]

WorkersOption = Annotated[
    int,
    typer.Option("--workers", "-w", metavar="N", help="Networks to train at once.", rich_help_panel=WORKERS),
]
ExecutorOption = Annotated[
    ExecutorName,
    typer.Option(
        "--executor",
        help="Where they train: in processes of this machine, or on a Ray cluster.",
        rich_help_panel=WORKERS,
    ),
]
AddressOption = Annotated[
    str,
    typer.Option(
        "--address",
        metavar="ADDRESS",
        help="The address of the Ray cluster: auto (this machine's), host:port, or ray://host:port.",
        rich_help_panel=WORKERS,
    ),
]
TRAIN_ON_HELP = (
    "What networks train on, beside the device: cpu, cuda (all GPUs, dealt out), or one such as cuda:1"
)
GPUS_PER_WORKER_HELP = "The share of a GPU that each has to train on"
TrainOnOption = Annotated[
    str | None,
    typer.Option(
        "--train-on",
        metavar="DEVICE",
        help=f"{TRAIN_ON_HELP}; by default on the device.",
        rich_help_panel=WORKERS,
    ),
]
GpusPerWorkerOption = Annotated[
    float,
    typer.Option(
        "--gpus-per-worker", metavar="SHARE", help=f"{GPUS_PER_WORKER_HELP}.", rich_help_panel=WORKERS
    ),
]
EACH_TRAIN_THREADS_HELP = "Threads of each training"
EachTrainThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--train-threads",
        metavar="N",
        min=1,
        help=f"{EACH_TRAIN_THREADS_HELP}; by default all share the cores evenly, up to OMP_NUM_THREADS each.",
        rich_help_panel=WORKERS,
    ),
]
ResumeTrainThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--train-threads",
        metavar="N",
        min=1,
        help=f"{EACH_TRAIN_THREADS_HELP}; by default as the run began.",
        rich_help_panel=WORKERS,
    ),
]
SHARED_HELP = "A folder that all machines see, for what workers leave where the run lies on this one alone"
SharedOption = Annotated[
    str | None,
    typer.Option(
        "--shared",
        metavar="FOLDER",
        help=f"{SHARED_HELP}; by default the run's.",
        rich_help_panel=WORKERS,
    ),
]
ResumeSharedOption = Annotated[
    str | None,
    typer.Option(
        "--shared",
        metavar="FOLDER",
        help=f"{SHARED_HELP}; by default as the run began.",
        rich_help_panel=WORKERS,
    ),
]
ResumeTrainOnOption = Annotated[
    str | None,
    typer.Option(
        "--train-on",
        metavar="DEVICE",
        help=f"{TRAIN_ON_HELP}; by default as the run began.",
        rich_help_panel=WORKERS,
    ),
]
ResumeGpusPerWorkerOption = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-worker",
        metavar="SHARE",
        help=f"{GPUS_PER_WORKER_HELP}; by default as the run began.",
        rich_help_panel=WORKERS,
    ),
]
ResumeWorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        "-w",
        metavar="N",
        help="Networks to train at once; by default as the run began.",
        rich_help_panel=WORKERS,
    ),
]
ResumeExecutorOption = Annotated[
    ExecutorName | None,
    typer.Option(
        "--executor",
        help="Where they train: in processes of this machine, or on a Ray cluster; by default as the run "
        "began.",
        rich_help_panel=WORKERS,
    ),
]
ResumeAddressOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="ADDRESS",
        help="The address of the Ray cluster; by default as the run began.",
        rich_help_panel=WORKERS,
    ),
]

ResumeDataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        "-d",
        metavar="[FORMAT:]PATH",
        help="Where the clips of the run are now, if they have moved.",
        rich_help_panel=TRAINING,
    ),
]
ResumeDbOption = Annotated[
    Path | None,
    typer.Option(
        "--db",
        metavar="FILE",
        help="Where the latency database is now, if it has moved; a run asks it only for predictors that it "
        "has not kept.",
        rich_help_panel=DEVICE,
    ),
]
