"""A command on networks that only pretend to train, to be interrupted: ``... FOLDER SLOW COMMAND...``.

From training number SLOW on, they take a minute each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from tests.api.equipment import Opened, PretendingTrainer
from tvnsearch.workers import Progress


class SlowTrainer(PretendingTrainer):
    def __init__(self, slow: int) -> None:
        super().__init__()
        self._slow = slow

    def call(self, method: str, params: Mapping[str, Any], on_progress: Progress | None = None) -> Any:
        if method == "train" and len(self.trained) >= self._slow:
            sys.stderr.write("slow now\n")
            sys.stderr.flush()
            time.sleep(60)
        return super().call(method, params, on_progress)


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patch:
        opened = Opened(Path(sys.argv[1]), patch)
        opened.trainer = SlowTrainer(int(sys.argv[2]))
        sys.argv = ["tvnsearch", *sys.argv[3:]]
        main()
