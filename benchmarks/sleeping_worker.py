"""A worker that sleeps: ``python -m benchmarks.sleeping_worker`` serves benchmarks/search_overhead.py."""

from __future__ import annotations

import time
from typing import Any

from tvnsearch.workers import Progress, serve


def sleep(seconds: float, progress: Progress) -> dict[str, Any]:
    """Sleep, and say how long that took."""
    began = time.perf_counter()
    time.sleep(seconds)
    return {"seconds": time.perf_counter() - began}


if __name__ == "__main__":
    serve({"sleep": sleep})
