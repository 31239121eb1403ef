"""A worker module that takes its time to be imported, as those do that need torch."""

from __future__ import annotations

import time

from tvnsearch.workers import serve

time.sleep(2.0)

if __name__ == "__main__":
    serve({})
