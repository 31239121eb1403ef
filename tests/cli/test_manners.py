"""What holds for every command: its help, its short forms, what a shell completes, how mistakes end."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, get_args

import pytest
import typer

from cli import choices
from cli.main import app
from latency_db.lut.formats import FORMATS
from tests.cli.running import refused, run
from tvnsearch.api.evaluate import SPLITS
from tvnsearch.api.loggers import LoggerName
from tvnsearch.devices.backends import BACKENDS
from tvnsearch.devices.device import DEVICE_NAMES, PRECISIONS
from tvnsearch.export.formats import FORMATS as NETWORK_FORMATS
from tvnsearch.export.options import Layout, Output
from tvnsearch.genome.genome import Head
from tvnsearch.genome.space import PRESETS as SPACES
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES
from tvnsearch.search.settings import EXECUTORS
from tvnsearch.search.strategies import STRATEGIES
from tvnsearch.training.recipe import PRESETS as RECIPES

COMMANDS = {
    "Device": ("doctor", "profile", "fit", "measure", "bench", "predict", "lut", "db"),
    "Search": ("evolve", "resume", "status", "report", "pick", "finalists"),
    "Networks": ("zoo", "show", "sample", "scale", "train", "eval", "classify", "export"),
    "Data": ("data",),
}
EVERYDAY = {
    "-d": "--data",
    "-h": "--help",
    "-j": "--json",
    "-m": "--max-ms",
    "-n": "--count",
    "-o": "--out",
    "-p": "--max-params",
    "-r": "--run",
    "-s": "--seed",
    "-t": "--minutes",
    "-w": "--workers",
}


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group of commands, by the words that call it."""

    def below(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        yield path, command
        for name, inner in getattr(command, "commands", {}).items():
            yield from below((*path, name), inner)

    return below((), typer.main.get_command(app))


def panels(help_text: str) -> dict[str, str]:
    """The panels of a help by their titles, in their order."""
    found: dict[str, str] = {}
    for line in help_text.splitlines():
        if line.startswith("╭"):
            title = line.split()[1]
            found[title] = ""
        elif line.startswith("│"):
            found[title] += line + "\n"
    return found


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids=" ".join)
def test_both_forms_of_help_are_there(path: tuple[str, ...]) -> None:
    short, long = run(*path, "-h"), run(*path, "--help")
    assert short == long
    assert (short.returncode, short.stderr) == (0, "")
    assert f"Usage: {' '.join(('tvnsearch', *path))}" in short.stdout


def test_the_version_is_that_of_the_installation() -> None:
    assert run("--version") == (0, f"tvnsearch {version('tvnsearch')}\n", "")


def test_alone_it_shows_what_to_begin_with() -> None:
    shown = run()
    assert (shown.returncode, shown.stderr) == (0, "")
    for words in ("tvnsearch profile", "tvnsearch evolve", "tvnsearch lut export", "tvnsearch --help"):
        assert words in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert run("db").stdout.strip() == run("db", "--help").stdout.strip()
    assert run("db").returncode == 0


def test_commands_are_grouped_and_have_a_line_each() -> None:
    shown = panels(run("--help", columns=80).stdout)
    assert list(shown) == ["Options", *COMMANDS]
    for title, names in COMMANDS.items():
        lines = shown[title].splitlines()
        assert sorted(line.split()[1] for line in lines) == sorted(names)
    for path, command in commands():
        if hasattr(command, "commands") and path:
            lines = panels(run(*path, "--help", columns=80).stdout)["Commands"].splitlines()
            assert len(lines) == len(command.commands)


def test_options_of_evolve_are_grouped() -> None:
    shown = panels(run("evolve", "--help").stdout)
    for title, options in {
        "Budget": ("--max-ms", "--max-params", "--max-gflops", "--max-mb"),
        "Device": ("--device", "--threads", "--backend", "--precision", "--batch", "--db"),
        "Search": ("--minutes", "--space", "--strategy", "--population", "--seed"),
        "Training": ("--data", "--split-seed", "--iterations"),
        "Accelerations": ("--inherit", "--early-stopping", "--fitness-predictor"),
        "Workers": ("--workers", "--executor", "--address"),
        "Output": ("--run", "--json"),
    }.items():
        assert all(f"{option} " in shown[title] for option in options)
    assert shown["Options"].count("--") == 1


