"""A command on networks that workers of a Ray cluster only pretend to train: ``... FOLDER COMMAND...``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from tests.api.equipment import Opened
from tvnsearch.api import open_run
from tvnsearch.search.executors import open_executor, ray_head
from tvnsearch.search.settings import Workforce

LOST_SECONDS = 4.0
"""After so long a head is lost."""


def open_pretending(workforce: Workforce, _module: str, *rest: Any) -> Any:
    return open_executor(workforce, "tests.pretending_worker", *rest)


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patch:
        Opened(Path(sys.argv[1]), patch)
        patch.setattr(open_run, "open_executor", open_pretending)
        patch.setattr(ray_head, "LOST_SECONDS", LOST_SECONDS)
        patch.setattr(ray_head, "SAID_AFTER_SECONDS", LOST_SECONDS / 4)
        sys.argv = ["tvnsearch", *sys.argv[2:]]
        main()
