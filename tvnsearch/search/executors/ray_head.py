"""The head of a Ray cluster: watched, since Ray waits for a lost one in silence, and then ends the process.

While the head does not answer, some of Ray's calls never return, not even those with a timeout. So each is
made by a thread that nobody waits for at the end; who asked waits for its answer or for the head's loss.
"""

from __future__ import annotations

import atexit
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, InvalidStateError, wait
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any, TypeVar

import ray
from ray.exceptions import LocalRayletDiedError, RayError, RayTaskError, RpcError
from ray.experimental.internal_kv import _internal_kv_get

from tvnsearch.search.executors.executor import ClusterLostError
from tvnsearch.search.executors.ray_joining import host_and_port, is_client

T = TypeVar("T")

LOST_SECONDS = 50.0
"""A head that has not answered for so long is lost; after 60 Ray itself would end the process.

One that keeps its state elsewhere may be back sooner, and everything goes on.
"""

SAID_AFTER_SECONDS = 8.0
LOOK_EVERY_SECONDS = 1.0
ANSWER_SECONDS = 5.0

LEAVE_SECONDS = 10.0
"""How long leaving a cluster that is lost may take, and asking one that is back."""

UNREACHABLE = (LocalRayletDiedError, RpcError, ConnectionError)
"""What Ray raises for want of a head, or of its part on this machine."""


class Head:
    """The head of the cluster that this process has joined, at an address such as ``10.0.0.1:6379``.

    ``say`` hears that it does not answer, and that it does again.
    """

    def __init__(self, address: str, say: Callable[[str], None]) -> None:
        self._address = address
        self._say = say
        self._lost: Future[ClusterLostError] = Future()
        self._is_left = Event()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look after the head until the context is left; a cluster that was lost meanwhile is left, too."""
        Thread(target=self._watch, daemon=True).start()
        try:
            yield
        finally:
            self._is_left.set()
            if self._lost.done():
                _leave()

    def asked(self, call: Callable[[], T]) -> T:
        """What Ray answers to a call.

        Raises:
            ClusterLostError: the head is lost, or this machine's part of Ray.
        """
        if not self._lost.done():
            answer = _begun(call)
            either: list[Future[Any]] = [answer, self._lost]
            wait(either, return_when=FIRST_COMPLETED)
        if self._lost.done():
            raise self._lost.result()
        try:
            return answer.result()
        except RayTaskError:
            raise
        except UNREACHABLE as error:
            self._lose(f"{str(error).partition(chr(10))[0]}")
            raise self._lost.result() from None

    def _watch(self) -> None:
        place = host_and_port(self._address)
        answered_at, is_said, was_silent = time.monotonic(), False, False
        while place is not None and not self._is_left.wait(LOOK_EVERY_SECONDS):
            if _answers(place):
                if was_silent and not _knows_this_process():
                    self._lose("another one is there by now, which does not know of this search")
                    return
                if is_said:
                    self._say(f"the head of the Ray cluster at {self._address} answers again")
                answered_at, is_said, was_silent = time.monotonic(), False, False
                continue
            was_silent, silent_seconds = True, time.monotonic() - answered_at
            if silent_seconds >= LOST_SECONDS:
                self._lose(f"it has not answered for {LOST_SECONDS:.0f} seconds")
                return
            if silent_seconds >= SAID_AFTER_SECONDS and not is_said:
                is_said = True
                self._say(
                    f"the head of the Ray cluster at {self._address} does not answer: waiting up to "
                    f"{LOST_SECONDS:.0f} seconds for it"
                )

    def _lose(self, reason: str) -> None:
        with suppress(InvalidStateError):  # that is known already
            self._lost.set_result(
                ClusterLostError(f"the head of the Ray cluster at {self._address} is lost: {reason}")
            )


def _begun(call: Callable[[], T]) -> Future[T]:
    """A call in a thread that no process waits for when it ends."""
    answer: Future[T] = Future()

    def ask() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # raised where the answer is waited for
            answer.set_exception(error)

    Thread(target=ask, daemon=True).start()
    return answer


def _knows_this_process() -> bool:
    """Whether a head that was away is of the same cluster still.

    One that is not refuses every request of this process; many of Ray's own calls end the process then.
    """
    if is_client():
        return True  # a client that is not known any more is told so
    answer = _begun(lambda: _internal_kv_get(b"", namespace=b"tvnsearch"))
    with suppress(RayError, TimeoutError):
        answer.result(LEAVE_SECONDS)
        return True
    return False


def _answers(place: tuple[str, int]) -> bool:
    try:
        socket.create_connection(place, ANSWER_SECONDS).close()
    except OSError:
        return False
    return True


def _leave() -> None:
    """Leave a cluster that is gone, so that this process can join another one, or end."""
    atexit.unregister(ray.shutdown)
    leaving = Thread(target=ray.shutdown, daemon=True)
    leaving.start()
    leaving.join(LEAVE_SECONDS)
