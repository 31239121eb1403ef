"""Worker processes: fresh Python processes with the memory allocator pinned, answering JSON requests.

The allocator is part of the device: with glibc's defaults the same eager network may run twice as slow in one
process as in another, because large blocks go back to the kernel after each use and every page faults anew.
It can only be set when a process starts, so whatever is timed or trained runs in a worker.

One request is one line of JSON on the worker's standard input, each answer one line on a pipe of its own:
whatever else the process prints, be it while it imports, is kept for its last words. A worker does not import
from the folder that it runs in, which is the user's: a ``random.py`` there is no module of ours.
A worker ends when its input closes, so none outlives the process that started it, however that one ended.
What answers need not be here: :mod:`tvnsearch.devices.remote` asks a process on another machine alike.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from tvnsearch.errors import UserError
from tvnsearch.faults import is_of_environment
from tvnsearch.process_end import described_end, memory_kills, was_memory

Progress = Callable[[dict[str, Any]], None]

PR_SET_PDEATHSIG = 1

RUN_MODULE = "import runpy, sys; runpy.run_module(sys.argv[1], run_name='__main__', alter_sys=True)"

if sys.platform == "linux":
    # A process that stands still cannot see its input close: it is woken when the driver ends. That comes
    # first, for a worker may be stopped while it still imports, which takes seconds.
    RUN_MODULE = (
        f"import ctypes; ctypes.CDLL(None).prctl({PR_SET_PDEATHSIG}, {int(signal.SIGCONT)}); {RUN_MODULE}"
    )

PINNED_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "268435456",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
"""Keep every freed block in the process: no page is given back and faulted in again; and on huge pages.

On small pages a network's place in physical memory, another one in each process, decides what its features
and weights push out of the caches: four networks in six processes each differed by 2.6 % (median of pairs)
and ran 4 % slower; on huge pages by 1.8 %.
"""

NOT_FROM_HERE = {"PYTHONSAFEPATH": "1"}
"""Import nothing from the working directory: neither a worker nor any Python process that it starts."""
ASLEEP_WHILE_WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""Threads that wait for each other leave their core to other work, instead of spinning on it."""


class WorkerDiedError(RuntimeError):
    """A worker ended without answering; the message says how, and holds the last lines that it printed.

    ``for_memory`` tells that the kernel killed it for lack of memory.
    """

    def __init__(self, message: str, for_memory: bool = False) -> None:
        super().__init__(message)
        self.for_memory = for_memory


class WorkerFailedError(RuntimeError):
    """A request raised in the worker; the message names the error."""


class EnvironmentFailedError(WorkerFailedError):
    """What any request needs was not there: a file, room on the disk, a driver, the worker itself.

    That says nothing about the request, which may well be answered elsewhere or later.
    """


class AskedProcess(ABC):
    """A process that answers one request at a time, in lines of JSON on ``answers``; a context manager.

    Its standard input takes the requests. Of what it ``printed`` the last lines are kept. It leads a process
    group of its own.
    """

    def __init__(self, process: subprocess.Popen[bytes], answers: IO[bytes], printed: IO[bytes]) -> None:
        self._process, self._answers, self._said = process, answers, printed
        self._has_started = False
        self._was_silent = False
        self._printed: list[str] = []
        self._printed_reader = threading.Thread(target=self._keep_printed, daemon=True)
        self._printed_reader.start()

    def call(
        self,
        method: str,
        params: Mapping[str, Any],
        on_progress: Progress | None = None,
        max_seconds: float | None = None,
    ) -> Any:
        """Run ``method(**params)`` in the process and return its result (plain JSON data).

        One that has not answered after ``max_seconds`` is ended.

        Raises:
            UserError: the method raised one.
            EnvironmentFailedError: it failed for what is none of its fault, or the process never started.
            WorkerFailedError: the method raised anything else.
            WorkerDiedError: the process ended instead of answering.
        """
        assert self._process.stdin
        with self._ended_after(max_seconds):
            try:
                self._process.stdin.write(as_line({"method": method, "params": params}))
                self._process.stdin.flush()
            except BrokenPipeError:
                raise self._death() from None
            for line in self._answers:
                if not line.endswith(b"\n"):
                    break  # it died while it answered
                answer = from_line(line)
                if "started" in answer:
                    self._has_started = True
                elif "progress" in answer:
                    if on_progress is not None:
                        on_progress(answer["progress"])
                elif "result" in answer:
                    return answer["result"]
                else:
                    raise _RAISED[answer["kind"]](answer["error"])
        raise self._death()

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End the process, also one that stands still; work in progress is dropped."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._printed_reader.join(timeout=5)  # a process that it left behind may go on to print
        said = None if self._printed_reader.is_alive() else self._said
        for stream in (self._process.stdin, said, self._answers):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue  # an unsent request dies with the process

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _ended_after(self, max_seconds: float | None) -> Iterator[None]:
        """Within it the process is ended once so much time has passed."""
        if max_seconds is None:
            yield
            return
        timer = threading.Timer(max_seconds, self._end_the_silent)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end_the_silent(self) -> None:
        self._was_silent = True
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and its children; one that has ended hears nothing."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _keep_printed(self) -> None:
        for line in self._said:
            self._keep_line(line)

    def _keep_line(self, line: bytes) -> None:
        self._printed.append(line.decode(errors="replace").rstrip())
        del self._printed[:-20]

    def _last_words(self) -> str:
        self._printed_reader.join(timeout=5)
        return " | ".join(self._printed[-5:]) or "it said nothing"

    @abstractmethod
    def _death(self) -> WorkerDiedError | EnvironmentFailedError:
        """What is to be raised of a process that has ended, or whose answers have."""