def test_a_letter_is_short_for_one_option_and_an_everyday_option_has_its_letter() -> None:
    letters: dict[str, set[str]] = defaultdict(set)
    for _, command in commands():
        with typer.Context(command, help_option_names=["-h", "--help"]) as context:
            for param in command.get_params(context):
                shorts = [option for option in param.opts if option[0] == "-" != option[1]]
                longs = [option for option in param.opts if option.startswith("--")]
                for short in shorts:
                    letters[short].update(longs)
                for everyday in set(longs) & set(EVERYDAY.values()):
                    assert [EVERYDAY[short] for short in shorts] == [everyday]
    assert letters == {short: {long} for short, long in EVERYDAY.items()}


@pytest.mark.parametrize(
    ("listed", "known"),
    [
        (get_args(choices.DeviceName), DEVICE_NAMES),
        (get_args(choices.Precision), PRECISIONS),
        (choices.BACKENDS, BACKENDS),
        (get_args(choices.StrategyName), STRATEGIES),
        (get_args(choices.ExecutorName), EXECUTORS),
        (get_args(choices.TableFormat), FORMATS),
        (get_args(choices.NetworkFormat), NETWORK_FORMATS),
        (get_args(choices.ClipLayout), get_args(Layout)),
        (get_args(choices.ScoreKind), get_args(Output)),
        (get_args(choices.HeadName), get_args(Head)),
        (get_args(choices.Split), SPLITS),
        (get_args(choices.LogName), get_args(LoggerName)),
        (choices.SPACES, SPACES),
        (choices.RECIPES, RECIPES),
        ((choices.MOMENTS_IN_TIME_CLASSES,), [MOMENTS_IN_TIME_CLASSES]),
    ],
)
def test_choices_are_those_that_there_are(listed: tuple[str, ...], known: Any) -> None:
    assert listed == tuple(known)


