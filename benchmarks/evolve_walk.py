"""The walk of one search through the code: which modules a small `evolve` passes, there and back.

Runs a search of a few trainings and counts, in the process that drives it, the modules of the application
and of the search that are entered, and the steps from one to another. `--lines` prints each module when it is
first entered.

    python benchmarks/evolve_walk.py --db latency.sqlite --data clips --run runs/walk
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from contextlib import suppress
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import FrameType
from typing import Any

from cli.main import main as command

ROOT = Path(__file__).parent.parent
ROOMS = ("cli", "tvnsearch.api", "tvnsearch.search")
"""What drives a search; what it asks for (genomes, predictors, workers) is not counted."""


class Walk:
    """Follows the calls of one thread from module to module."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.steps: Counter[tuple[str, str]] = Counter()
        self._names: dict[str, str | None] = {}

    def follow(self, frame: FrameType, event: str, _argument: Any) -> None:
        """A profile function: takes in each call."""
        if event != "call" or not frame.f_code.co_flags & CO_OPTIMIZED:
            return  # the bodies of modules and classes, which are only imported
        module = self._module(frame.f_code.co_filename)
        if module is None:
            return
        before = self.order[-1] if self.order else ""
        if module != before:
            self.steps[before, module] += 1
            self.order.append(module)

    def _module(self, file: str) -> str | None:
        if file not in self._names:
            path = Path(file)
            name = None
            if path.is_relative_to(ROOT):
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                if not any(name.startswith(f"{room}.") for room in ROOMS):
                    name = None
            self._names[file] = name
        return self._names[file]


def main() -> None:
    """Search, and print the walk."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--db", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--lines", action="store_true", help="print each module when it is first entered")
    given = parser.parse_args()

    sys.argv = [
        *("tvnsearch", "evolve", "--max-ms", "30", "--max-params", "1M", "--space", "digits", "--json"),
        *("--population", "2", "--tournament", "2", "--trainings", "4", "--iterations", "4"),
        *("--db", given.db, "--data", given.data, "--run", given.run),
    ]
    walk = Walk()
    sys.setprofile(walk.follow)
    with suppress(SystemExit):
        command()
    sys.setprofile(None)
    rooms = Counter(
        next(room for room in ROOMS if module.startswith(f"{room}.")) for module in set(walk.order)
    )
    if given.lines:
        for module in dict.fromkeys(walk.order):
            print(module)
    print(
        json.dumps(
            {
                "modules": len(set(walk.order)),
                **{f"modules_of_{room}": rooms[room] for room in ROOMS},
                "steps": sum(walk.steps.values()),
                "different_steps": len(walk.steps),
                "different_steps_back": sum((b, a) in walk.steps for a, b in walk.steps) // 2,
            }
        )
    )


if __name__ == "__main__":
    main()
