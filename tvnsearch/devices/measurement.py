"""What a timing says: one network's latency, and its layers' latencies."""

from __future__ import annotations

from msgspec import Struct

FAR = 1.5
"""An interval is far from a limit that is so many times as long, or as short.

On a shared machine slow phases cost 30 % and more, and two processes differ by some percent.
"""


class Measurement(Struct, frozen=True):
    """A network's latency on a device, with the reason to believe it.

    ``latency_ms`` is the median of the ``samples`` undisturbed passes, ``ci_low_ms`` to ``ci_high_ms`` its 95
    % confidence interval: None with fewer than six of them, which have none, and then the median is a guess.
    ``p50_ms``, ``p90_ms`` and ``p99_ms`` are over all passes taken, ``disturbed`` ones included: what a user
    sees on a machine as busy as this one was. ``reason`` says why a result is not ``trusted``, and is empty
    where it is.
    """

    latency_ms: float
    ci_low_ms: float | None
    ci_high_ms: float | None
    p50_ms: float
    p90_ms: float
    p99_ms: float
    samples: int
    disturbed: int
    trusted: bool
    reason: str = ""

    def keeps(self, limit_ms: float) -> bool:
        """Whether the whole interval is within a limit; without an interval nothing is."""
        return self.ci_high_ms is not None and self.ci_high_ms <= limit_ms

    def is_far_below(self, limit_ms: float) -> bool:
        """Whether the whole interval is so far within a limit that no bad phase explains it."""
        return self.keeps(limit_ms / FAR)

    def is_far_above(self, limit_ms: float) -> bool:
        """Whether the whole interval is so far over a limit that no bad phase explains it."""
        return self.ci_low_ms is not None and self.ci_low_ms > FAR * limit_ms

    def decides(self, limit_ms: float) -> bool | None:
        """Whether the network keeps a limit; None where this is not to be trusted with the answer.

        That a network is far below it can be trusted to a measurement that else is not.
        """
        if self.trusted or self.is_far_below(limit_ms):
            return self.keeps(limit_ms)
        return None


def written_interval(low_ms: float | None, high_ms: float | None, digits: str = ".2f") -> str:
    """A confidence interval for people."""
    if low_ms is None or high_ms is None:
        return "no interval"
    return f"{low_ms:{digits}} to {high_ms:{digits}}"


class Timing(Struct, frozen=True):
    """Networks timed together in one process, and the median time of a copy in memory meanwhile.

    ``best_copy_ns`` is what such a copy takes on this device at its best, as far as is known. Both are None
    where memory is not watched (GPUs).
    """

    measurements: list[Measurement]
    copy_ns: int | None = None
    best_copy_ns: int | None = None


class LayerProfile(Struct, frozen=True):
    """The latency of each layer call of a network, stamped while the whole network ran.

    ``latencies_ms`` and ``spreads_ms`` (the interquartile range over the passes) are in the order of
    ``trace(genome, classes).calls``; ``passes`` counts the undisturbed ones that they rest on, ``disturbed``
    the others. ``parts`` has for each call the place of the first call of its part, those that the runtime
    executes as one; the latency of a part stands at its first call, its others have 0. ``network`` is the
    whole network, in a profile's own passes less the cost of the stamps, or in others taken in turns with
    them.
    """

    latencies_ms: tuple[float, ...]
    spreads_ms: tuple[float, ...]
    passes: int
    disturbed: int
    network: Measurement
    parts: tuple[int, ...]