def completed(*words: str) -> list[str]:
    """What bash is told for the last of ``words``, where the cursor is."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("_TVNSEARCH_COMPLETE", "complete_bash")
        patched.setenv("COMP_WORDS", " ".join(("tvnsearch", *words)))
        patched.setenv("COMP_CWORD", str(len(words)))
        return run().stdout.split()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("evolve", "--strategy", ""), ["tournament", "ageing", "random", "pareto"]),
        (("evolve", "--executor", "r"), ["ray"]),
        (("fit", "--device", ""), ["cpu", "cuda"]),
        (("fit", "--precision", "b"), ["bfloat16"]),
        (("measure", "tvn-1", "--backend", "cu"), ["cuda-graph"]),
        (("lut", "export", "--format", ""), ["csv", "json", "parquet", "once-for-all", "nni", "tinynas"]),
        (("lut", "import", "table", "--format", "ti"), ["tinynas"]),
        (("export", "run", "--format", ""), ["onnx", "openvino", "torch-export", "standalone"]),
        (("eval", "net", "--split", "t"), ["test", "train"]),
        (("train", "tvn-1", "--head", ""), ["mean", "per_frame"]),
        (("train", "tvn-1", "--recipe", ""), ["paper", "quick"]),
        (("sample", "--space", ""), ["paper", "mobile", "released", "digits"]),
        (("show", "tvn-m-"), ["tvn-m-1", "tvn-m-2"]),
        (("fin",), ["finalists"]),
    ],
    ids=str,
)
def test_a_shell_completes_what_can_be_chosen(words: tuple[str, ...], told: list[str]) -> None:
    assert completed(*words) == told


def test_a_shell_can_be_taught_to_complete() -> None:
    shown = run("--help").stdout
    assert "--install-completion" in shown
    assert "--show-completion" in shown


def test_what_can_be_chosen_is_listed_and_files_are_accepted_beside_names() -> None:
    assert "<tournament|ageing|random|pareto>" in run("evolve", "--help").stdout
    for command in ("profile", "evolve", "sample"):
        assert "paper, mobile, released, digits, or a TOML file" in " ".join(
            run(command, "--help", columns=200).stdout.split()
        )
    assert "nowhere.toml" in refused("sample", "--space", "nowhere.toml", "--out", "nowhere")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("evolve", "--max-mss", 50),
            "expected an option of `tvnsearch evolve`, but got --max-mss; say --max-ms, --max-mb or "
            "--max-params, or see `tvnsearch evolve --help`",
        ),
        (
            ("db", "list", "-x"),
            "expected an option of `tvnsearch db list`, but got -x; see `tvnsearch db list --help`",
        ),
        (
            ("evolv",),
            "expected a command of `tvnsearch`, but got evolv; say evolve or eval, or see `tvnsearch --help`",
        ),
        (
            ("db", "clean"),
            "expected a command of `tvnsearch db`, but got clean; see `tvnsearch db --help`",
        ),
        (
            ("evolve", "--max-ms", 50, "--strategy", "annealing"),
            "expected --strategy to be tournament, ageing, random or pareto, but got 'annealing'; see "
            "`tvnsearch evolve --help`",
        ),
        (
            ("train", "tvn-1", "--head", "last"),
            "expected --head to be mean or per_frame, but got 'last'; see `tvnsearch train --help`",
        ),
        (
            ("eval", "net", "--split", "half"),
            "expected --split to be test, validation, train or all, but got 'half'; see "
            "`tvnsearch eval --help`",
        ),
        (("pick", "run"), "expected --max-ms MS, but got nothing; see `tvnsearch pick --help`"),
        (("show",), "expected GENOME, but got nothing; see `tvnsearch show --help`"),
        (
            ("evolve", "--max-ms"),
            "expected a value after --max-ms, but got nothing; see `tvnsearch evolve --help`",
        ),
        (
            ("evolve", "--json=yes"),
            "expected --json alone, but got a value with it; see `tvnsearch evolve --help`",
        ),
        (
            ("sample", "--out", "g", "--count", "x"),
            "expected --count to be a whole number of 1 or more, but got 'x'; see `tvnsearch sample --help`",
        ),
        (
            ("sample", "--out", "g", "--count", 0),
            "expected --count to be a whole number of 1 or more, but got '0'; see `tvnsearch sample --help`",
        ),
        (
            ("predict", "tvn-1", "--level", 2),
            "expected --level to be a number of 0.5 to 0.999, but got '2'; see `tvnsearch predict --help`",
        ),
        (
            ("evolve", "--max-ms", 50, "--minutes", "long"),
            "expected --minutes to be a number, but got 'long'; see `tvnsearch evolve --help`",
        ),
        (
            ("status", "run", "another"),
            "expected nothing more, but got another; see `tvnsearch status --help`",
        ),
    ],
    ids=str,
)
def test_a_mistake_that_the_parser_finds_is_a_line_like_ours(words: tuple[object, ...], line: str) -> None:
    assert refused(*words) == f"tvnsearch: {line}\n"


def test_an_interrupted_command_says_that_the_same_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.output.print_json", interrupted)
    done = run("zoo", "list", "--json")
    assert done.returncode == 130
    assert done.stderr == "tvnsearch: interrupted; what was finished is kept, the same command goes on\n"


@pytest.mark.parametrize("words", ["", "--help", "evolve --help", "--version"])
@pytest.mark.parametrize("completes", [False, True])
def test_help_and_completion_load_nothing_heavy(words: str, completes: bool) -> None:
    heavy = "{'torch', 'lightgbm', 'pandas', 'numpy', 'av', 'sklearn', 'scipy', 'ray'}"
    completion = {
        "_TVNSEARCH_COMPLETE": "complete_bash",
        "COMP_WORDS": f"tvnsearch {words} --space ",
        "COMP_CWORD": str(len(words.split()) + 2),
    }
    code = (
        f"import os, sys\nos.environ.update({completion if completes else {}})\nsys.argv[1:] = "
        f"{words.split()}\nfrom cli.main import main\ntry: main()\n"
        f"except SystemExit as end: print(end.code or 0, {heavy} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 set()"
