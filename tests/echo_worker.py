"""A worker module for the tests of tvnsearch.workers."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tvnsearch.errors import UserError
from tvnsearch.workers import serve


def echo(*, value, progress):
    sys.stdout.write("a stray line on stdout\n")
    progress({"share": 0.5})
    return {
        "value": value,
        "pid": os.getpid(),
        "threshold": os.environ["MALLOC_MMAP_THRESHOLD_"],
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }


def environment(*, names, progress):
    return {name: os.environ.get(name) for name in names}


def refuse(*, progress):
    raise UserError("expected more, got less")


def fail(*, progress):
    raise ValueError("a bug")


def write(*, path, progress):
    Path(path).write_bytes(b"x")


def run_out_of_memory(*, progress):
    raise OSError(errno.ENOMEM, "Cannot allocate memory")


def die(*, progress):
    os._exit(7)


def sleep(*, seconds, progress):
    time.sleep(seconds)


def die_once(*, mark, progress):
    """Dies where it is called first; ``mark`` is a file that remembers."""
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return os.getpid()
    os._exit(7)


def lose(*, progress):
    """Loses what holds this worker, in a process that is started to do so."""
    if os.environ.get("LOSES_WORKERS"):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return os.getpid()


def fall(*, number, progress):
    """Is killed where the machine does that, for lack of memory say: to any request, or to some numbers."""
    if os.environ.get("ENDS_WORKERS") == "any" or str(number) in os.environ.get("ENDS_WORKERS", ""):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.2)
    return os.getpid()


def start_python(*, code, progress):
    """The exit code of another Python process."""
    return subprocess.run([sys.executable, "-c", code], check=False).returncode


def tick(*, file, seconds, progress):
    """Adds its number to a file every few milliseconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with Path(file).open("a") as ticks:
            ticks.write(f"{os.getpid()}\n")
        progress({"pid": os.getpid()})
        time.sleep(0.005)
    return os.getpid()


if __name__ == "__main__":
    serve(
        {
            "echo": echo,
            "environment": environment,
            "refuse": refuse,
            "fail": fail,
            "die": die,
            "write": write,
            "run_out_of_memory": run_out_of_memory,
            "die_once": die_once,
            "sleep": sleep,
            "start_python": start_python,
            "tick": tick,
            "lose": lose,
            "fall": fall,
        }
    )
