"""Clips and trainings: how fast clips come, and what trainings make of them.

One family of figures a function, each a module of its own beside this one; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import data_loading

FAMILIES: dict[str, Callable[[], dict[str, object]]] = {"loading": data_loading.measure}


def main() -> None:
    """Measure the families that are asked for, by default all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    print(json.dumps({name: FAMILIES[name]() for name in parser.parse_args().only}))


if __name__ == "__main__":
    main()