class Worker(AskedProcess):
    """A process that runs MODULE as ``python -m`` does and answers one request at a time; a context manager.

    ``threads`` bounds the threads of every numerical library in it. It sees the GPU ``gpu`` alone if one is
    given, a value of CUDA_VISIBLE_DEVICES. Only who wants to know what the allocator does without leaves it
    unpinned. What trains ``shares_cores``: its threads do not spin while they wait, unless the environment
    says how they do. What is timed spins, for that is faster on cores of its own.
    """

    def __init__(
        self,
        module: str,
        threads: int,
        pin_allocator: bool = True,
        gpu: str | None = None,
        shares_cores: bool = False,
    ) -> None:
        count = str(threads)
        environment = os.environ | NOT_FROM_HERE | {"OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count}
        if "PYTHONPATH" in environment:  # what is empty in it is the working directory, also for safe paths
            named = [folder for folder in environment["PYTHONPATH"].split(os.pathsep) if folder]
            environment |= {"PYTHONPATH": os.pathsep.join(named)}
        if shares_cores and not os.environ.keys() & ASLEEP_WHILE_WAITING.keys():
            environment |= ASLEEP_WHILE_WAITING
        if gpu is not None:
            environment |= {"CUDA_VISIBLE_DEVICES": gpu}
        if pin_allocator:
            environment |= PINNED_ALLOCATOR
        self._memory_kills = memory_kills()
        answers_end, worker_end = os.pipe()
        answers = os.fdopen(answers_end, "rb")
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", RUN_MODULE, module, str(worker_end)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(worker_end,),
                env=environment,
                # Ctrl-C reaches the driver alone, which then ends its workers in order
                start_new_session=True,
            )
        except OSError as error:
            answers.close()
            raise EnvironmentFailedError(f"a worker process could not start: {error}") from None
        finally:
            os.close(worker_end)
        assert process.stdout
        super().__init__(process, answers, process.stdout)

    def pause(self) -> None:
        """Make the process stand still, with all that it has started, until :meth:`resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the process go on where it stood still."""
        self._signal(signal.SIGCONT)

    def _death(self) -> WorkerDiedError | EnvironmentFailedError:
        code = self._process.wait()
        for_memory = was_memory(code, self._memory_kills, memory_kills())
        end = described_end(code, for_memory)
        last_words = self._last_words()
        if self._has_started or code == -signal.SIGKILL:  # its caller may have closed it before it was there
            return WorkerDiedError(f"a worker process {end}: {last_words}", for_memory)
        return EnvironmentFailedError(f"a worker process could not start, and {end}: {last_words}")


_RAISED: Mapping[str, Callable[[str], Exception]] = {
    "user": UserError,
    "environment": EnvironmentFailedError,
    "request": WorkerFailedError,
    "death": WorkerDiedError,
    "death for memory": partial(WorkerDiedError, for_memory=True),
}
"""What an answer that is an error is raised as."""


def as_line(message: Mapping[str, Any]) -> bytes:
    """A message as one line of JSON.

    In a name of a file a byte that is no UTF-8 is half of a surrogate pair, which msgspec refuses.
    """
    try:
        return msgspec.json.encode(message) + b"\n"
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(message)).encode() + b"\n"


def from_line(line: bytes) -> Any:
    """The message that a line of JSON is.

    Raises:
        ValueError: it is none.
    """
    try:
        return msgspec.json.decode(line)
    except msgspec.DecodeError:
        return json.loads(line)


def serve(methods: Mapping[str, Callable[..., Any]], answers: IO[bytes] | None = None) -> None:
    """The worker's side: answer requests until the input closes.

    That is done on ``answers``, or on the pipe that :class:`Worker` has named. Each method is called with the
    request's params as keywords and ``progress``, a function that sends a dictionary to the caller while the
    method runs.
    """
    written = os.fdopen(int(sys.argv[2]), "wb") if answers is None else answers
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read_requests() -> None:
        for line in sys.stdin.buffer:
            requests.put(line)
        os._exit(0)

    def answer(message: dict[str, Any]) -> None:
        written.write(as_line(message))
        written.flush()

    threading.Thread(target=read_requests, daemon=True).start()
    answer({"started": True})
    while True:
        request = from_line(requests.get())
        try:
            result = methods[request["method"]](
                **request["params"], progress=lambda message: answer({"progress": message})
            )
            answer({"result": msgspec.to_builtins(result)})
        except Exception as error:  # the driver decides what a failure means; the worker stays ready
            answer(_told(error))


def _told(error: Exception) -> dict[str, str]:
    """The answer that :data:`_RAISED` makes an error of; of a worker's own worker it is the same error."""
    match error:
        case UserError():
            kind = "user"
        case WorkerDiedError():
            kind = "death for memory" if error.for_memory else "death"
        case EnvironmentFailedError():
            kind = "environment"
        case WorkerFailedError():
            kind = "request"
        case _:
            kind = "environment" if is_of_environment(error) else "request"
            return {"error": f"{type(error).__name__}: {error}", "kind": kind}
    return {"error": str(error), "kind": kind}
