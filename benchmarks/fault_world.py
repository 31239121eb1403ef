"""A small search as users run it, for ``faults.py``: real clips, a real profile, real processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.errors import UserError
from tvnsearch.search import Journal, journal_path
from tvnsearch.search.history import History

TRAININGS = 6
SPACE = Path(__file__).with_name("tiny_space.toml")
MAIN = "from cli.main import main; main()"
REPOSITORY = Path(__file__).parents[1]


class World:
    """A folder with clips, a space, a profile and runs; commands run in it as a user's would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SPACE, self.folder / "space.toml")
        if not (self.folder / "clips").exists():
            generate(self.folder / "clips", ClipsPerClass(8, 3, 3), digits=[0, 1])
        if not (self.folder / "l.sqlite").exists():
            profile = (
                "profile",
                "--space",
                "space.toml",
                "--max-ms",
                4,
                "--minutes",
                1.5,  # ten networks at least, also on a busy machine
                "--db",
                "l.sqlite",
            )
            code, said = self.end(self.start(*profile))
            if code:
                raise UserError(f"expected a profile for the faults, but it ended with: {said}")

    def search(self, run: str | Path, *more: object, data: str = "clips") -> tuple[object, ...]:
        """The words of a search in the folder ``run``."""
        return (
            "evolve", "--max-ms", 30, "--max-params", "1M", "--space", "space.toml", "--data", data,
            "--db", "l.sqlite", "--run", run, "--population", 3, "--tournament", 2,
            "--trainings", TRAININGS, "--iterations", 40, *more,
        )  # fmt: skip

    def start(
        self,
        *words: object,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        main: str = MAIN,
        user: int | None = None,
        prefix: tuple[str, ...] = (),
    ) -> subprocess.Popen[str]:
        """A command of tvnsearch, of ``user`` if one is given, started by the words ``prefix``."""
        known = os.environ | {"PYTHONPATH": str(REPOSITORY), "XDG_CACHE_HOME": str(self.folder / "cache")}
        known |= {"XDG_DATA_HOME": str(self.folder / "data")}
        return subprocess.Popen(
            [*prefix, sys.executable, "-P", "-c", main, *map(str, words)],
            cwd=cwd or self.folder,
            env=known | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user=user,
        )

    def end(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """The exit code of a command, and the last line that it printed; a traceback is told as such."""
        printed, _ = process.communicate()
        lines = [line for line in printed.splitlines() if line.strip()]
        said = lines[-1].strip() if lines else ""
        if process.returncode == 0 and said.startswith("file "):
            said = "the run comes to its end"
        return process.returncode, f"TRACEBACK: {said}" if "Traceback (most recent" in printed else said

    def run(self, *words: object, **how: Any) -> tuple[int, str]:
        """Start a command and wait for its end."""
        return self.end(self.start(*words, **how))

    def history(self, run: str | Path) -> History | None:
        """What has become of a run so far; None before it has a journal."""
        path = self.folder / run
        if not journal_path(path).is_file():
            return None
        with suppress(UserError), Journal.read(path) as journal:
            return journal.history()
        return None

    def fitnesses(self, run: str | Path) -> dict[int, float]:
        """The fitness of each individual that was trained."""
        history = self.history(run)
        return {} if history is None else {n: one.fitness.value for n, one in history.individuals.items()}

    def wait_until(self, run: str | Path, trained: int, process: subprocess.Popen[str]) -> None:
        """Return when so many networks of a run are trained, or its process has ended."""
        self.wait_for(lambda: len(self.fitnesses(run)) >= trained, process)

    def wait_for(self, is_so: Callable[[], bool], process: subprocess.Popen[str]) -> None:
        """Return when something is so, or the process has ended."""
        while process.poll() is None and not is_so():
            time.sleep(0.1)


def lost_and_failed(world: World, run: str | Path, before: Mapping[int, float]) -> tuple[int, int, int]:
    """Of a run: trainings that are not what they were ``before``, networks that failed, that are missing."""
    history = world.history(run)
    after = world.fitnesses(run)
    lost = sum(after.get(number) != value for number, value in before.items())
    failed = len(history.failures) if history else 0
    return lost, failed, TRAININGS - len(after) - failed


def as_json(rows: list[dict[str, Any]]) -> str:
    """All that was found, in one line."""
    return json.dumps({row["fault"]: row for row in rows})
