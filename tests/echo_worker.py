"""A worker module for the tests of tvnsearch.workers."""

from __future__ import annotations

import os
import sys
import time

from tvnsearch.errors import UserError
from tvnsearch.workers import serve


def echo(*, value, progress):
    sys.stdout.write("a stray line on stdout\n")
    progress({"share": 0.5})
    return {"value": value, "pid": os.getpid(), "threshold": os.environ["MALLOC_MMAP_THRESHOLD_"]}


def refuse(*, progress):
    raise UserError("expected more, got less")


def fail(*, progress):
    raise ValueError("a bug")


def die(*, progress):
    os._exit(7)


def sleep(*, seconds, progress):
    time.sleep(seconds)


if __name__ == "__main__":
    serve({"echo": echo, "refuse": refuse, "fail": fail, "die": die, "sleep": sleep})
